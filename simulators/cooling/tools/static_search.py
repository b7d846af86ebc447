"""Best static setpoints: the one command, held all year, that cools for least energy within the inlet limits.

`python -m simulators.cooling.tools.static_search` prints what it finds beside the naive command and trim-and-respond.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from simulators.cooling.controllers.incumbents import TrimConfig, limits, naive_setpoints, trim_and_respond, trim_start
from simulators.cooling.episode import Episodes, Floats
from simulators.cooling.world.scenario import WEEK_NODES, Scenario, scenario
from simulators.cooling.world.signals import setpoint_specs

SOFT_LIMIT_C, HARD_LIMIT_C = 27.0, 32.0
ALLOWED_SOFT_FRAC = 0.001
"""Share of zone-steps a static command may spend between the two limits."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What running commands did, one row for each candidate."""

    cooling_kwh: Floats
    it_kwh: Floats
    parts_kwh: Floats
    """Fans, pumps, chillers, tower; `[candidates, 4]`."""
    inlet_max_c: Floats
    inlet_mean_c: Floats
    above_soft_frac: Floats
    above_hard_frac: Floats

    @property
    def pue(self) -> Floats:
        """IT and cooling over IT; electrical losses and lighting are outside this plant."""
        return 1.0 + self.cooling_kwh / self.it_kwh

    @property
    def score(self) -> Floats:
        """Cooling energy over IT energy, plus a steep price on breaking the limits."""
        soft = np.maximum(self.above_soft_frac - ALLOWED_SOFT_FRAC, 0.0)
        return self.cooling_kwh / self.it_kwh + 20.0 * soft + 1000.0 * self.above_hard_frac


class Windows:
    """The same stretches of the year for every candidate, so that they differ by their commands alone."""

    def __init__(self, world: Scenario, seed: int, count: int, days: float) -> None:
        self.world, self.seed, self.count = world, seed, count
        self.length = int(days * 288)
        weeks = np.linspace(0, 51, count).astype(np.int64)
        self.starts = weeks * WEEK_NODES + (np.arange(count) * 288 * 3) % (7 * 288 - self.length)

    def run(self, candidates: Floats) -> Outcome:
        """Outcome of fixed commands `[candidates, zones + 4]`."""
        command = np.repeat(candidates, self.count, axis=0)
        return self._run(len(candidates), lambda signals: command)

    def run_trim(self, config: TrimConfig) -> Outcome:
        """Outcome of trim-and-respond."""
        episodes_start = np.tile(naive_setpoints(self.world.zones), (self.count, 1))
        memory = trim_start(episodes_start, config)

        def control(signals: Floats) -> Floats:
            nonlocal memory
            command, memory = trim_and_respond(signals, memory, config)
            return command

        return self._run(1, control)

    def _run(self, candidates: int, control: Callable[[Floats], Floats]) -> Outcome:
        lanes = candidates * self.count
        episodes = Episodes(self.world, self.seed, lanes, self.length, np.tile(np.arange(self.count), candidates))
        measured = episodes.reset(self.seed, start=np.tile(self.starts, candidates))
        parts, it_kwh, inlet = np.zeros((lanes, 4)), np.zeros(lanes), np.zeros(lanes)
        hottest, soft, hard, steps = np.full(lanes, -np.inf), np.zeros(lanes), np.zeros(lanes), 0
        while not episodes.done:
            measured = episodes.step(control(measured.signals))
            steps += 1
            parts, it_kwh = parts + measured.parts_kwh, it_kwh + measured.it_kwh
            hottest = np.maximum(hottest, measured.inlet_max_c.max(axis=1))
            inlet = inlet + measured.inlet_max_c.mean(axis=1)
            soft = soft + (measured.inlet_max_c > SOFT_LIMIT_C).mean(axis=1)
            hard = hard + (measured.inlet_max_c > HARD_LIMIT_C).mean(axis=1)

        def over(values: Floats) -> Floats:
            return np.asarray(values.reshape(candidates, self.count, *values.shape[1:]).sum(axis=1))

        share = 1.0 / (steps * self.count)
        return Outcome(
            cooling_kwh=over(parts).sum(axis=1),
            it_kwh=over(it_kwh),
            parts_kwh=over(parts),
            inlet_max_c=hottest.reshape(candidates, self.count).max(axis=1),
            inlet_mean_c=over(inlet) * share,
            above_soft_frac=over(soft) * share,
            above_hard_frac=over(hard) * share,
        )


def best_static(
    windows: Windows, rounds: int = 8, candidates: int = 24, seed: int = 0, chillers: int | None = None
) -> Floats:
    """The best fixed command found, `[zones + 4]`, all fans alike: a random start, then ever narrower search around it.

    With `chillers` it is the best of those that run so many: an envelope may not admit fewer.

    The result is the best of `rounds x candidates` tried, not a proven optimum.
    """
    rng = np.random.default_rng(seed)
    low, high = limits(windows.world.zones)
    best, best_score, width = naive_setpoints(windows.world.zones), np.inf, 0.5
    for round_number in range(rounds):
        tried = _candidates(rng, best, low, high, width if round_number else 2.0, candidates)
        if chillers is not None:
            tried[:, -1] = chillers
        score = windows.run(tried).score
        if score.min() < best_score:
            best, best_score = tried[int(score.argmin())], float(score.min())
        width *= 0.7
    return best


def _candidates(
    rng: np.random.Generator, centre: Floats, low: Floats, high: Floats, width: float, count: int
) -> Floats:
    """Commands around `centre`, all fans alike, the number of chillers whole; the first is `centre` itself."""
    draws = rng.uniform(-1.0, 1.0, (count, len(centre))) * rng.choice([0.0, 1.0], (count, len(centre)), p=[0.4, 0.6])
    draws[:, 2:-3] = draws[:, 1:2]
    draws[0] = 0.0
    tried = np.clip(centre + draws * width * 0.5 * (high - low), low, high)
    tried[:, -1] = np.where(rng.uniform(size=count) < 0.2, 3.0 - np.round(tried[:, -1]), np.round(tried[:, -1]))
    tried[0] = centre
    return np.asarray(tried)


def table(rows: dict[str, Outcome], days: float) -> str:
    """Outcomes over so many plant days as text, one line each."""
    lines = [
        f"{'':<18}{'PUE':>8}{'kWh/day':>10}{'fans':>7}{'pumps':>7}{'chill.':>7}{'tower':>7}"
        f"{'inlet mean':>12}{'max':>7}{'>27 %':>8}{'>32 %':>8}"
    ]
    for name, o in rows.items():
        share = 100.0 * o.parts_kwh[0] / o.cooling_kwh[0]
        lines.append(
            f"{name:<18}{o.pue[0]:>8.4f}{o.cooling_kwh[0] / days:>10.0f}"
            + "".join(f"{each:>6.1f}%" for each in share)
            + f"{o.inlet_mean_c[0]:>12.2f}{o.inlet_max_c[0]:>7.2f}"
            + f"{100 * o.above_soft_frac[0]:>8.3f}{100 * o.above_hard_frac[0]:>8.3f}"
        )
    return "\n".join(lines)


def main(arguments: list[str]) -> str:
    """The table of the command line."""
    parser = argparse.ArgumentParser(prog="python -m simulators.cooling.tools.static_search", description=__doc__)
    parser.add_argument("--scenario", default="greensboro-year")
    parser.add_argument("--windows", type=int, default=26, help="stretches of the year")
    parser.add_argument("--days", type=float, default=2.0, help="length of each")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chillers", type=int, default=None, help="how many run, if that is not to be searched")
    chosen = parser.parse_args(arguments)
    world = scenario(chosen.scenario)
    windows = Windows(world, chosen.seed, chosen.windows, chosen.days)
    best = best_static(windows, chosen.rounds, seed=chosen.seed, chillers=chosen.chillers)
    rows = {
        "naive fixed": windows.run(naive_setpoints(world.zones)[None, :]),
        "best static": windows.run(best[None, :]),
        "trim and respond": windows.run_trim(replace(TrimConfig(), zones=world.zones)),
    }
    names = [spec.name for spec in setpoint_specs(world.zones)]
    found = ", ".join(f"{name} {value:.2f}" for name, value in zip(names, best, strict=True))
    return f"{table(rows, chosen.windows * chosen.days)}\n\nbest static: {found}"


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]) + "\n")
