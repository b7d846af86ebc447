"""Best known trajectory with a perfect forecast: gradient descent through the plant, from many starts.

A reference for how much there is to gain, not a bound: the problem is not convex, setpoints change hourly, and the
number of chillers follows the schedules that the starts bring along. Needs torch; nothing else here does.
`python -m simulators.cooling.tools.best_trajectory` prints energy beside trim-and-respond on the same days.
"""

import argparse
import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.cooling.controllers.incumbents import TrimConfig, limits, trim_and_respond, trim_start
from simulators.cooling.episode import SETTLE_STEPS, Episodes, Floats
from simulators.cooling.physics.constants import prepare
from simulators.cooling.physics.plant import advance
from simulators.cooling.physics.state import Disturbance, State
from simulators.cooling.world.scenario import WEEK_NODES, Scenario, scenario

BLOCK_STEPS = 12
"""Control steps that share one command: an hour."""
SUB_STEP_S = 60.0
INLET_LIMIT_C = 27.0
MARGIN_K = 0.15


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
    import torch

    numbers = np.tile(np.arange(len(starts)), repeats)
    rows, state, ready = _forecast(world, np.tile(starts, repeats), numbers, len(commands), seed)
    low, high = (torch.asarray(each[:-1]) for each in limits(world.zones))
    units = torch.asarray(commands[:, :, -1:])
    share = (torch.asarray(commands[:, :, :-1].copy()) - low) / (high - low)
    free = torch.logit(share.clamp(0.02, 0.98)).requires_grad_(True)
    optimiser = torch.optim.Adam([free], lr=0.1)
    for _ in range(iterations):
        optimiser.zero_grad()
        setpoints = torch.cat([low + (high - low) * torch.sigmoid(free), units], dim=2)
        _cost(setpoints, rows, state, ready).backward()
        optimiser.step()
    final = torch.cat([low + (high - low) * torch.sigmoid(free), units], dim=2)
    return np.asarray(final.detach().numpy())


def _forecast(
    world: Scenario, starts: NDArray[np.int64], numbers: NDArray[np.int64], hours: int, seed: int
) -> tuple[list[Disturbance], State, Any]:
    """Disturbances of every five minutes as tensors, averaged to this search's sub-steps, and the settled state."""
    import torch

    episodes = Episodes(world, seed, len(starts), hours * BLOCK_STEPS, numbers)
    episodes.reset(seed, start=starts)
    ready = prepare(world.params(), SUB_STEP_S, len(starts), like=torch.zeros(1, dtype=torch.float64))
    settled = {name: torch.asarray(value.copy()) for name, value in episodes.state.to_dict().items()}
    settled["in_transit_kw"] = settled["in_transit_kw"][:, -ready.transit_slots :]
    source = episodes.source
    rows = []
    for step in range(hours * BLOCK_STEPS):
        row = source.row(step + SETTLE_STEPS)
        pairs = {name: getattr(row, name) for name in Disturbance.__dataclass_fields__}
        merged = {name: v.reshape(5, 2, *v.shape[1:]).mean(axis=1) for name, v in pairs.items()}
        rows.append(Disturbance(**{name: torch.asarray(v) for name, v in merged.items()}))
    return rows, State(**settled), ready


def _cost(setpoints: Any, rows: list[Disturbance], state: State, ready: Any) -> Any:
    """Mean cooling power [kW] of each lane, summed over lanes, with a price on inlets near the limit."""
    import torch

    cost = torch.zeros((), dtype=torch.float64)
    for step, row in enumerate(rows):
        state, o = advance(state, setpoints[step // BLOCK_STEPS], row, ready)
        power = o.fan_kw.sum(dim=2, keepdim=True) + o.chw_pump_kw + o.cw_pump_kw + o.chiller_kw + o.tower_kw
        above = torch.clamp(o.inlet_c - (INLET_LIMIT_C - MARGIN_K), min=0.0)
        cost = cost + power.mean(dim=0).sum() + 40.0 * (above + above * above).mean(dim=0).sum()
    return cost / len(rows)


def main(arguments: list[str]) -> str:
    """The comparison of the command line."""
    parser = argparse.ArgumentParser(prog="python -m simulators.cooling.tools.best_trajectory", description=__doc__)
    parser.add_argument("--scenario", default="greensboro-year")
    parser.add_argument("--days", type=int, default=6)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--iterations", type=int, default=40)
    chosen = parser.parse_args(arguments)
    starts = (np.linspace(2, 50, chosen.days).astype(np.int64)) * WEEK_NODES + 288
    found = best_trajectory(replace(scenario(chosen.scenario)), starts, chosen.hours, chosen.iterations)
    lines = [f"{'start':>8}{'trim kWh':>10}{'best kWh':>10}{'saved':>8}{'inlet max':>11}"]
    rows = zip(starts, found.trim_kwh, found.best_kwh, found.best_inlet_max_c, strict=True)
    lines += [f"{s:>8}{t:>10.0f}{b:>10.0f}{100 * (1 - b / t):>7.1f}%{i:>11.2f}" for s, t, b, i in rows]
    saved = 1.0 - found.best_kwh.sum() / found.trim_kwh.sum()
    return "\n".join([*lines, f"all days: {100 * saved:.1f} % below trim and respond"])


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]) + "\n")
