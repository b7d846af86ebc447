"""A hot-water tank as a plant: one heater, one temperature, and people who draw water when they like.

    C dT/dt = P - D - U (T - T_room)

All that a package needs to bring a plant is here: the plant behind `ports.Plant`, its incumbent behind
`ports.Incumbent`, its settings, and `KIND`, which the entry point `understudy.plants` names.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import exp
from typing import Any

import numpy as np

from controller.errors import SettingsError, StateError
from controller.plants.registry import BuiltPlant, PlantContext, PlantKind
from controller.ports import Outcome, OutcomeSpec, Quantity
from controller.settings import Number, StrictModel
from safety.command_lease import Standing, in_force, taken
from safety.values import Command, Observation, Proposal, Receipt, Rung, Setpoints, Signal, Source, Status

CAPACITY_KWH_K = 2.33  # two cubic metres of water
LOSS_KW_K = 0.05
ROOM_C = 18.0
DRAW_STEP_US = 300_000_000


@dataclass(frozen=True, slots=True)
class Tank:
    """The state: time, temperature, what was used so far, and what `outcome` has reported of it."""

    now_us: int
    tank_c: float
    energy_kwh: float = 0.0
    breach_s: float = 0.0
    draw_kwh: float = 0.0
    reported: tuple[int, float, float, float] = (0, 0.0, 0.0, 0.0)


class TankSettings(StrictModel):
    """The table `[plant.warm_tank]`: below `low_c` [C] is a breach; the tank's own thermostat heats with `local_kw` [kW]."""

    low_c: Number
    local_kw: Number


class WarmTank:
    """Implements `ports.Plant`. Without a command in force its own thermostat heats with `local_kw`."""

    simulated = True
    outcome_spec = OutcomeSpec(
        cost=Quantity("energy", "kWh", "Energy of the heater"),
        covariates=(Quantity("draw_kwh", "kWh", "Hot water drawn"),),
    )

    def __init__(self, context: PlantContext, settings: TankSettings) -> None:
        self.low_c, self.local_kw = settings.low_c, settings.local_kw
        if context.envelope.names != {"heater_kw"}:
            raise SettingsError("envelope.toml and the plant disagree: a tank has the one setpoint `heater_kw`")
        self.name, self.seed = context.site.settings.plant.name, context.seed
        self.period_us, self.file = context.envelope.period_us, context.state / "tank.json"
        start_us = context.site.start_us
        self.tank, self._standing = Tank(start_us, 52.0, reported=(start_us, 0.0, 0.0, 0.0)), Standing()
        if self.file.exists():
            self._load(json.loads(self.file.read_text()))

    def observe(self) -> Observation:
        """The tank's thermometer and meter; a command that has run out is not in force."""
        signals = {"tank_c": Signal(self.tank.tank_c), "draw_kw": Signal(self._draw_kw(self.tank.now_us))}
        applied = in_force(self._standing, self.tank.now_us)
        return Observation(self.name, "", self.tank.now_us, signals, applied, {"heater_kw": self._heater_kw()})

    def apply(self, command: Command, *, decision: str) -> Receipt:
        """Take a command, or refuse that of a lower epoch."""
        detail = ""
        try:
            self._standing = taken(self._standing, command, self.tank.now_us)
        except ValueError as error:
            detail = str(error)
        seen = self.observe()
        return Receipt(decision, seen.applied, seen.readback, seen.taken_at, accepted=not detail, detail=detail)

    def advance(self, until_us: int) -> None:
        """Live on, in steps in which neither draw nor command changes; keep the state at the end of each period."""
        while self.tank.now_us < until_us:
            now_us = self.tank.now_us
            ends = [
                until_us,
                now_us - now_us % DRAW_STEP_US + DRAW_STEP_US,
                now_us - now_us % self.period_us + self.period_us,
            ]
            if in_force(self._standing, now_us) is not None and self._standing.command is not None:
                ends.append(self._standing.since_us + self._standing.command.valid_for_us)
            self._step(min(ends))
            if self.tank.now_us % self.period_us == 0:
                self._save()

    def outcome(self) -> Outcome:
        """Energy and cold water since this was last asked; the draw is the people's doing, not the heater's."""
        tank, (since_us, energy, breach, draw) = self.tank, self.tank.reported
        self.tank = replace(tank, reported=(tank.now_us, tank.energy_kwh, tank.breach_s, tank.draw_kwh))
        circumstances = {"draw_kwh": tank.draw_kwh - draw}
        return Outcome(since_us, tank.now_us, tank.energy_kwh - energy, {}, circumstances, tank.breach_s - breach)

    def lanes(self) -> dict[str, dict[str, float]]:
        """Cost and breaches so far; the tank has no twins."""
        return {"cost": {"applied": self.tank.energy_kwh}, "breach_s": {"applied": self.tank.breach_s}}

    def _heater_kw(self) -> float:
        setpoints = in_force(self._standing, self.tank.now_us)
        return self.local_kw if setpoints is None else setpoints["heater_kw"]

    def _draw_kw(self, at_us: int) -> float:
        """Hot water drawn [kW]: by the hour of the day, and by a chance that belongs to seed and time alone."""
        hour = at_us // 3_600_000_000 % 24
        busy = 16.0 if hour in (6, 7, 8, 18, 19, 20) else 5.0
        chance = np.random.Generator(np.random.Philox(key=self.seed, counter=at_us // DRAW_STEP_US))
        return busy * float(chance.uniform(0.5, 1.5))

    def _step(self, until_us: int) -> None:
        """The exact solution while heater and draw are constant."""
        tank, heater_kw = self.tank, self._heater_kw()
        draw_kw, hours = self._draw_kw(tank.now_us), (until_us - tank.now_us) / 3.6e9
        rest_c = ROOM_C + (heater_kw - draw_kw) / LOSS_KW_K
        after_c = rest_c + (tank.tank_c - rest_c) * exp(-LOSS_KW_K * hours / CAPACITY_KWH_K)
        self.tank = replace(
            tank,
            now_us=until_us,
            tank_c=after_c,
            energy_kwh=tank.energy_kwh + heater_kw * hours,
            breach_s=tank.breach_s + (hours * 3600.0 if after_c < self.low_c else 0.0),
            draw_kwh=tank.draw_kwh + draw_kw * hours,
        )

    def _save(self) -> None:
        """Replace the file as a whole; Python writes a float so that it reads the same bits."""
        standing = self._standing
        body = {
            "seed": self.seed,
            "tank": asdict(self.tank),
            "epoch": standing.highest_epoch,
            "since_us": standing.since_us,
        }
        if standing.command is not None:
            command = standing.command
            body["command"] = [dict(command.setpoints), command.rung.value, command.valid_for_us, command.epoch]
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(body))
        os.replace(fresh, self.file)

    def _load(self, body: dict[str, Any]) -> None:
        if body["seed"] != self.seed:
            raise StateError(
                f"the saved tank is of seed {body['seed']}, this run of {self.seed}: name another state directory"
            )
        self.tank = Tank(**{**body["tank"], "reported": tuple(body["tank"]["reported"])})
        setpoints, rung, valid_for_us, epoch = body.get("command", [{}, Rung.RELINQUISH.value, 0, 0])
        self._standing = Standing(Command(setpoints, Rung(rung), valid_for_us, epoch), body["since_us"], body["epoch"])


class Thermostat:
    """The incumbent: heat in proportion to what is missing from 55 C. It remembers what it asked last."""

    fresh: Mapping[str, Any] = {"asked_kw": 8.0}

    def propose(self, observation: Observation, memory: Mapping[str, Any]) -> tuple[Proposal, Mapping[str, Any]]:
        signal = observation.signals.get("tank_c")
        if signal is None or not signal.good:
            return Proposal(Source.INCUMBENT, {"heater_kw": memory["asked_kw"]}, Status.OK, "blind"), memory
        target_kw = min(max(8.0 + 4.0 * (55.0 - signal.value), 0.0), 40.0)
        return Proposal(Source.INCUMBENT, {"heater_kw": target_kw}), {"asked_kw": target_kw}

    def track(self, memory: Mapping[str, Any], applied: Setpoints) -> Mapping[str, Any]:
        return {"asked_kw": applied["heater_kw"]}


def build(context: PlantContext, settings: TankSettings) -> BuiltPlant:
    """The plant with its incumbent, and what is measured of it."""
    tank = WarmTank(context, settings)
    return BuiltPlant(tank, Thermostat(), tank.lanes)


KIND = PlantKind(TankSettings, ("thermostat",), build)

__all__ = ["KIND", "Tank", "TankSettings", "Thermostat", "WarmTank", "build"]
