"""Speed of the cooling plant on one core: control steps a second over batch and zones, against a plain Python plant.

    OMP_NUM_THREADS=1 python benchmarks/cooling_step.py

Times are CPU seconds of the process, so that a busy machine shows less. A control step is five plant minutes: ten
sub-steps of 30 s and one reading of all signals. The reference does the zone balance of this plant (fans,
recirculation, coil, air, racks) one float at a time, without chillers, tower or weather: less work than the batched
plant does, so the ratios are conservative.
"""

import math
import time
from collections.abc import Callable

import numpy as np

from simulators.cooling.controllers.incumbents import naive_setpoints
from simulators.cooling.episode import Episodes
from simulators.cooling.world.scenario import scenario

SUB_STEPS = 10


def rate(work: Callable[[], object], least_s: float = 0.5, repeats: int = 3) -> float:
    """Calls a second, the best of some repeats."""
    work()
    best = 0.0
    for _ in range(repeats):
        calls, start = 0, time.process_time()
        while (elapsed := time.process_time() - start) < least_s:
            work()
            calls += 1
        best = max(best, calls / elapsed)
    return best


def batched(lanes: int, zones: int) -> float:
    """Batched control steps a second, all lanes counting as one."""
    world = scenario("greensboro-year", zones=zones)
    episodes = Episodes(world, 0, lanes, 10**9)
    episodes.reset(0)
    command = np.tile(naive_setpoints(zones), (lanes, 1))
    return rate(lambda: episodes.step(command))


def plain(zones: int) -> float:
    """Control steps a second of one plant's zones in plain Python."""
    hot, rack = [30.0] * zones, [34.0] * zones

    def control_step() -> None:
        for _ in range(SUB_STEPS):
            for z in range(zones):
                hot[z], rack[z] = _plain_zone(hot[z], rack[z], 160.0, 0.7, 20.0, 10.0)

    return rate(control_step)


def _plain_zone(hot: float, rack: float, it_kw: float, fan: float, supply: float, chws: float) -> tuple[float, float]:
    air, it_air = fan * 27.1, 8.33 + it_kw * 0.05
    short, width = it_air - air, 0.3 * it_air
    back = 0.03 * it_air + 0.5 * (short + math.sqrt(short * short + width * width))
    share = back / (air + back)
    units = 1.4 / (0.7 * fan**0.2 + 0.3 * fan)
    decay = math.exp(-units * (1.0 - 0.48 * fan))
    effectiveness = (1.0 - decay) / (1.0 - 0.48 * fan * decay)
    supply = min(max(supply, hot - effectiveness * max(hot - chws, 0.5)), hot)
    pull, half_air, half_rack = 0.0291 * 666.7, 240.0, 666.7
    heat = half_air * hot + (air - pull * (1 - share)) * supply + pull * rack + 0.0291 * it_kw + 13.0 * fan**3
    middle = heat / (half_air + air + pull * share)
    inlet = supply + share * (middle - supply)
    rack_middle = (half_rack * rack + 20.0 * inlet + it_kw) / (half_rack + 20.0)
    return 2.0 * middle - hot, 2.0 * rack_middle - rack


def main() -> None:
    """Print both tables."""
    print(f"{'lanes':>6}{'zones':>7}{'ms/step':>10}{'steps/s':>12}{'M zone sub-steps/s':>20}{'x plain Python':>16}")
    reference = {zones: plain(zones) for zones in (2, 4, 8, 16, 50, 200)}
    cases = [(lanes, zones) for zones in (4, 8) for lanes in (1, 4, 64, 1024)] + [(1, z) for z in (2, 16, 50, 200)]
    for lanes, zones in cases + [(64, z) for z in (2, 16, 50, 200)]:
        calls = batched(lanes, zones)
        steps = calls * lanes
        print(
            f"{lanes:>6}{zones:>7}{1e3 / calls:>10.3f}{steps:>12,.0f}{steps * SUB_STEPS * zones / 1e6:>20.2f}"
            f"{steps / reference[zones]:>16.1f}"
        )
    print("bound: one lane by the cost of calling numpy (about half a microsecond an operation); a thousand by memory")


if __name__ == "__main__":
    main()
