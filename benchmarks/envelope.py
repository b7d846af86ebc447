"""What judging costs: one decision beside a bare chain of Python comparisons in the same run.

python -m benchmarks.envelope [--runs 10000]

Envelopes of 150 rules on 12 setpoints and 40 signals, of several seeds and two mixes. `mixed` has every kind of rule,
also the expensive ones; `shipped` has the kinds in the proportions of the envelopes that ship. A judgement is timed as it is made,
the unpacking of its signals included; `ramping` has another step than target, `arrived` the same. Then the demo's
envelope: a whole decision, a guard, what is permitted, and its state rules alone, in each of their forms.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from safety.decide import decide, judge, judge_plainly, observe_plainly, situation
from safety.envelope import Envelope, fresh_memory, permitted
from safety.forms.vectorised import Batch, accepts
from safety.forms.vectorised_states import Observations, replay, watch
from safety.guard import Guarded, guard
from safety.inputs import managed
from safety.loading.spec import load_envelope
from safety.ramp import Ramped
from safety.rules.base import US_PER_S
from safety.values import Memory, Observation, Proposal, Ruling, Rung, Signal, Source
from tests.safety.support.golden import FOLDER
from tests.safety.support.random_envelopes import MIXED, SHIPPED, batch_of, envelope_of, situation_of

ROOT = Path(__file__).resolve().parents[1]
SEEDS = (7, 1, 4)
CHAIN = [(0.0, 1.0, 0.5)] * 150
SPELLS, BARE = 20, 50
LANES, TICKS = 8192, 2000
ACCEPT_US, VERDICT_US, VERDICT_LATE_US, BATCH_US = 5.0, 15.0, 40.0, 2.0


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; a target of 0 means that there is no target."""

    name: str
    p50_us: float
    p99_us: float
    bare_us: float
    target_us: float = 0.0
    late_us: float = 0.0

    def text(self) -> str:
        met = self.p50_us <= self.target_us and not 0 < self.late_us < self.p99_us
        late = f" and {self.late_us:g}" if self.late_us else ""
        verdict = f"{self.target_us:g}{late}: {'met' if met else 'not met'}" if self.target_us else ""
        return f"{self.name:48}{self.p50_us:9.2f}{self.p99_us:9.2f}{self.bare_us:9.2f}{self.p50_us / self.bare_us:8.2f}  {verdict}"


def quantiles(run: Callable[[], object], runs: int) -> tuple[float, float, float]:
    """Median and 99th percentile of a call [us], and the median of the bare chain beside it.

    Of the quietest of many short spells, by its median: a busy machine slows whole spells.
    """
    for _ in range(200):
        run()
    return min((*_spell(run, runs // SPELLS), _spell(bare, BARE)[0]) for _ in range(SPELLS))


def _spell(run: Callable[[], object], count: int) -> tuple[float, float]:
    times = []
    for _ in range(count):
        begin = time.perf_counter_ns()
        run()
        times.append(time.perf_counter_ns() - begin)
    return median(times) / 1e3, sorted(times)[int(count * 0.99)] / 1e3


def large(mix: str, seed: int, runs: int) -> Iterator[Row]:
    """The rows of one envelope of 150 rules."""
    envelope = envelope_of(seed, mix=MIXED if mix == "mixed" else SHIPPED)
    batch = batch_of(envelope, seed, 8192, wild=0.0)
    accepted = accepts(envelope, Rung.CANDIDATE, batch)
    target, step, now = situation_of(batch, int(accepted.argmax()), envelope)
    compiled, name = envelope.compiled[Rung.CANDIDATE], f"{mix} {seed}"
    ramped, arrived = Ramped(step), Ramped(step)
    if not (judge(target, ramped, Rung.CANDIDATE, now, envelope).accepted and compiled.stands(step, step, now)):
        raise SystemExit(f"envelope {name}: the judgement to be timed is not accepted, draw another seed")
    accept = quantiles(lambda: compiled.accepts(target, step, now), runs)
    yield Row(f"{name}: accept only, ramping", *accept, ACCEPT_US)
    yield Row(f"{name}: accept only, arrived", *quantiles(lambda: compiled.stands(step, step, now), runs), ACCEPT_US)
    full = quantiles(lambda: judge(target, ramped, Rung.CANDIDATE, now, envelope), runs)
    yield Row(f"{name}: all margins, ramping", *full, VERDICT_US, VERDICT_LATE_US)
    full = quantiles(lambda: judge(step, arrived, Rung.CANDIDATE, now, envelope), runs)
    yield Row(f"{name}: all margins, arrived", *full, VERDICT_US, VERDICT_LATE_US)
    each, bare_us = min((_batch_us(envelope, batch), _spell(bare, BARE)[0]) for _ in range(10))
    plainly = quantiles(lambda: judge_plainly(target, ramped, Rung.CANDIDATE, now, envelope), runs // 10)
    yield Row(f"{name}: the same, rule by rule", *plainly)
    yield Row(f"{name}: vectorised, each of {batch.size} ({accepted.mean():.0%} pass)", each, each, bare_us, BATCH_US)


def _batch_us(envelope: Envelope, batch: Batch) -> float:
    """One decision of a batch [us]."""
    begin = time.perf_counter()
    accepts(envelope, Rung.CANDIDATE, batch)
    return (time.perf_counter() - begin) / batch.size * 1e6


def demo() -> tuple[Envelope, Observation, dict[Source, Proposal], Memory]:
    """A usual tick of the demo hall: both sources answer, both are accepted."""
    envelope = load_envelope(ROOT / "deploy" / "sites" / "demo" / "envelope.toml")
    usual = FOLDER.usual("demo")
    last = usual["targets"]
    signals = {name: Signal(value) for name, value in usual["signals"].items()}
    observation = Observation("hall", "", 0, signals, applied=last, readback=last)
    proposals = {
        Source.INCUMBENT: Proposal(Source.INCUMBENT, {**last, "supply_air_c": 21.1}),
        Source.CANDIDATE: Proposal(Source.CANDIDATE, {**last, "supply_air_c": 22.0, "fan_z1_frac": 0.55}),
    }
    timers = {name: tuple(seconds * US_PER_S for seconds in state) for name, state in usual["timers"].items()}
    memory = Memory(last=last, rung=Rung.CANDIDATE, rules={**fresh_memory(envelope).rules, **timers})
    return envelope, observation, proposals, memory


def small(runs: int) -> Iterator[Row]:
    """The rows of the demo's envelope."""
    envelope, observation, proposals, memory = demo()
    rules, now = len(envelope.rules), situation(observation, memory, envelope)

    def decided() -> Ruling:
        return decide(observation, proposals, Source.CANDIDATE, envelope, memory, elapsed_us=300_000_000, epoch=1)

    def guarded() -> Guarded:
        return guard(observation, memory.last, envelope, memory, elapsed_us=30_000_000)

    if any(judgement.verdict.findings for judgement in decided().judgements) or guarded().decide_now:
        raise SystemExit(
            "the demo's tick to be timed has findings or a state rule that acts: correct `demo` in this benchmark"
        )
    yield Row(f"demo, {rules} rules: decide, 2 proposals", *quantiles(decided, runs))
    yield Row(f"demo, {rules} rules: guard", *quantiles(guarded, runs))
    yield Row("demo: what is permitted", *quantiles(lambda: permitted(envelope, now), runs))


def watching(runs: int) -> Iterator[Row]:
    """The rows of the demo's state rules: satisfied, one by one, written out, and vectorised; its inputs are managed before."""
    envelope, observation, _, memory = demo()
    observation, _ = managed(observation, envelope.inputs, {}, 0)
    rules, states = f"demo, {len(envelope.state_rules)} state rules", memory.rules

    def plainly() -> object:
        return observe_plainly(observation, envelope, memory, 30_000_000)

    yield Row(f"{rules}: one by one, all well", *quantiles(plainly, runs))
    quiet = quantiles(lambda: envelope.watched.quiet(observation, states, 30_000_000), runs)
    yield Row(f"{rules}: written out, all well", *quiet)
    seen = _many(observation, LANES, (LANES,))
    each, bare_us = min((_watch_us(envelope, seen), _spell(bare, BARE)[0]) for _ in range(SPELLS))
    yield Row(f"{rules}: vectorised, each of {LANES}", each, each, bare_us)
    for lanes in (1, 64):
        log = _many(observation, TICKS * lanes, (TICKS, lanes))
        each, bare_us = min((_replay_us(envelope, log), _spell(bare, BARE)[0]) for _ in range(SPELLS))
        yield Row(f"{rules}: log, {TICKS} ticks x {lanes}", each, each, bare_us)


def _many(observation: Observation, size: int, shape: tuple[int, ...]) -> Observations:
    """The observation `size` times, its signals not quite the same."""
    draw, given = np.random.default_rng(3), {name: observation.signals[name].value for name in observation.signals}
    signals = {name: (value * draw.uniform(0.9, 1.1, size)).reshape(shape) for name, value in given.items()}
    applied = {name: np.full(size, value).reshape(shape) for name, value in (observation.applied or {}).items()}
    return Observations(np.full(size, 30_000_000).reshape(shape), signals, {}, applied, applied)


def _watch_us(envelope: Envelope, seen: Observations) -> float:
    """All state rules of one observation [us]."""
    begin = time.perf_counter()
    watch(envelope.state_rules, seen, {})
    return (time.perf_counter() - begin) / seen.elapsed_us.size * 1e6


def _replay_us(envelope: Envelope, log: Observations) -> float:
    """All state rules of one observation of a log [us]."""
    begin = time.perf_counter()
    replay(envelope.state_rules, log, {})
    return (time.perf_counter() - begin) / log.elapsed_us.size * 1e6


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, default=10000)
    runs = arguments.parse_args().runs
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; bare: {len(CHAIN)} comparisons")
    print(f"{'':48}{'p50 us':>9}{'p99 us':>9}{'bare us':>9}{'ratio':>8}  target us")
    for mix in ("mixed", "shipped"):
        for seed in SEEDS:
            for row in large(mix, seed, runs):
                print(row.text())
    for row in (*small(runs), *watching(runs)):
        print(row.text())


def bare() -> bool:
    """The reference: as many comparisons as there are rules, in a loop."""
    for low, high, value in CHAIN:  # noqa: SIM110 - a generator would be the slower reference
        if not low <= value <= high:
            return False
    return True


if __name__ == "__main__":
    main()
