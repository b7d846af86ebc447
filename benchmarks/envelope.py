"""What judging costs: one decision with the demo envelope, beside a bare chain of Python comparisons in the same run.

python -m benchmarks.envelope
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from safety.decide import decide
from safety.envelope import Envelope, fresh_memory
from safety.spec import load_envelope
from safety.values import Memory, Observation, Proposal, Signal, Source

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


def main() -> None:
    envelope, observation, proposals, memory = demo()
    limits = [(rule.low, rule.high) for rule in envelope.command_rules if hasattr(rule, "low")]
    chain = [(0.0, 1.0, 0.5)] * len(limits)
    bare = quantiles(lambda: all(low <= value <= high for low, high, value in chain))
    whole = quantiles(
        lambda: decide(observation, proposals, Source.CANDIDATE, envelope, memory, elapsed_us=300_000_000, epoch=1)
    )
    print(f"{'':44}{'p50 us':>10}{'p99 us':>10}{'ratio':>9}")
    print(f"{f'bare chain of {len(chain)} comparisons':44}{bare[0]:10.2f}{bare[1]:10.2f}{1.0:9.1f}")
    rules = len(envelope.command_rules) + len(envelope.state_rules)
    print(f"{f'decide, 2 proposals, {rules} rules':44}{whole[0]:10.2f}{whole[1]:10.2f}{whole[0] / bare[0]:9.1f}")


if __name__ == "__main__":
    main()
