"""Controllers that run plants of this kind today. Pure: signals and memory in, setpoints and memory out, any batch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulators.cooling.world.signals import setpoint_specs, signal_specs

Floats = NDArray[np.float64]
WATER_KJ_PER_KG_K = 4.186


def fixed(signals: Floats, setpoints: Floats) -> Floats:
    """The same setpoints `[zones + 4]` for every lane, whatever is measured."""
    return np.tile(setpoints, (signals.shape[0], 1))


@dataclass(frozen=True, slots=True)
class TrimConfig:
    """Settings of trim-and-respond; rates are per five-minute step."""

    zones: int = 4
    inlet_target_c: float = 24.5
    """Fans hold the hottest inlet of their zone here."""
    inlet_warm_c: float = 26.0
    """A zone warmer than this asks for colder supply air."""
    fan_gain_per_k: float = 0.04
    fan_integral_per_k: float = 0.02
    fan_low_frac: float = 0.4
    fan_busy_frac: float = 0.85
    """A fan above this asks for colder supply air."""
    supply_low_c: float = 18.0
    supply_high_c: float = 22.0
    supply_trim_k: float = 0.1
    supply_respond_k: float = -0.3
    supply_most_k: float = -1.0
    chws_low_c: float = 7.5
    chws_high_c: float = 12.5
    chws_trim_k: float = 0.1
    chws_respond_k: float = -0.3
    chws_most_k: float = -1.0
    valve_open_k: float = 0.4
    """A zone whose supply air is this much above its setpoint has its valve open and asks for colder water."""
    tower_approach_k: float = 4.0
    tower_low_c: float = 15.0
    tower_high_c: float = 27.0
    stage_up_share: float = 0.95
    stage_down_share: float = 0.8
    stage_steps: int = 6
    """Least time between changes in the number of chillers."""
    unit_kw: float = 612.0
    units: int = 2


@dataclass(frozen=True, slots=True)
class TrimMemory:
    """What trim-and-respond remembers."""

    setpoints: Floats
    """The last command, `[n, zones + 4]`."""
    error_k: Floats
    """Last inlet error of each zone, `[n, zones]`."""
    since_stage: Floats
    """Steps since the number of chillers changed, `[n]`."""

    def to_dict(self) -> dict[str, Floats]:
        """The arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def trim_start(applied: Floats, config: TrimConfig) -> TrimMemory:
    """Memory of a controller that finds the plant under the command `applied` `[n, zones + 4]`."""
    lanes = applied.shape[0]
    return TrimMemory(applied * 1.0, np.full((lanes, config.zones), np.nan), np.full(lanes, float(config.stage_steps)))


def track(memory: TrimMemory, applied: Floats) -> TrimMemory:
    """Memory after another controller drove: continues from the command in force, so taking over moves nothing by itself."""
    changed = applied[:, -1] != memory.setpoints[:, -1]
    since = np.where(changed, 0.0, memory.since_stage + 1.0)
    return replace(memory, setpoints=applied * 1.0, error_k=np.full_like(memory.error_k, np.nan), since_stage=since)


def trim_and_respond(signals: Floats, memory: TrimMemory, config: TrimConfig) -> tuple[Floats, TrimMemory]:
    """One five-minute step of control in the manner of ASHRAE Guideline 36: reset by trim and respond.

    Supply air and chilled water drift warmer ("trim") while no zone asks for more, and step colder in proportion to the
    requests of zones that do ("respond"). Fans hold each zone's hottest inlet by a velocity-form PI loop, which cannot
    wind up. The tower follows wet bulb plus an approach. Chillers are staged by load with a least time between stages.

    Args:
        signals: `[n, m]` in the order of `signal_specs`.
        memory: from the step before, `trim_start` or `track`.
        config: settings.
    """
    seen = dict(zip(_names(config.zones), signals.T, strict=True))
    last, before = list(memory.setpoints.T), list(memory.error_k.T)
    command, error, since = trim_law(seen, last, before, memory.since_stage, config, ARRAYS)
    setpoints = np.stack(command, axis=1)
    return setpoints, TrimMemory(setpoints, np.stack(error, axis=1), since)


class Numbers(NamedTuple):
    """The few operations that floats and arrays spell differently."""

    larger: Callable[[Any, Any], Any]
    smaller: Callable[[Any, Any], Any]
    choose: Callable[[Any, Any, Any], Any]

    def between(self, value: Any, low: float, high: float) -> Any:
        return self.smaller(self.larger(value, low), high)


ARRAYS = Numbers(np.maximum, np.minimum, np.where)
FLOATS = Numbers(max, min, lambda condition, yes, no: yes if condition else no)


def trim_law(
    seen: Mapping[str, Any], last: Sequence[Any], before: Sequence[Any], since: Any, c: TrimConfig, do: Numbers
) -> tuple[list[Any], list[Any], Any]:
    """`trim_and_respond` on one number, or one array over lanes, for each signal, setpoint and zone.

    Args:
        seen: signals by name.
        last: the last command, in the order of `setpoint_specs`.
        before: last inlet error of each zone, NaN where there was none.
        since: steps since the number of chillers changed.
        c: settings.
        do: `FLOATS` or `ARRAYS`. Both give the same bits.

    Returns:
        The command, the inlet errors and the steps since the number of chillers changed.
    """
    zones = range(1, c.zones + 1)
    inlet, fans = [seen[f"inlet_z{z}_c"] for z in zones], last[1 : 1 + c.zones]
    error = [each - c.inlet_target_c for each in inlet]
    old = [
        do.choose(each != each, now, each) for each, now in zip(before, error, strict=True)
    ]  # NaN differs from itself
    moved = [
        do.between(fan + c.fan_gain_per_k * (e - b) + c.fan_integral_per_k * e, c.fan_low_frac, 1.0)
        for fan, e, b in zip(fans, error, old, strict=True)
    ]

    asks = [
        1.0 * (warm > c.inlet_warm_c) + (warm > c.inlet_warm_c + 1.0) + (fan > c.fan_busy_frac)
        for warm, fan in zip(inlet, fans, strict=True)
    ]
    supply = _reset(last[0], sum(asks), c.supply_trim_k, c.supply_respond_k, c.supply_most_k, do)

    short = [seen[f"supply_z{z}_c"] - last[0] for z in zones]
    thirsty = [1.0 * (each > c.valve_open_k) + (each > 2.5 * c.valve_open_k) for each in short]
    chws = _reset(last[1 + c.zones], sum(thirsty), c.chws_trim_k, c.chws_respond_k, c.chws_most_k, do)

    units, since = _stage(seen, last, since, c, do)
    command = [
        do.between(supply, c.supply_low_c, c.supply_high_c),
        *moved,
        do.between(chws, c.chws_low_c, c.chws_high_c),
        do.between(seen["outdoor_wet_bulb_c"] + c.tower_approach_k, c.tower_low_c, c.tower_high_c),
        units,
    ]
    return command, error, since


def _reset(value: Any, requests: Any, trim: float, respond: float, most: float, do: Numbers) -> Any:
    """Trim-and-respond: one step warmer without requests, else colder by their number, at most `most`."""
    return value + do.choose(requests > 0, do.larger(respond * requests, most), trim)


def _stage(seen: Mapping[str, Any], last: Sequence[Any], since: Any, c: TrimConfig, do: Numbers) -> tuple[Any, Any]:
    """Chillers to run, and steps since that changed."""
    units, chws = last[-1], seen["chws_temp_c"]
    load_kw = seen["chw_flow_kg_s"] * WATER_KJ_PER_KG_K * (seen["chwr_temp_c"] - chws)
    warm = chws > last[1 + c.zones] + 1.0
    more = (load_kw > c.stage_up_share * c.unit_kw * units) | warm
    fewer = (load_kw < c.stage_down_share * c.unit_kw * (units - 1.0)) & (more ^ True)
    free = since >= c.stage_steps
    wanted = do.between(units + 1.0 * (free & more) - 1.0 * (free & fewer), 1.0, float(c.units))
    return wanted, do.choose(wanted != units, 0.0, since + 1.0)


@cache
def _names(zones: int) -> tuple[str, ...]:
    return tuple(spec.name for spec in signal_specs(zones))


NAIVE = {"supply_air_c": 18.0, "fan": 0.9, "chws_c": 7.5, "tower_c": 20.0, "chillers_on": 2.0}
"""How plants are often left running: cold and fast, both chillers on."""


def naive_setpoints(zones: int) -> Floats:
    """The naive fixed command `[zones + 4]`."""
    n = NAIVE
    return np.array([n["supply_air_c"], *[n["fan"]] * zones, n["chws_c"], n["tower_c"], n["chillers_on"]])


def limits(zones: int) -> tuple[Floats, Floats]:
    """Least and greatest setpoints, `[zones + 4]` each."""
    specs = setpoint_specs(zones)
    return np.array([s.low for s in specs]), np.array([s.high for s in specs])
