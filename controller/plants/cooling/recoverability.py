"""Is what the `recoverability` rules accept recoverable? The hall is swept with the worst commands the envelope lets through.

    python -m controller.plants.cooling.recoverability docs/reference

From many settled starts a candidate moves every setpoint the warm way as fast as slew and dwell permit. It is removed when
a rule first refuses, but only two control periods after the last tick on which it was still accepted: the incumbent is
late by as much as the rule's horizon says. From then on the incumbent drives, judged by the same envelope. Once with the
recoverability rules, once with nothing but the inlet trips.

`worst_rise` finds the rule's rate from the plant's own parameters; docs/reference/cooling.md has their sources. It is the
lowest plane in IT load and fan speed that is above every rise past the limit within the horizon.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from controller.learning.batched_ramp import Limits, limits_of
from controller.loop.pilot import Pilot
from controller.plants.cooling.incumbent import TrimAndRespond, follow
from controller.plants.cooling.steady_state_sim import SETTLE_TICKS, Starts, StillHall
from safety.envelope import Envelope, fresh_memory
from safety.forms.vectorised import Batch, accepts
from safety.inputs import managed
from safety.loading.spec import load_envelope
from safety.rules.command_rules import Interlock
from safety.rules.state_rules import Recoverability, Trip
from safety.values import Memory, Observation, Rung, Setpoints, Signal, Source
from simulators.cooling.controllers.incumbents import TrimConfig, trim_and_respond, trim_start
from simulators.cooling.world.redundant_sensors import sensors_of, tripled
from simulators.cooling.world.signals import setpoint_specs, signal_specs

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
ENVELOPE = Path("deploy/sites/demo/envelope.toml")
ZONES = 4
LATE_TICKS = 2
WORST_TICKS, RESCUE_TICKS = 18, 8
CORNERS = ((1, 1, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (0, 1, 0))
"""Supply air up, fans down, one chiller off: the worst of each, and some of them. Water and tower always go up."""


@dataclass(frozen=True, slots=True)
class Swept:
    """The result of a sweep, per lane [n]: zone load, whether its start counted, inlets at the take-over and at their worst."""

    it_kw: Floats
    counted: Flags
    taken_c: Floats
    worst_c: Floats


def sweep(envelope: Envelope, starts: Starts, *, with_rules: bool) -> Swept:
    """Worst commands until the rules remove the candidate, two periods more, then the incumbent. Zone maxima. [C]"""
    hall, limits = StillHall(starts, ZONES, copies=len(CORNERS)), limits_of(envelope)
    lanes, rules = len(hall.it_kw), _rules(envelope, with_rules)
    staging = _staging(envelope)
    counted = _accepts(hall, envelope, rules) & ~_too_few(hall, hall.setpoints, staging)
    refused_at = np.full(lanes, WORST_TICKS + 1)
    taken, worst = np.full(lanes, np.nan), np.max(hall.inlet_c, axis=1)
    drivers: dict[int, _Incumbent] = {}
    for tick in range(WORST_TICKS + LATE_TICKS + RESCUE_TICKS):
        if tick:
            refused_at = np.where((refused_at > tick) & ~_accepts(hall, envelope, rules), tick, refused_at)
        # The last accepted tick is the one before; its command and one more are still the candidate's.
        rescued = (tick >= refused_at - 1 + LATE_TICKS) | (tick >= WORST_TICKS + LATE_TICKS)
        step = _warmer(hall, limits, staging)
        signals = hall.signals
        for lane in np.flatnonzero(rescued & counted).tolist():
            if lane not in drivers:
                drivers[lane], taken[lane] = _Incumbent(envelope, hall.setpoints[lane]), np.max(hall.inlet_c[lane])
            step[lane] = drivers[lane].step(signals[lane])
        hall.step(step)
        worst = np.maximum(worst, np.max(hall.inlet_c, axis=1))
    return Swept(hall.it_kw, counted, taken, worst)


def passing_rises(envelope: Envelope, starts: Starts, high: float) -> Floats:
    """Load [kW], fan speed, inlet [C] and the warmest inlet within the horizon [C] of zones that pass `high` in it, [m, 4]."""
    hall, limits = StillHall(starts, ZONES, copies=len(CORNERS)), limits_of(envelope)
    staging, seen = _staging(envelope), []
    for _ in range(WORST_TICKS):
        seen.append((hall.inlet_c, hall.fan_frac))
        hall.step(_warmer(hall, limits, staging))
    seen.append((hall.inlet_c, hall.fan_frac))
    rows = np.concatenate(
        [
            np.stack([hall.it_kw, fan[:, 0], now[:, 0], np.maximum(one[:, 0], two[:, 0])], axis=1)
            for (now, fan), (one, _), (two, _) in zip(seen, seen[1:], seen[2:], strict=False)
        ]
    )
    return rows[(rows[:, 2] < high) & (rows[:, 3] > high)]


def worst_rise(envelope: Envelope, starts: Starts, high: float) -> tuple[float, float, float]:
    """Constant [K], per kW of zone load [K/kW] and per share of fan speed [K] of the worst rise in the horizon to `high` [C].

    The lowest plane, where the incumbent usually holds the hall, over all rises that pass `high`. Nor is it below nothing
    where there is least of it, so that no limit is ever wider than the rule's own.
    """
    it_kw, fan, now_c, _ = passing_rises(envelope, starts, high).T
    above = np.stack([np.ones(len(it_kw)), it_kw, -fan], axis=1)
    rows, rises = np.vstack([above, [1.0, min(starts.it_kw), -1.0]]), np.append(high - now_c, 0.0)
    usual = _usual_points(envelope)
    found = linprog(usual.mean(axis=0), A_ub=-rows, b_ub=-rises, bounds=[(None, None)] * 3)
    constant, per_kw, per_fan = found.x
    return float(constant), float(per_kw), float(-per_fan)


def _usual_points(envelope: Envelope) -> Floats:
    """[1, load, -fan speed] where the incumbent holds the hall after some hours."""
    hall, limits, config = (
        StillHall(Starts(fan_frac=(0.7,), supply_c=(20.0,), water=((11.0, 2.0),)), ZONES),
        limits_of(envelope),
        TrimConfig(zones=ZONES),
    )
    memory, since = trim_start(hall.setpoints, config), np.full(hall.setpoints.shape, 100.0)
    for _ in range(3 * SETTLE_TICKS):
        wanted, memory = trim_and_respond(hall.signals, memory, config)
        hall.step(limits.ramp(wanted, hall.setpoints, since))
        memory = follow(memory, hall.setpoints)
    return np.stack([np.ones(len(hall.it_kw)), hall.it_kw, -np.mean(hall.fan_frac, axis=1)], axis=1)


def _staging(envelope: Envelope) -> Envelope:
    """The envelope's interlocks on how many chillers are on, alone."""
    rules = tuple(r for r in envelope.command_rules if isinstance(r, Interlock) and r.setpoint == "chillers_on")
    return replace(envelope, command_rules=rules)


def _too_few(hall: StillHall, setpoints: Floats, staging: Envelope) -> Flags:
    """Whether the interlocks refuse the chillers in `setpoints` [n, k], per lane."""
    commanded = dict(zip(_SETPOINTS, setpoints.T, strict=True))
    signals = dict(zip(_SIGNALS, hall.signals.T, strict=True))
    return ~accepts(staging, Rung.CANDIDATE, Batch(commanded, commanded, signals, np.full(len(setpoints), 300.0)))


def _warmer(hall: StillHall, limits: Limits, staging: Envelope) -> Floats:
    """The next setpoints [n, k] on the way to the warm end of every bound, each lane by its corner; what would be refused
    for want of a chiller keeps both."""
    corners = np.tile(np.array(CORNERS, dtype=bool), (len(hall.setpoints) // len(CORNERS), 1))
    target, last = hall.setpoints.copy(), hall.setpoints
    target[:, 0] = np.where(corners[:, 0], limits.high[0], last[:, 0])
    fans = slice(1, 1 + ZONES)
    target[:, fans] = np.where(corners[:, 1:2], limits.low[fans], last[:, fans])
    target[:, 1 + ZONES : 3 + ZONES] = limits.high[1 + ZONES : 3 + ZONES]
    target[:, -1] = np.where(corners[:, 2], limits.low[-1], last[:, -1])
    target[:, -1] = np.where(_too_few(hall, target, staging), limits.high[-1], target[:, -1])
    return limits.ramp(target, last, np.full(last.shape, np.inf))


def _rules(envelope: Envelope, with_rules: bool) -> list[Recoverability | Trip]:
    kinds = (Recoverability, Trip) if with_rules else (Trip,)
    return [rule for rule in envelope.state_rules if isinstance(rule, kinds) and rule.signal.startswith("inlet_")]


def _accepts(hall: StillHall, envelope: Envelope, rules: Sequence[Recoverability | Trip]) -> Flags:
    """Whether none of the rules removes the candidate, per lane."""
    accepted = []
    for row in hall.signals:
        seen = Observation(envelope.plant, "", 0, _sensed(row))
        view, _ = managed(seen, envelope.inputs, {}, 0)
        accepted.append(all(rule.margin(view, (float("inf"),) * len(rule.fresh())) >= 0 for rule in rules))
    return np.array(accepted)


class _Incumbent:
    """Trim-and-respond in one lane, which finds the plant as the candidate left it and is judged by the envelope."""

    def __init__(self, envelope: Envelope, left: Floats) -> None:
        self._pilot = Pilot(envelope, TrimAndRespond(ZONES))
        self._memory: Memory = replace(fresh_memory(envelope), last=_named(left), rung=Rung.CANDIDATE)
        self._incumbent = self._pilot.incumbent.fresh

    def step(self, signals: Floats) -> Floats:
        """The setpoints [k] of the next five minutes."""
        envelope, last = self._pilot.envelope, self._memory.last
        reported = Observation(envelope.plant, "", 0, _sensed(signals), last, last)
        managed = self._pilot.manage(reported, self._memory, elapsed_us=envelope.period_us)
        flown = self._pilot.fly(managed, self._incumbent, assigned=Source.INCUMBENT)
        self._memory, self._incumbent = flown.ruling.memory, flown.incumbent
        return np.array([flown.ruling.command.setpoints[name] for name in _SETPOINTS])


_SETPOINTS = tuple(spec.name for spec in setpoint_specs(ZONES))
_SIGNALS = tuple(spec.name for spec in signal_specs(ZONES))


def _named(row: Floats) -> Setpoints:
    return dict(zip(_SETPOINTS, row.tolist(), strict=True))


def _sensed(row: Floats) -> dict[str, Signal]:
    """The signals of a lane, with three sensors of one mind."""
    seen = dict(zip(_SIGNALS, map(Signal, row.tolist()), strict=True))
    return seen | {sensor: seen[name] for name in tripled(ZONES) for sensor in sensors_of(name)}


def table(without: Swept, with_rules: Swept, high: float) -> list[str]:
    """Markdown lines, one for each load."""
    lines = [
        "| IT load of a zone | rules | starts | inlet at the take-over, at most | worst inlet | lanes above the limit |",
        "|---|---|---|---|---|---|",
    ]
    for load in np.unique(without.it_kw):
        for name, swept in (("trips alone", without), ("with recoverability", with_rules)):
            mine = (swept.it_kw == load) & swept.counted
            above = int(np.sum(swept.worst_c[mine] > high))
            lines.append(
                f"| {load:.0f} kW | {name} | {mine.sum()} | {np.nanmax(swept.taken_c[mine]):.2f} C "
                f"| {np.max(swept.worst_c[mine]):.2f} C | {above} |"
            )
    return lines


def page(envelope: Envelope, starts: Starts) -> str:
    """`docs/reference/recoverability.md`."""
    rule = next(rule for rule in envelope.state_rules if isinstance(rule, Recoverability))
    hard = 32.0
    constant, per_kw, per_fan = worst_rise(envelope, starts, hard)
    horizon_s, lanes = rule.horizon_us / 1e6, len(starts.lanes()) * len(CORNERS)
    lines = [
        "# Recoverability, measured",
        "",
        "Generated by `python -m controller.plants.cooling.recoverability docs/reference`; do not edit. What it says and",
        "does not say is in [explanation/recoverability.md](../explanation/recoverability.md).",
        "",
        f"* Envelope `{envelope.digest[:12]}`, hard limit {hard:g} C, horizon {horizon_s:g} s, {lanes} lanes.",
        f"* Rise within the horizon found by the sweep: {constant:.3f} + {per_kw:.4f} K/kW x load {per_fan:+.3f} K x fan speed.",
        f"* Rise in the envelope: {_rise(rule, horizon_s)}; the limit in it is {rule.high:g} C.",
        "",
        *table(sweep(envelope, starts, with_rules=False), sweep(envelope, starts, with_rules=True), hard),
    ]
    return "\n".join(lines) + "\n"


def _rise(rule: Recoverability, horizon_s: float) -> str:
    terms = [f"{coefficient * horizon_s:+.4f} x `{name}`" for name, coefficient in rule.rise.terms]
    return " ".join([f"{rule.rise.constant * horizon_s:.3f} K", *terms])


def main(argv: list[str] | None = None) -> None:
    """Sweep, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m controller.plants.cooling.recoverability")
    parser.add_argument("out", type=Path, help="folder of `recoverability.md`")
    parser.add_argument("--envelope", type=Path, default=ENVELOPE)
    chosen = parser.parse_args(argv)
    (chosen.out / "recoverability.md").write_text(page(load_envelope(chosen.envelope), Starts()), encoding="utf-8")


if __name__ == "__main__":
    main()
