"""Best known trajectory with a perfect forecast: descent by L-BFGS-B through the plant, from four starts.

A reference for how much there is to gain, not a bound: the problem is not convex, setpoints change hourly, and the
number of chillers follows the schedules that the starts bring along. Slopes are finite differences.
`python -m simulators.cooling.tools.best_trajectory` prints energy beside trim-and-respond on the same days.
"""

import argparse
import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from simulators.cooling.controllers.incumbents import TrimConfig, limits, trim_and_respond, trim_start
from simulators.cooling.episode import SETTLE_STEPS, Episodes, Floats
from simulators.cooling.physics.outputs import Outputs
from simulators.cooling.physics.params import Params
from simulators.cooling.physics.plant import advance
from simulators.cooling.physics.state import Disturbance, State
from simulators.cooling.world.scenario import WEEK_NODES, Scenario, scenario

BLOCK_STEPS = 12
"""Control steps that share one command: an hour."""
INLET_LIMIT_C = 27.0
MARGIN_K = 0.15
"""How far below the limit inlets begin to cost. [K]"""
PRICE_KW = 40.0
"""Price of an inlet one kelvin above that, half of it for the square. [kW]"""
DIFFERENCE = 1e-5
"""Step of the finite differences, as a share of a setpoint's range. [1]"""


@dataclass(frozen=True, slots=True)
class Reference:
    """Energy over the days compared, one row for each."""

    trim_kwh: Floats
    best_kwh: Floats
    best_inlet_max_c: Floats
    commands: Floats
    """`[hours, days, zones + 4]`."""


def best_trajectory(
    world: Scenario, starts: NDArray[np.int64], hours: int, iterations: int, seed: int = 0
) -> Reference:
    """The best command sequences found for the stretches of the year that begin at `starts` (five-minute nodes)."""
    days, steps = len(starts), hours * BLOCK_STEPS
    trim_commands, trim_kwh = _trim(world, starts, steps, seed)
    units = trim_commands[:, :, -1:].reshape(hours, BLOCK_STEPS, days, 1)
    schedules = [
        units.max(axis=1),
        np.ones((hours, days, 1)),
        1.0 * (units.mean(axis=1) > 1.5) + 1.0,
        units.max(axis=1),
    ]
    first = trim_commands.reshape(hours, BLOCK_STEPS, days, -1).mean(axis=1)
    middle = np.broadcast_to(0.5 * sum(limits(world.zones)), first.shape)
    guesses = [first, first, first, 0.5 * (first + middle)]
    tried = [np.concatenate([g[:, :, :-1], s], axis=2) for g, s in zip(guesses, schedules, strict=True)]
    found = _descend(world, starts, np.concatenate(tried, axis=1), len(tried), iterations, seed)
    return _pick(world, starts, found, len(tried), trim_kwh, seed)


def _trim(world: Scenario, starts: NDArray[np.int64], steps: int, seed: int) -> tuple[Floats, Floats]:
    episodes, config = Episodes(world, seed, len(starts), steps), TrimConfig(zones=world.zones)
    measured = episodes.reset(seed, start=starts)
    memory, commands, kwh = trim_start(measured.setpoints, config), [], np.zeros(len(starts))
    while not episodes.done:
        command, memory = trim_and_respond(measured.signals, memory, config)
        measured = episodes.step(command)
        commands.append(command)
        kwh = kwh + measured.cooling_kwh
    return np.stack(commands), kwh


def _evaluate(
    world: Scenario, starts: NDArray[np.int64], commands: Floats, repeats: int, seed: int
) -> tuple[Floats, Floats]:
    """Energy and hottest inlet of hourly commands `[hours, repeats x days, ..]` on the plant itself."""
    numbers = np.tile(np.arange(len(starts)), repeats)
    episodes = Episodes(world, seed, len(numbers), len(commands) * BLOCK_STEPS, numbers)
    episodes.reset(seed, start=np.tile(starts, repeats))
    kwh, hottest, step = np.zeros(len(numbers)), np.full(len(numbers), -np.inf), 0
    while not episodes.done:
        measured = episodes.step(commands[step // BLOCK_STEPS])
        kwh, hottest = kwh + measured.cooling_kwh, np.maximum(hottest, measured.inlet_max_c.max(axis=1))
        step += 1
    return kwh, hottest


def _pick(
    world: Scenario, starts: NDArray[np.int64], commands: Floats, repeats: int, trim_kwh: Floats, seed: int
) -> Reference:
    kwh, hottest = _evaluate(world, starts, commands, repeats, seed)
    days = len(starts)
    price = (kwh + 1e6 * (hottest > INLET_LIMIT_C)).reshape(repeats, days)
    lanes = price.argmin(axis=0) * days + np.arange(days)
    return Reference(trim_kwh, kwh[lanes], hottest[lanes], commands[:, lanes])


def _descend(
    world: Scenario, starts: NDArray[np.int64], commands: Floats, repeats: int, iterations: int, seed: int
) -> Floats:
    """Commands `[hours, repeats x days, ..]` after a descent from each of them, the chillers as they were."""
    numbers, found = np.tile(np.arange(len(starts)), repeats), commands.copy()
    episodes = Episodes(world, seed, len(numbers), len(commands) * BLOCK_STEPS, numbers)
    episodes.reset(seed, start=np.tile(starts, repeats))
    rows = [episodes.source.row(step + SETTLE_STEPS) for step in range(len(commands) * BLOCK_STEPS)]
    low, high = (each[:-1] for each in limits(world.zones))
    for lane in range(len(numbers)):
        own = slice(lane, lane + 1)
        forecast = Forecast(episodes.state.lanes(own), [row.at((slice(None), own)) for row in rows], episodes.params)
        share = np.clip((commands[:, lane, :-1] - low) / (high - low), 0.0, 1.0)
        best = minimize(
            lambda x, f=forecast, units=commands[:, lane, -1:]: f.cost_and_slopes(x, low, high, units),
            share.ravel(),
            jac=True,
            method="L-BFGS-B",
            bounds=[(0.0, 1.0)] * share.size,
            options={"maxiter": iterations},
        )
        found[:, lane, :-1] = low + (high - low) * best.x.reshape(share.shape)
    return found


@dataclass(frozen=True, slots=True)
class Forecast:
    """One plant of one lane and what it will meet, known in advance."""

    state: State
    rows: list[Disturbance]
    """Of every control step, `[k, 1, ..]`."""
    params: Params

    def cost_and_slopes(self, share: Floats, low: Floats, high: Floats, units: Floats) -> tuple[float, Floats]:
        """Mean cost [kW] of hourly commands, and its slopes by finite differences.

        Each slope is a lane that differs from the first in one setpoint of one hour. It joins at its hour, with the
        state of the first, so that no hour is computed for a lane that does not differ yet.

        Args:
            share: setpoints as shares of their range `low` to `high` `[variables]`, flat `[hours x variables]`.
            low: least setpoints.
            high: greatest setpoints.
            units: chillers on, `[hours, 1]`.
        """
        hours, variables = len(units), len(low)
        commands = np.concatenate([low + (high - low) * share.reshape(hours, variables), units], axis=1)
        moved = np.concatenate([np.diag(DIFFERENCE * (high - low)), np.zeros((variables, 1))], axis=1)
        state, total = self.state, np.zeros(1)
        for hour, command in enumerate(commands):
            state = state.lanes(np.concatenate([np.arange(len(total)), np.zeros(variables, dtype=np.int64)]))
            setpoints = np.tile(command, (len(total) + variables, 1))
            setpoints[len(total) :] += moved
            total = np.concatenate([total, np.full(variables, total[0])])
            for row in self.rows[hour * BLOCK_STEPS : (hour + 1) * BLOCK_STEPS]:
                state, outputs = advance(state, setpoints, row, self.params)
                total = total + _cost(outputs)
        steps = hours * BLOCK_STEPS
        return float(total[0] / steps), (total[1:] - total[0]) / (DIFFERENCE * steps)


def _cost(outputs: Outputs) -> Floats:
    """Mean cooling power [kW] of each lane, with a price on inlets near the limit."""
    o = outputs
    fans, above = np.sum(o["fan_kw"], axis=2), np.maximum(o["inlet_c"] - (INLET_LIMIT_C - MARGIN_K), 0.0)
    power = fans + o["chw_pump_kw"] + o["cw_pump_kw"] + o["chiller_kw"] + o["tower_kw"]
    price = np.sum(above + above * above, axis=2)
    return np.asarray(np.mean(power + PRICE_KW * price, axis=0))


def main(arguments: list[str]) -> str:
    """The comparison of the command line."""
    parser = argparse.ArgumentParser(prog="python -m simulators.cooling.tools.best_trajectory", description=__doc__)
    parser.add_argument("--scenario", default="greensboro-year")
    parser.add_argument("--days", type=int, default=6)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--iterations", type=int, default=40)
    chosen = parser.parse_args(arguments)
    starts = (np.linspace(2, 50, chosen.days).astype(np.int64)) * WEEK_NODES + 288
    found = best_trajectory(scenario(chosen.scenario), starts, chosen.hours, chosen.iterations)
    lines = [f"{'start':>8}{'trim kWh':>10}{'best kWh':>10}{'saved':>8}{'inlet max':>11}"]
    rows = zip(starts, found.trim_kwh, found.best_kwh, found.best_inlet_max_c, strict=True)
    lines += [f"{s:>8}{t:>10.0f}{b:>10.0f}{100 * (1 - b / t):>7.1f}%{i:>11.2f}" for s, t, b, i in rows]
    saved = 1.0 - found.best_kwh.sum() / found.trim_kwh.sum()
    return "\n".join([*lines, f"all days: {100 * saved:.1f} % below trim and respond"])


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]) + "\n")
