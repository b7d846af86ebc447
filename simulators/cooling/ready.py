"""Constants of one run, computed once from the parameters and the sub-step."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simulators.cooling.arrays import Array, Namespace, array_namespace
from simulators.cooling.coil import LOW_FLOW
from simulators.cooling.curves import YORKCALC
from simulators.cooling.loop import BasinConstants, MainsConstants
from simulators.cooling.params import Params

SUB_STEP_S = 30.0
"""Sub-step the plant is tuned and tested for. [s]"""


@dataclass(frozen=True, slots=True)
class Ready:
    """What `advance` needs, shaped `[lanes, zones]` or `[lanes, 1]`, heat capacities already over half a sub-step."""

    xp: Namespace
    params: Params
    dt_s: float
    zones: int
    total: Callable[[Array], Array]
    """Sum over zones, in their order. [n, zones] -> [n, 1]"""
    few: bool
    """Whether the batch is so small that its water side runs faster on floats, lane by lane."""
    loops: tuple[tuple[MainsConstants, BasinConstants], ...]
    """One for each part that `split` makes."""
    transit_slots: int
    lag_keep: Array
    """Of fans and supply air, `[2, lanes, zones]`."""
    lag_mean: Array
    it_flow_base: Array
    it_flow_slope: Array
    air_rated: Array
    per_water_rated: Array
    air_half: Array
    rack_share: Array
    rack_pull: Array
    rack_heat: Array
    hot_before: Array
    """`[3, lanes, zones]`, as the next two: what the weights of `air.ZoneWeights` have in common in all sub-steps."""
    rack_kept: Array
    rack_heated: Array
    coil_water_frac: Array
    """The two water flows between which coils work, `[2, 1, 1, 1]`."""
    envelope: Array
    mixing: Array
    it_slope: Array | None
    basin_half: Array
    start_step: Array
    min_on: Array
    min_off: Array
    fan_standby: Array
    fan_cubic: Array
    draught: Array
    least_coil: Array
    chiller_kw: Array
    cw_unit: Array
    tiny: Array
    still_water: Array
    free_convection: Array
    largest_ratio: Array
    york: tuple[Array, Array, Array]
    moisture_step: Array
    warmest_surface: Array
    wet_bulb_low: Array
    wet_bulb_high: Array
    small_approach: Array
    leaving_low: Array
    leaving_high: Array
    no_outdoor_air: Array
    air_economiser: bool
    zero: Array
    small_k: Array


FEW = 8
"""Lanes up to which floats are faster. An array operation costs about as much as it does on a dozen floats."""

BEYOND_RANGE_PER_K = 0.03
"""Extra chiller input for each kelvin of condenser water above the published curve. [1/K] Without it, heat beyond the
end of the curve would be free. About the slope of the Carnot input ratio at that lift, rounded down."""


def prepare(params: Params, dt_s: float = SUB_STEP_S, lanes: int = 1, like: Array | None = None) -> Ready:
    """Constants for `lanes` plants advanced by `dt_s` [s]; `like` is any array of the kind to compute with."""
    if dt_s <= 0:
        raise ValueError(f"`dt_s` is {dt_s}; a sub-step is longer than 0 s")
    ready = _prepare(params, dt_s, lanes)
    if like is None or isinstance(like, np.ndarray):
        return replace(ready, few=True, loops=_on_floats(ready.loops[0], lanes)) if lanes <= FEW else ready
    return _moved(ready, like)


def _prepare(p: Params, dt_s: float, lanes: int) -> Ready:
    def zone(value: Array) -> Array:
        return np.ascontiguousarray(np.broadcast_to(np.asarray(value, dtype=np.float64), (lanes, p.zones)))

    def lane(value: Array | float) -> Array:
        return np.ascontiguousarray(np.broadcast_to(np.asarray(value, dtype=np.float64), (lanes, 1)))

    it_air = p.it_design_kw / p.it_design_delta_k
    air_half, rack_half = 2.0 * p.air_kj_per_k / dt_s, 2.0 * p.rack_kj_per_k / dt_s
    rack_heat = 1.0 / (rack_half + p.rack_kw_per_k)
    share = p.rack_kw_per_k / (rack_half + p.rack_kw_per_k)
    lags_s = p.fan_lag_s, p.supply_lag_s
    york = np.array(YORKCALC).reshape(9, 3)
    return Ready(
        xp=np,
        params=p,
        dt_s=dt_s,
        zones=p.zones,
        total=_numpy_total,
        few=False,
        loops=(_loop_constants(p, dt_s, lane),),
        transit_slots=max(1, round(p.chw_delay_s / dt_s)),
        lag_keep=np.stack([zone(np.exp(-dt_s / lag_s)) for lag_s in lags_s]),
        lag_mean=np.stack([zone(-np.expm1(-dt_s / lag_s) * lag_s / dt_s) for lag_s in lags_s]),
        it_flow_base=zone(p.it_idle_flow_frac * it_air),
        it_flow_slope=zone((1.0 - p.it_idle_flow_frac) / p.it_design_delta_k),
        air_rated=zone(p.fan_flow_ratio * it_air),
        per_water_rated=zone(p.coil_capacity_ratio / (p.fan_flow_ratio * it_air)),
        air_half=zone(air_half),
        rack_share=zone(share),
        rack_pull=zone(share * rack_half),
        rack_heat=zone(rack_heat),
        hot_before=np.stack([zone(1.0), zone(0.0), zone(0.0)]),
        rack_kept=np.stack([zone(0.0), zone(2.0 * rack_half * rack_heat - 1.0), zone(0.0)]),
        rack_heated=np.stack([zone(0.0), zone(2.0 * rack_heat), zone(0.0)]),
        coil_water_frac=np.array([1.0, LOW_FLOW]).reshape(2, 1, 1, 1),
        envelope=zone(p.envelope_kw_per_k),
        mixing=zone(p.mixing_kw_per_k)[:, 1:].copy(),
        it_slope=zone(p.it_power_slope_frac_per_k) if np.any(np.asarray(p.it_power_slope_frac_per_k)) else None,
        basin_half=lane(2.0 * p.basin_kj_per_k / dt_s),
        start_step=lane(dt_s / p.chiller_start_s),
        min_on=lane(p.chiller_min_on_s),
        min_off=lane(p.chiller_min_off_s),
        fan_standby=zone(p.fan_rated_kw * p.fan_standby_frac),
        fan_cubic=zone(p.fan_rated_kw * (1.0 - p.fan_standby_frac)),
        draught=zone(0.01),
        least_coil=zone(0.02),
        chiller_kw=lane(p.chiller_scale * p.chiller.reference_kw),
        cw_unit=lane(p.cw_unit_kw_per_k),
        tiny=lane(1e-6),
        still_water=lane(0.05),
        free_convection=lane(0.125),
        largest_ratio=lane(8.0),
        york=(york[:, 0].copy(), york[:, 1].copy(), york[:, 2].copy()),
        moisture_step=lane(-np.expm1(-dt_s * p.room_air_changes_per_h / 3600.0)),
        warmest_surface=lane(40.0),
        wet_bulb_low=lane(-34.4),
        wet_bulb_high=lane(26.67),
        small_approach=lane(1e-3),
        leaving_low=lane(p.chiller.leaving_range_c[0]),
        leaving_high=lane(p.chiller.leaving_range_c[1]),
        no_outdoor_air=zone(0.0),
        air_economiser=bool(np.any(np.asarray(p.air_economiser_frac))),
        zero=lane(0.0),
        small_k=zone(0.5),
    )


def _loop_constants(
    p: Params, dt_s: float, lane: Callable[[Array | float], Array]
) -> tuple[MainsConstants, BasinConstants]:
    c = p.chiller
    static, design = p.chw_pump_static_frac, p.chw_design_kw_per_k
    mains = MainsConstants(
        larger=np.maximum,
        smaller=np.minimum,
        supply_half=lane(2.0 * p.chw_supply_kj_per_k / dt_s),
        return_half=lane(2.0 * p.chw_return_kj_per_k / dt_s),
        pump_linear=lane(p.chw_pump_rated_kw * static / design),
        pump_cubic=lane(p.chw_pump_rated_kw * (1.0 - static) / design**3),
        flow_floor=lane(p.chw_min_flow_frac * design),
        entering_low=lane(c.entering_range_c[0]),
        entering_high=lane(c.entering_range_c[1]),
        beyond_range=lane(BEYOND_RANGE_PER_K),
        part_load0=lane(c.part_load[0]),
        part_load1=lane(c.part_load[1]),
        part_load2=lane(c.part_load[2]),
        part_load_floor=lane(c.part_load_range[0]),
        zero=lane(0.0),
        water_economiser=lane(p.water_economiser_frac) if np.any(np.asarray(p.water_economiser_frac)) else None,
    )
    basin = BasinConstants(np.maximum, np.minimum, lane(1.11), lane(22.2), lane(0.1))
    return mains, basin


def _on_floats(
    loop: tuple[MainsConstants, BasinConstants], lanes: int
) -> tuple[tuple[MainsConstants, BasinConstants], ...]:
    """The constants of each lane, as floats."""

    def plain(constants: Any, lane: int) -> Any:
        arrays = {name: each for name, each in constants._asdict().items() if isinstance(each, np.ndarray)}
        floats = {name: each[lane, 0].item() for name, each in arrays.items()}
        return constants._replace(**floats, larger=max, smaller=min)

    return tuple((plain(loop[0], lane), plain(loop[1], lane)) for lane in range(lanes))


def split(value: Array, ready: Ready) -> list[Any]:
    """A plant value `[n, 1]` as floats, one for each lane, where these are few; else all of it in one."""
    return value.ravel().tolist() if ready.few else [value]


def _numpy_total(zone_values: Array) -> Array:
    return np.add.reduce(zone_values, axis=-1, keepdims=True)


def _moved(ready: Ready, like: Array) -> Ready:
    """The same constants as arrays of `like`'s library, type and device."""
    xp = array_namespace(like)

    def move(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return xp.asarray(value.copy(), dtype=like.dtype, device=like.device)
        if isinstance(value, tuple):
            return tuple(move(each) for each in value)
        return value

    params = replace(ready.params, **{n: move(getattr(ready.params, n)) for n in Params.__dataclass_fields__})
    functions = {"larger": xp.maximum, "smaller": xp.minimum}
    loop = tuple(
        each._replace(**({name: move(value) for name, value in each._asdict().items()} | functions))
        for each in ready.loops[0]
    )
    moved = {name: move(getattr(ready, name)) for name in Ready.__dataclass_fields__}

    def total(zone_values: Array) -> Array:
        return xp.sum(zone_values, axis=-1, keepdims=True)

    return Ready(**{**moved, "xp": xp, "params": params, "total": total, "loops": (loop,)})
