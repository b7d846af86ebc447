"""Ticks per second of the whole system: `understudy run --headless --speed max` as it is, everything on.

    python -m benchmarks.whole_system [--for 3d] [--rounds 3]

Everything is the demo's: the hall and its three twins, policy child, envelope, evidence, spool, shipping to the store.
Each round is one such run, between two measurements of the hall's model alone (four lanes, no control), so that a busy
machine slows both. The table has ticks per second from the first status to the end, and the same with the start
included. It also has the control process's own processor time per tick, which bounds the rate on a core of its own.

Target: at least 300 ticks/s on two idle cores.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from controller.plants.cooling.plant import CoolingHall
from controller.plants.cooling.settings import CoolingSettings
from controller.records.errors import SpoolError
from controller.records.spool_reader import SpoolReader
from controller.settings import load_site
from safety.loading.spec import load_envelope

SITE = Path(__file__).resolve().parents[1] / "deploy/sites/demo"
TARGET = 300.0


@dataclass(frozen=True, slots=True)
class Round:
    """One run: ticks/s while it ran, all of it included, and processor time of control per tick [ms]."""

    running: float
    with_start: float
    cpu_ms: float


def measure(duration: str, folder: Path) -> Round:
    """Run the system once in a process of its own and watch it."""
    report, state = folder / "report.json", folder / "state"
    argv = [sys.executable, "-m", "controller.cli", "run", "--site", str(SITE), "--for", duration, "--speed", "max"]
    argv += ["--headless", "--state", str(state), "--report", str(report)]
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    spool = SpoolReader(state / "spool.sqlite")
    pid, cpu_s, first, last = 0, 0.0, (0.0, 0), (0.0, 0)
    while process.poll() is None:
        time.sleep(0.02)
        pid = pid or _control(process.pid)
        cpu_s = _cpu_s(pid) or cpu_s
        tick = _tick(spool)
        if tick > last[1]:
            last = (time.monotonic(), tick)
            first = first if first[1] else (*last,)
            if first == last:
                start_cpu_s = cpu_s
    if process.returncode != 0:
        raise SystemExit(f"the run ended with {process.returncode}")
    ticks = last[1] - first[1]
    summary = json.loads(report.read_text())
    return Round(
        ticks / (last[0] - first[0]),
        summary["ticks_per_s"],
        (cpu_s - start_cpu_s) / (summary["ticks"] - first[1]) * 1e3,
    )


def hall_alone(least_s: float = 1.0) -> float:
    """Control periods a second of the hall's model, plant and three twins, with nobody in control."""
    site = load_site(SITE)
    settings = site.plant_settings("cooling", CoolingSettings)
    hall = CoolingHall(site, settings, load_envelope(SITE / "envelope.toml"), seed=1, snapshot=None)
    hall.advance(hall.now_us + 300_000_000)
    periods, start = 0, time.monotonic()
    while (elapsed_s := time.monotonic() - start) < least_s:
        hall.advance(hall.now_us + 300_000_000)
        periods += 1
    return periods / elapsed_s


def _tick(spool: SpoolReader) -> int:
    try:
        text = spool.live() if spool.path.exists() else None
    except SpoolError:
        return 0
    return 0 if text is None else int(json.loads(text)["tick"])


def _control(parent: int) -> int:
    """The id of a run's control process; 0 while it does not run."""
    for path in Path(f"/proc/{parent}/task/{parent}").glob("children"):
        for child in path.read_text().split():
            if b"controller.processes.control" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    return 0


def _cpu_s(pid: int) -> float:
    """Processor time a process has used, 0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--for", dest="duration", default="3d")
    arguments.add_argument("--rounds", type=int, default=3)
    args = arguments.parse_args()
    print(
        f"{'':10}{'ticks/s':>10}{'with start':>12}{'cpu ms/tick':>13}{'hall alone/s':>14}{'of the hall':>13}{'load':>7}"
    )
    best = 0.0
    for n in range(args.rounds):
        before = hall_alone()
        with tempfile.TemporaryDirectory() as folder:
            seen = measure(args.duration, Path(folder))
        alone = (before + hall_alone()) / 2
        best = max(best, seen.running)
        figures = (
            f"{seen.running:10.0f}{seen.with_start:12.0f}{seen.cpu_ms:13.2f}{alone:14.0f}{seen.running / alone:13.2f}"
        )
        print(f"round {n + 1:<4}{figures}{os.getloadavg()[0]:7.1f}")
    print(
        f"target: {TARGET:.0f} ticks/s on two idle cores; best round {best:.0f} ({'met' if best >= TARGET else 'not met'})"
    )


if __name__ == "__main__":
    main()
