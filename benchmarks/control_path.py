"""Microseconds per tick of the control path without the plant model, part by part.

A tick is one decision of the demo site: intents, incumbent, candidate (a round trip to its process), envelope,
comparison, evidence, rollout, record, spool, status and metrics. The plant is the demo's, recorded first and then
replayed from memory, without twins; the rollout is in shadow. Two loops take turns, one plain and one with a stopwatch
around each part. After each pair a bare SQLite insert and commit of the same record is timed, so that a busy machine
slows all three.

    python -m benchmarks.control_path [--ticks 576]

Target: at most 1.5 ms per tick.
"""

import argparse
import os
import sqlite3
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import controller.loop.decide as decide_module
import controller.loop.pilot as pilot_module
import controller.records.spool as spool_module
from controller.bootstrap import ControlSystem, Options, build_control
from controller.plants.wrapper import Around
from controller.ports import Companions, Outcome, Plant
from controller.records.codec import encode
from safety.command_lease import Standing, in_force, taken
from safety.values import Command, Observation, Receipt

SITE = Path(__file__).resolve().parents[1] / "deploy/sites/demo"
TARGET_US = 1500.0
WARM_UP = 48


@dataclass
class Recorded:
    """What the demo's plant said, by plant time."""

    seen: dict[int, Observation] = field(default_factory=dict)
    outcomes: dict[int, Outcome] = field(default_factory=dict)


class Recording(Around):
    """Passes everything on to a plant and keeps what it says."""

    def __init__(self, plant: Plant, kept: Recorded) -> None:
        super().__init__(plant)
        self.kept = kept

    def observe(self) -> Observation:
        seen = super().observe()
        self.kept.seen[seen.taken_at] = replace(seen, signals=dict(seen.signals), applied=None)
        return seen

    def outcome(self) -> Outcome:
        outcome = super().outcome()
        self.kept.outcomes[outcome.to_us] = outcome
        return outcome


class Replayed:
    """A plant that only remembers: it costs next to nothing."""

    simulated = True

    def __init__(self, plant: Plant, kept: Recorded) -> None:
        self.name, self.outcome_spec = plant.name, plant.outcome_spec
        self.kept, self.now_us, self.standing = kept, min(kept.seen), Standing()

    def observe(self) -> Observation:
        return replace(self.kept.seen[self.now_us], applied=in_force(self.standing, self.now_us))

    def outcome(self) -> Outcome:
        return self.kept.outcomes[self.now_us]

    def apply(self, command: Command, *, decision: str) -> Receipt:
        self.standing = taken(self.standing, command, self.now_us)
        return Receipt(decision, command.setpoints, command.setpoints, self.now_us, accepted=True)

    def advance(self, until_us: int) -> None:
        self.now_us = until_us


class Stopwatch:
    """Time spent in each part [us], without the parts inside it."""

    def __init__(self) -> None:
        self.now: dict[str, float] = defaultdict(float)
        self.ticks: list[dict[str, float]] = []
        self._inside = [0.0]

    def around(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._inside.append(0.0)
            start = time.perf_counter_ns()
            try:
                return call(*args, **kwargs)
            finally:
                took = (time.perf_counter_ns() - start) / 1e3
                self.now[part] += took - self._inside.pop()
                self._inside[-1] += took

        return timed

    def next_tick(self) -> None:
        self.ticks.append(dict(self.now))
        self.now.clear()


def record(folder: Path, ticks: int) -> Recorded:
    """Record the observations and outcomes of the real demo plant over `ticks` ticks."""
    kept = Recorded()
    with build_control(Options(SITE, folder)) as system:
        system.loop.parts = replace(system.loop.parts, plant=Recording(system.plant, kept))  # type: ignore[arg-type]
        period_us = system.loaded.envelope.period_us
        system.loop.run(system.loaded.site.start_us + ticks * period_us, lambda: True)
    return kept


def replayed(folder: Path, kept: Recorded) -> ControlSystem:
    """The demo's control system on the recorded plant."""
    system = build_control(Options(SITE, folder))
    plant = Replayed(system.plant, kept)
    system.loop.parts = replace(system.loop.parts, plant=plant, companions=Companions())
    return system


def timed_parts(system: ControlSystem, watch: Stopwatch) -> dict[str, tuple[Any, str]]:
    """Time the calls of objects; return those of modules, by function name, which are timed for one tick at a time."""
    for owner, name, part in (
        (system.operators, "carry_out_pending", "operators' intents"),
        (system.incumbent, "propose", "incumbent"),
        (system.incumbent, "track", "incumbent"),
        (system.candidate, "propose", "candidate, a round trip"),
        (system.spool, "append", "spool: insert and commit"),
        (system.loop._checkpoints, "encode", "checkpoint"),
        *((watcher, "decided", "status and metrics") for watcher in system.loop.parts.watchers),
    ):
        setattr(owner, name, watch.around(part, getattr(owner, name)))
    return {
        "decide_managed": (pilot_module, "envelope: decide"),
        "situation": (pilot_module, "envelope: what is permitted"),
        "manage": (pilot_module, "envelope: inputs"),
        "permitted": (pilot_module, "envelope: what is permitted"),
        "escaped": (decide_module, "envelope: verify"),
        "compare": (decide_module, "comparison"),
        "evidence_of": (decide_module, "evidence"),
        "observe_tick": (decide_module, "evidence"),
        "advance": (decide_module, "rollout"),
        "assemble": (decide_module, "record"),
        "ruling_digest": (decide_module, "record"),
        "encode": (spool_module, "record"),
    }


def one_tick(system: ControlSystem) -> tuple[float, float]:
    """One decision: wall time and processor time of this thread [us]. The guards until the next one are not counted."""
    start, start_cpu = time.perf_counter_ns(), time.thread_time_ns()
    system.loop.tick(system.loop.parts.plant.observe())
    return (time.perf_counter_ns() - start) / 1e3, (time.thread_time_ns() - start_cpu) / 1e3


def guards(system: ControlSystem, began_us: int) -> float:
    """The nine guards until the next decision [us]."""
    start = time.perf_counter_ns()
    system.loop.interval(began_us)
    return (time.perf_counter_ns() - start) / 1e3


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--ticks", type=int, default=576)
    ticks = arguments.parse_args().ticks
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kept = record(folder / "recorded", ticks + 1)
        plain, parted = replayed(folder / "plain", kept), replayed(folder / "parted", kept)
        with plain, parted:
            _measure(plain, parted, _bare(folder / "bare.sqlite"), ticks)


def _measure(plain: ControlSystem, parted: ControlSystem, bare: Callable[[bytes], float], ticks: int) -> None:
    watch = Stopwatch()
    modules = {name: (owner, getattr(owner, name), part) for name, (owner, part) in timed_parts(parted, watch).items()}
    whole: list[tuple[float, float]] = []
    between: list[float] = []
    reference: list[float] = []
    for n in range(ticks):
        began_us = plain.loop.parts.plant.observe().taken_at
        whole.append(one_tick(plain))
        between.append(guards(plain, began_us))
        last = plain.spool.last_decision()
        assert last is not None
        for name, (owner, call, part) in modules.items():
            setattr(owner, name, watch.around(part, call))
        watch.around("the loop itself", one_tick)(parted)
        watch.next_tick()
        for name, (owner, call, _) in modules.items():
            setattr(owner, name, call)
        guards(parted, began_us)
        watch.now.clear()
        reference.append(bare(encode(last)))
        if n == WARM_UP:
            whole, between, reference, watch.ticks = [], [], [], []
    _print(watch.ticks, whole, between, reference)


def _bare(path: Path) -> Callable[[bytes], float]:
    """The reference: a bare insert and commit of a record [us]."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("CREATE TABLE row (n INTEGER PRIMARY KEY, body BLOB)")

    def insert(body: bytes) -> float:
        start = time.perf_counter_ns()
        db.execute("INSERT INTO row (body) VALUES (?)", (body,))
        return (time.perf_counter_ns() - start) / 1e3

    return insert


def _print(
    parts: list[dict[str, float]], whole: list[tuple[float, float]], between: list[float], reference: list[float]
) -> None:
    middle = statistics.median(reference)
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {len(whole)} ticks")
    print(f"{'':32}{'least us':>10}{'p50 us':>10}{'p95 us':>10}{'p50 / bare':>12}")
    names = sorted({name for tick in parts for name in tick}, key=lambda name: -_p(_of(parts, name), 0.5))
    for name in names:
        _line(f"  {name}", _of(parts, name), middle)
    wall = [each for each, _ in whole]
    _line("the tick, without stopwatches", wall, middle)
    _line("its processor time", [cpu for _, cpu in whole], middle)
    _line("its nine guards", between, middle)
    _line("bare SQLite insert and commit", reference, middle)
    p50 = _p(wall, 0.5)
    print(
        f"target: {TARGET_US:.0f} us per tick; p50 is {p50 / TARGET_US:.2f} of it ({'met' if p50 <= TARGET_US else 'not met'})"
    )


def _of(parts: list[dict[str, float]], name: str) -> list[float]:
    return [tick.get(name, 0.0) for tick in parts]


def _line(name: str, values: Sequence[float], reference: float) -> None:
    p50 = _p(values, 0.5)
    print(f"{name:32}{min(values):10.0f}{p50:10.0f}{_p(values, 0.95):10.0f}{p50 / reference:12.1f}")


def _p(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


if __name__ == "__main__":
    main()
