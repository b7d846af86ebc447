"""Constants of one run, computed once from the parameters and the sub-step."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from simulators.cooling.physics.arrays import Array, Namespace, array_namespace
from simulators.cooling.physics.coil import LOW_FLOW
from simulators.cooling.physics.curves import YORKCALC
from simulators.cooling.physics.params import Params
from simulators.cooling.physics.water_loop import BasinConstants, MainsConstants
from simulators.cooling.physics.zones import ZoneConstants

SUB_STEP_S = 30.0
"""Sub-step the plant is tuned and tested for. [s]"""


class Part(NamedTuple):
    """What the march needs of all lanes, or of one."""

    zones: tuple[ZoneConstants, ...]
    """One for each zone on floats, or one for all in an array."""
    loops: tuple[tuple[MainsConstants, BasinConstants], ...]
    """One for each lane on floats, or one for all in an array."""
    mix: Callable[[Sequence[Any]], list[Any]]
    """Heat that mixing with the next zones brings to each [kW]; what one gains another loses."""
    total: Callable[[Sequence[Any]], list[Any]]
    """Sums over zones, one for each of `loops`."""
    joined: Callable[[Sequence[Any]], Any]
    """What each of `loops` has, to be computed with the zones."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What `advance` needs, shaped `[lanes, zones]` or `[lanes, 1]`, heat capacities already over half a sub-step."""

    xp: Namespace
    params: Params
    dt_s: float
    zones: int
    total: Callable[[Array], Array]
    """Sum over zones, in their order. [n, zones] -> [n, 1]"""
    parts: tuple[Part, ...]
    """Those that the march goes through one after another: all lanes at once, or each lane."""
    water_apart: bool
    """Whether the water of each lane is on floats."""
    zones_apart: bool
    """Whether zones are too; then each lane is a part of its own."""
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


FEW_LANES, FEW_ZONES = 8, 8
"""Lanes up to which water, and zones in all lanes up to which zones too, are faster on floats. An array operation costs
about as much as it does on a dozen floats."""

BEYOND_RANGE_PER_K = 0.03
"""Extra chiller input for each kelvin of condenser water above the published curve. [1/K] Without it, heat beyond the
end of the curve would be free. About the slope of the Carnot input ratio at that lift, rounded down."""


def prepare(params: Params, dt_s: float = SUB_STEP_S, lanes: int = 1, like: Array | None = None) -> Ready:
    """Constants for `lanes` plants advanced by `dt_s` [s]; `like` is any array of the kind to compute with."""
    if dt_s <= 0:
        raise ValueError(f"`dt_s` is {dt_s}; a sub-step is longer than 0 s")
    ready = _prepare(params, dt_s, lanes)
    if like is not None and not isinstance(like, np.ndarray):
        return _moved(ready, like)
    if lanes > FEW_LANES:
        return ready
    whole = ready.parts[0]
    loops = tuple((_floats(whole.loops[0][0], lane), _floats(whole.loops[0][1], lane)) for lane in range(lanes))
    if lanes * params.zones <= FEW_ZONES and params.zones < ORDERED_ZONES:
        parts = tuple(_lane_part(ready, lane, loops[lane : lane + 1]) for lane in range(lanes))
        return replace(ready, parts=parts, water_apart=True, zones_apart=True)
    parts = (whole._replace(loops=loops, total=_split_total(ready), joined=_column),)
    return replace(ready, parts=parts, water_apart=True)


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
    ready = Ready(
        xp=np,
        params=p,
        dt_s=dt_s,
        zones=p.zones,
        total=_total(np, p.zones),
        parts=(),
        water_apart=False,
        zones_apart=False,
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
    slope = ready.it_slope
    zones = ZoneConstants(
        np.maximum, np.minimum, np.sqrt, ready.air_half, ready.rack_share, ready.rack_pull,
        zone(rack_half * rack_heat), ready.rack_heat, ready.small_k, ready.no_outdoor_air, slope,
    )  # fmt: skip
    return replace(ready, parts=(_array_part(zones, _loop_constants(p, dt_s, lane), ready),))


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


def _array_part(zones: ZoneConstants, loop: tuple[MainsConstants, BasinConstants], ready: Ready) -> Part:
    """All lanes at once."""
    xp, mixing, zero, total = ready.xp, ready.mixing, ready.zero, ready.total

    def mix(hot: Sequence[Array]) -> list[Array]:
        flow = (hot[0][:, 1:] - hot[0][:, :-1]) * mixing
        edges = xp.concat([zero, flow, zero], axis=1)
        return [edges[:, 1:] - edges[:, :-1]]

    return Part((zones,), (loop,), mix, lambda zone_values: [total(zone_values[0])], lambda values: values[0])


def _lane_part(ready: Ready, lane: int, loops: tuple[tuple[MainsConstants, BasinConstants], ...]) -> Part:
    """One lane, all of it on floats."""
    zones = tuple(_floats(ready.parts[0].zones[0], lane, zone) for zone in range(ready.zones))
    return Part(zones, loops, _mixed_floats(ready.mixing[lane].tolist()), _total_floats, lambda values: values[0])


def _floats(constants: Any, lane: int, zone: int = 0) -> Any:
    arrays = {name: each for name, each in constants._asdict().items() if isinstance(each, np.ndarray)}
    functions = {"larger": max, "smaller": min} | ({"root": math.sqrt} if isinstance(constants, ZoneConstants) else {})
    return constants._replace(**{name: each[lane, zone].item() for name, each in arrays.items()}, **functions)


def _mixed_floats(mixing: list[float]) -> Callable[[Sequence[float]], list[float]]:
    def mix(hot: Sequence[float]) -> list[float]:
        flow = [0.0, *[(b - a) * m for a, b, m in zip(hot, hot[1:], mixing, strict=False)], 0.0]
        return [b - a for a, b in pairwise(flow)]

    return mix


def _split_total(ready: "Ready") -> Callable[[Sequence[Array]], list[float]]:
    def ordered(zone_values: Sequence[Array]) -> list[float]:
        return [_total_floats(lane)[0] for lane in zone_values[0].tolist()]

    def reduced(zone_values: Sequence[Array]) -> list[float]:
        sums: list[float] = ready.total(zone_values[0]).ravel().tolist()
        return sums

    return ordered if ready.zones < ORDERED_ZONES else reduced


def _column(values: Sequence[float]) -> Array:
    return np.array(values)[:, None]


ORDERED_ZONES = 8
"""Zones from which a sum is the library's own; fewer are added in their order, on floats and arrays alike."""


def _total(xp: Namespace, zones: int) -> Callable[[Array], Array]:
    if zones >= ORDERED_ZONES:
        return _numpy_total if xp is np else lambda zone_values: xp.sum(zone_values, axis=-1, keepdims=True)

    def total(zone_values: Array) -> Array:
        whole = zone_values[..., 0:1]
        for zone in range(1, zones):
            whole = whole + zone_values[..., zone : zone + 1]
        return whole

    return total


def _total_floats(zone_values: Sequence[float]) -> list[float]:
    whole, *others = zone_values
    for each in others:
        whole = whole + each
    return [whole]


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

    def moved(constants: Any, **more: Any) -> Any:
        return constants._replace(**({n: move(v) for n, v in constants._asdict().items()} | functions | more))

    whole = ready.parts[0]
    values = {name: move(getattr(ready, name)) for name in Ready.__dataclass_fields__ if name != "parts"}
    there = Ready(**{**values, "xp": xp, "params": params, "total": _total(xp, ready.zones), "parts": ()})
    mains, basin = whole.loops[0]
    part = _array_part(moved(whole.zones[0], root=xp.sqrt), (moved(mains), moved(basin)), there)
    return replace(there, parts=(part,))
