"""Controllers that run plants of this kind today. Pure: signals and memory in, setpoints and memory out, any batch."""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from simulators.cooling.sensing import setpoint_specs, signal_specs

Floats = NDArray[np.float64]
WATER_KJ_PER_KG_K = 4.186


def fixed(signals: Floats, setpoints: Floats) -> Floats:
    """The same setpoints `[zones + 4]` for every lane, whatever is measured."""
    return np.tile(setpoints, (signals.shape[0], 1))


@dataclass(frozen=True, slots=True)
class TrimConfig:
    """Settings of trim-and-respond; rates are per five-minute step."""

    zones: int = 4
    inlet_target_c: float = 25.0
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
    """Memory after somebody else drove: continues from the command in force, so taking over moves nothing by itself."""
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
    c, zones, last = config, config.zones, memory.setpoints
    read = _Reader(signals, zones)
    inlet, supply, fans_before = read.zones("inlet_z{}_c"), read.zones("supply_z{}_c"), last[:, 1 : 1 + zones]
    error = inlet - c.inlet_target_c
    before = np.where(np.isnan(memory.error_k), error, memory.error_k)
    fans = fans_before + c.fan_gain_per_k * (error - before) + c.fan_integral_per_k * error

    asks = (
        (inlet > c.inlet_warm_c).astype(np.float64) + (inlet > c.inlet_warm_c + 1.0) + (fans_before > c.fan_busy_frac)
    )
    supply_c = _reset(last[:, 0], asks, c.supply_trim_k, c.supply_respond_k, c.supply_most_k)

    short = supply - last[:, 0:1]
    thirsty = (short > c.valve_open_k).astype(np.float64) + (short > 2.5 * c.valve_open_k)
    chws = _reset(last[:, 1 + zones], thirsty, c.chws_trim_k, c.chws_respond_k, c.chws_most_k)

    units, since = _stage(read, last, memory.since_stage, c)
    command = np.empty_like(last)
    command[:, 0] = _between(supply_c, c.supply_low_c, c.supply_high_c)
    command[:, 1 : 1 + zones] = _between(fans, c.fan_low_frac, 1.0)
    command[:, 1 + zones] = _between(chws, c.chws_low_c, c.chws_high_c)
    tower = read("outdoor_wet_bulb_c") + c.tower_approach_k
    command[:, 2 + zones] = _between(tower, c.tower_low_c, c.tower_high_c)
    command[:, 3 + zones] = units
    return command, TrimMemory(command, error, since)


def _between(value: Floats, low: float, high: float) -> Floats:
    """As `clip`, at a third of its cost for a few numbers."""
    return np.minimum(np.maximum(value, low), high)


def _reset(value: Floats, requests: Floats, trim: float, respond: float, most: float) -> Floats:
    """Trim-and-respond: one step warmer without requests, else colder by their number, at most `most`."""
    total = np.add.reduce(requests, axis=1)
    return np.asarray(value + np.where(total > 0, np.maximum(respond * total, most), trim))


def _stage(read: "_Reader", last: Floats, since: Floats, c: TrimConfig) -> tuple[Floats, Floats]:
    """Chillers to run, and steps since that changed."""
    zones, units, chws = c.zones, last[:, -1], read("chws_temp_c")
    load_kw = read("chw_flow_kg_s") * WATER_KJ_PER_KG_K * (read("chwr_temp_c") - chws)
    warm = chws > last[:, 1 + zones] + 1.0
    more = (load_kw > c.stage_up_share * c.unit_kw * units) | warm
    fewer = (load_kw < c.stage_down_share * c.unit_kw * (units - 1.0)) & ~more
    free = since >= c.stage_steps
    wanted = _between(units + 1.0 * (free & more) - (free & fewer), 1.0, c.units)
    return wanted, np.where(wanted != units, 0.0, since + 1.0)


class _Reader:
    """Columns of a signal array by name."""

    def __init__(self, signals: Floats, zones: int) -> None:
        self._signals, self._count = signals, zones
        self._column = _columns(zones)

    def __call__(self, name: str) -> Floats:
        return self._signals[:, self._column[name]]

    def zones(self, pattern: str) -> Floats:
        first = self._column[pattern.format(1)]
        return self._signals[:, first : first + self._count]


_COLUMNS: dict[int, dict[str, int]] = {}


def _columns(zones: int) -> dict[str, int]:
    if zones not in _COLUMNS:
        _COLUMNS[zones] = {spec.name: i for i, spec in enumerate(signal_specs(zones))}
    return _COLUMNS[zones]


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
