"""What one tick's durable record costs, beside a bare SQLite insert and commit of the same bytes in the same run.

    python -m benchmarks.spool [ticks]

Every tick is timed in turn with the bare insert, so that a busy machine slows both. Target: all parts in at most 100 us at p50.
"""

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from controller.records.codec import encode
from controller.records.spool import SqliteSpool
from controller.records.tick_entry import TickEntry
from controller.testing.samples import sample_entry

CHECKPOINT = bytes(range(256)) * 16


def main(ticks: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bare = _bare(Path(folder) / "bare.sqlite")
        print(
            f"record of {len(encode(_entry(0).decision))} bytes, checkpoint of {len(CHECKPOINT)} bytes, {ticks} ticks each"
        )
        print(f"{'':34}{'p50 us':>9}{'p99 us':>9}{'max us':>9}{'p50 / bare':>12}")
        for name, make in VARIANTS.items():
            spool = SqliteSpool(Path(folder) / f"{name}.sqlite")
            _line(name, *_timed(spool.append, bare, make, ticks))
            spool.close()
        synced = SqliteSpool(Path(folder) / "synced.sqlite", durability="power_loss")
        _line("all parts, synced each time", *_timed(synced.append, bare, _entry, ticks // 10))
        synced.close()


def _entry(index: int) -> TickEntry:
    return sample_entry(index, checkpoint=CHECKPOINT, event=True)


VARIANTS: dict[str, Callable[[int], TickEntry]] = {
    "decision alone": lambda index: TickEntry(sample_entry(index).decision),
    "and receipt, comparison": sample_entry,
    "and checkpoint (the usual tick)": lambda index: sample_entry(index, checkpoint=CHECKPOINT),
    "and an event (all parts)": _entry,
}


def _bare(path: Path) -> Callable[[int, bytes], None]:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("CREATE TABLE row (n INTEGER PRIMARY KEY, body BLOB)")
    return lambda _, body: db.execute("INSERT INTO row (body) VALUES (?)", (body,)) and None


def _timed(
    append: Callable[[TickEntry], None],
    bare: Callable[[int, bytes], None],
    make: Callable[[int], TickEntry],
    ticks: int,
) -> tuple[list[float], list[float]]:
    ours, theirs = [], []
    for index in range(ticks):
        entry = make(index)
        body = encode(entry.decision) if entry.decision is not None else b""
        start = time.perf_counter_ns()
        append(entry)
        middle = time.perf_counter_ns()
        bare(index, body)
        theirs.append((time.perf_counter_ns() - middle) / 1e3)
        ours.append((middle - start) / 1e3)
    return sorted(ours), sorted(theirs)


def _line(name: str, ours: Sequence[float], bare: Sequence[float]) -> None:
    p50, p99 = ours[len(ours) // 2], ours[len(ours) * 99 // 100]
    print(f"{name:34}{p50:9.1f}{p99:9.1f}{ours[-1]:9.1f}{p50 / bare[len(bare) // 2]:12.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
