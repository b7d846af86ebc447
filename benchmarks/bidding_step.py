"""Speed of the bidding step on one core: impressions per second, and cost against the number of campaigns.

    OMP_NUM_THREADS=1 python benchmarks/bidding_step.py

"offered" counts every bid request. "simulated" counts those drawn one by one. The rest could not be won below the bid
cap and are drawn as one Poisson count per campaign and tick, which is exact. The reference is the same tick
written as a loop over impressions in plain Python, in this run. Both by processor time, so that what else runs on the
machine counts little.
"""

import random
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from simulators.bidding.physics.state import initial
from simulators.bidding.physics.step import step
from simulators.bidding.world.build import build
from simulators.bidding.world.scenario import resized, scenario
from simulators.bidding.world.streams import streams
from simulators.bidding.world.traffic import draw, impressions

TICK = 24


def best_of(run: Callable[[], object], repeats: int) -> float:
    """The shortest of some timings [s]; the first call is not timed."""
    run()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def plain_loop(n: int) -> float:
    """Seconds per impression of a loop: draw price and value, bid, win, pay, click."""
    rng = random.Random(0)
    spent, budget, clicks = 0, 10**9, 0
    start = time.process_time()
    for _ in range(n):
        z = rng.gauss(0.0, 1.0)
        value = 8e-5 * 2.718281828 ** (0.4 * (0.45 * z + 0.893 * rng.gauss(0.0, 1.0)))
        price = int(rng.gammavariate(1.8, 380.0))
        bid = min(int(1.2e7 * value), 3000)
        if bid >= price and spent + bid <= budget:
            spent += price
            clicks += rng.random() < value * 10
    return (time.process_time() - start) / n


def measure(campaigns: int, lanes: int, per_day: float, repeats: int) -> tuple[float, float, float, float]:
    """Seconds of a tick, impressions offered and simulated in it, and the share of time that is drawing."""
    noise = streams(1, lanes, "mixed")
    params = build(resized(scenario("mixed"), per_day), noise, campaigns)
    state = replace(initial(params), tick=TICK)
    ones = np.ones(params.shape)
    _, outputs = step(state, ones, params, noise)
    seconds = best_of(lambda: step(state, ones, params, noise), repeats)
    drawing = best_of(lambda: [impressions(d, params, TICK).lift.size for d in draw(noise, params, TICK)], repeats)
    return seconds, float(outputs.impressions.sum()), float(outputs.simulated.sum()), drawing / seconds


def main() -> None:
    """Print both tables."""
    loop = plain_loop(200_000)
    print(f"plain Python loop: {1 / loop / 1e6:.2f} M impressions/s\n")
    print("lanes  campaigns  imps/day  ms/tick  offered M/s  simulated M/s  over the loop  drawing")
    for lanes, campaigns, per_day in ((64, 1, 2e4), (64, 1, 2e5), (1, 9, 2e5), (16, 9, 2e5), (1, 100, 5e5)):
        seconds, offered, simulated, drawing = measure(campaigns, lanes, per_day, 5)
        print(
            f"{lanes:5d}  {campaigns:9d}  {per_day:8.0f}  {seconds * 1e3:7.2f}  {offered / seconds / 1e6:11.1f}  "
            f"{simulated / seconds / 1e6:13.1f}  {simulated / seconds * loop:12.1f}x  {drawing:7.0%}"
        )
    print("\ncampaigns in one lane  us per campaign and tick (20,000 impressions a day each)")
    for campaigns in (1, 10, 100, 1000, 10_000):
        seconds, *_ = measure(campaigns, 1, 2e4, 3)
        print(f"{campaigns:21d}  {seconds / campaigns * 1e6:8.1f}")


if __name__ == "__main__":
    main()
