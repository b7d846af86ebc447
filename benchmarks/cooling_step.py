"""Speed of the cooling plant on one core: `Env.step`, and control steps a second over batch and zones.

    OMP_NUM_THREADS=1 python -m benchmarks.cooling_step

Times are CPU seconds of the process, the best of some spells, so that a busy machine shows less. A control step is five
plant minutes: ten sub-steps of 30 s, the weather and load between, one reading of all signals and of the meters. The
reference, timed in turn with it, is the same text in plain Python (`Compiled.interpreted`), which gives the same bits.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from simulators.cooling import episode
from simulators.cooling.controllers.incumbents import naive_setpoints
from simulators.cooling.env import CoolingEnv
from simulators.cooling.episode import Episodes
from simulators.cooling.physics.compiled import Compiled
from simulators.cooling.physics.plant import advance_lanes
from simulators.cooling.world import scenario as worlds
from simulators.cooling.world import signals
from simulators.cooling.world.scenario import scenario

SUB_STEPS = 10
ENV_TARGET, BATCH_TARGET = 10_000, 150_000
LOOPS: tuple[Compiled[Any, Any], ...] = (
    advance_lanes,
    signals.read_signals,
    episode.read_meters,
    worlds.between_nodes,
)
"""Everything compiled that a control step calls."""


def rate(work: Callable[[], object], least_s: float = 0.05, repeats: int = 20) -> float:
    """Calls a second, the best of some spells."""
    work()
    best = 0.0
    for _ in range(repeats):
        calls, start = 0, time.process_time()
        while (elapsed := time.process_time() - start) < least_s:
            work()
            calls += 1
        best = max(best, calls / elapsed)
    return best


@contextmanager
def plain_python() -> Iterator[None]:
    """The loops interpreted, for as long as this lasts."""
    kept = [each.machine_code for each in LOOPS]
    for each in LOOPS:
        each.machine_code = each.interpreted
    try:
        yield
    finally:
        for each, code in zip(LOOPS, kept, strict=True):
            each.machine_code = code


def environment() -> Callable[[], object]:
    """One `Env.step` of the default plant under a constant action."""
    env = CoolingEnv("greensboro-year", episode_steps=10**9)
    env.reset(seed=0)
    action = np.zeros(env.action_space.shape, dtype=np.float32)
    return lambda: env.step(action)


def batched(lanes: int, zones: int) -> Callable[[], object]:
    """One control step of a batch."""
    episodes = Episodes(scenario("greensboro-year", zones=zones), 0, lanes, 10**9)
    episodes.reset(0)
    command = np.tile(naive_setpoints(zones), (lanes, 1))
    return lambda: episodes.step(command)


def verdict(found: float, target: float) -> str:
    """Say whether a rate meets its target."""
    return f"{'met' if found >= target else 'not met'} ({target:,.0f}/s)"


def main() -> None:
    """Print the environment's rate and the table of batches."""
    step = environment()
    found = rate(step)
    with plain_python():
        reference = rate(step, 0.1, 3)
    print(f"Env.step {found:,.0f}/s, {verdict(found, ENV_TARGET)}; plain Python {reference:,.0f}/s")
    print(f"{'lanes':>6}{'zones':>7}{'ms/step':>10}{'steps/s':>12}{'M zone sub-steps/s':>20}{'x plain Python':>16}")
    cases = [(lanes, zones) for zones in (4, 8) for lanes in (1, 4, 64, 1024)] + [(1, z) for z in (2, 16, 50, 200)]
    references: dict[int, float] = {}
    for lanes, zones in cases:
        if zones not in references:
            one = batched(1, zones)
            with plain_python():
                references[zones] = rate(one, 0.1, 3)
        calls = rate(batched(lanes, zones))
        steps = calls * lanes
        against = f"  {verdict(steps, BATCH_TARGET)}" if (lanes, zones) == (1024, 4) else ""
        print(
            f"{lanes:>6}{zones:>7}{1e3 / calls:>10.3f}{steps:>12,.0f}{steps * SUB_STEPS * zones / 1e6:>20.2f}"
            f"{steps / references[zones]:>16.1f}{against}"
        )
    print("bound: one lane by a dozen small numpy operations and calls; many by arithmetic of one zone after another")


if __name__ == "__main__":
    main()
