"""How fast the shipper takes entries from spool to store, beside bare inserts of the same records in the same run.

    python -m benchmarks.shipping [entries] [postgresql+psycopg://... of an empty database]

The bare reference puts the same record bytes into one table with three columns. Target: at least 3,000 decisions/s on SQLite.
"""

import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import migrations
from controller.records.entry import SpooledDecision
from controller.records.rows import decision_rows
from controller.records.shipper import Shipper
from controller.records.spool import SqliteSpool
from controller.records.store import Store
from controller.testing.samples import sample_entry


def main(entries: int, urls: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        spool = SqliteSpool(Path(folder) / "spool.sqlite")
        for index in range(entries):
            spool.append(sample_entry(index, event=index % 50 == 0))
        batch = spool.unshipped(entries)
        bare_s = _bare(Path(folder) / "bare.sqlite", batch.decisions)
        start = time.perf_counter()
        decision_rows(batch)
        derived_s = time.perf_counter() - start
        print(f"{entries} entries: decision, receipt, comparison of 6 setpoints; an event in 50")
        print(f"{'':26}{'entries/s':>11}{'time / bare':>13}")
        _line("bare SQLite inserts", entries, bare_s, bare_s)
        _line("deriving typed columns", entries, derived_s, bare_s)
        for url in (f"sqlite:///{folder}/store.sqlite", *urls):
            _line(f"shipping to {url.split(':')[0]}"[:26], entries, _shipped(spool, url), bare_s)
        spool.close()


def _shipped(spool: SqliteSpool, url: str) -> float:
    """Seconds to ship the whole spool into an empty store."""
    migrations.upgrade(url)
    spool.mark_shipped(0)
    store = Store(url)
    start = time.perf_counter()
    shipped = Shipper(spool, store).ship_until_empty()
    took_s = time.perf_counter() - start
    if store.count() != shipped:
        raise SystemExit(f"`{store.url}` was not empty: give the benchmark a database of its own")
    store.close()
    return took_s


def _bare(path: Path, decisions: Sequence[SpooledDecision]) -> float:
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE row (n INTEGER PRIMARY KEY, hash BLOB, body BLOB)")
    start = time.perf_counter()
    for first in range(0, len(decisions), 1000):
        rows = [(link.seq, link.hash, link.record) for link in decisions[first : first + 1000]]
        db.executemany("INSERT INTO row VALUES (?, ?, ?)", rows)
        db.commit()
    return time.perf_counter() - start


def _line(name: str, entries: int, took_s: float, bare_s: float) -> None:
    print(f"{name:26}{entries / took_s:11.0f}{took_s / bare_s:13.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, sys.argv[2:])
