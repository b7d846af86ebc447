"""What judging costs: one decision with the demo envelope, beside a bare chain of Python comparisons in the same run.

python -m benchmarks.envelope
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from safety.decide import decide, judge, judge_plainly
from safety.envelope import Envelope, fresh_memory
from safety.ramp import Ramped
from safety.spec import load_envelope
from safety.values import Memory, Observation, Proposal, Rung, Signal, Source
from safety.vectorised import accepts
from tests.safety.many import batch_of, envelope_of, situation_of

ROOT = Path(__file__).resolve().parents[1]
RUNS = 4000


def demo() -> tuple[Envelope, Observation, dict[Source, Proposal], Memory]:
    """A usual tick of the demo hall: both sources answer, both are accepted."""
    envelope = load_envelope(ROOT / "deploy" / "sites" / "demo" / "envelope.toml")
    fans = {f"fan_z{zone}_frac": 0.6 for zone in range(1, 5)}
    last = {"supply_air_c": 21.0, **fans, "chws_c": 11.0, "tower_c": 20.0, "chillers_on": 1.0}
    signals = {f"inlet_z{zone}_c": Signal(25.0) for zone in range(1, 5)}
    signals |= {"room_dew_point_c": Signal(10.0), "chws_temp_c": Signal(11.0)}
    signals |= {"chw_flow_kg_s": Signal(14.0), "outdoor_wet_bulb_c": Signal(12.0)}
    observation = Observation("hall", "", 0, signals, applied=last, readback=last)
    proposals = {
        Source.INCUMBENT: Proposal(Source.INCUMBENT, {**last, "supply_air_c": 21.1}),
        Source.CANDIDATE: Proposal(Source.CANDIDATE, {**last, "supply_air_c": 24.0, "fan_z1_frac": 0.45}),
    }
    rules = {**fresh_memory(envelope).rules, "CHILLERS-DWELL": (1e10, 1e10)}
    return envelope, observation, proposals, Memory(last=last, rules=rules)


def quantiles(run: Callable[[], object], count: int = RUNS) -> tuple[float, float]:
    """Median and 99th percentile of a call [us]."""
    for _ in range(200):
        run()
    times = []
    for _ in range(count):
        begin = time.perf_counter_ns()
        run()
        times.append(time.perf_counter_ns() - begin)
    return median(times) / 1e3, sorted(times)[int(count * 0.99)] / 1e3


def large() -> list[tuple[str, float, float]]:
    """The rows of the 150-rule envelope: accept only, full verdict, rule by rule; and the batch, per decision."""
    envelope = envelope_of(7)
    batch = batch_of(envelope, 7, 8192, wild=0.0)
    well = accepts(envelope, Rung.CANDIDATE, batch)
    target, step, now = situation_of(batch, int(well.argmax()) if well.any() else 0, envelope)
    ramped, compiled = Ramped(step), envelope.compiled[Rung.CANDIDATE]
    assert judge_plainly(target, ramped, Rung.CANDIDATE, now, envelope).accepted == bool(well.any())
    begin = time.perf_counter()
    for _ in range(20):
        accepts(envelope, Rung.CANDIDATE, batch)
    each = (time.perf_counter() - begin) / 20 / batch.size * 1e6
    rules, share = len(envelope.command_rules), well.mean()
    return [
        (f"accept only, {rules} rules", *quantiles(lambda: compiled.accepts(target, step, now))),
        ("full verdict, all margins", *quantiles(lambda: judge(target, ramped, Rung.CANDIDATE, now, envelope))),
        ("the same, rule by rule", *quantiles(lambda: judge_plainly(target, ramped, Rung.CANDIDATE, now, envelope))),
        (f"vectorised, each of {batch.size} ({share:.0%} accepted)", each, each),
    ]


def main() -> None:
    envelope, observation, proposals, memory = demo()
    chain = [(0.0, 1.0, 0.5)] * 150
    rows = [(f"bare chain of {len(chain)} comparisons", *quantiles(lambda: bare(chain)))]
    rules = len(envelope.command_rules) + len(envelope.state_rules)
    rows.append(
        (
            f"demo: decide, 2 proposals, {rules} rules",
            *quantiles(
                lambda: decide(
                    observation, proposals, Source.CANDIDATE, envelope, memory, elapsed_us=300_000_000, epoch=1
                )
            ),
        )
    )
    rows += large()
    print(f"{'':44}{'p50 us':>10}{'p99 us':>10}{'ratio':>9}")
    for name, median_us, late_us in rows:
        print(f"{name:44}{median_us:10.2f}{late_us:10.2f}{median_us / rows[0][1]:9.2f}")


def bare(chain: list[tuple[float, float, float]]) -> bool:
    """What no envelope can be faster than: the comparisons alone, in a loop."""
    for low, high, value in chain:  # noqa: SIM110 - a generator would be the slower reference
        if not low <= value <= high:
            return False
    return True


if __name__ == "__main__":
    main()
