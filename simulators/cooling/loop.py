"""One sub-step of the water: supply and return main around the chillers, and the tower's basin.

Written for arrays `[n, 1]`. A batch of few runs the same code on Python floats, lane by lane, which gives the same bits
at a part of the cost: a tenth for one lane.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from simulators.cooling.arrays import Array


class LoopConstants(NamedTuple):
    """Constants of the water side, heat capacities over half a sub-step."""

    larger: Callable[[Any, Any], Any]
    smaller: Callable[[Any, Any], Any]
    supply_half: Array
    return_half: Array
    pump_linear: Array
    pump_cubic: Array
    flow_floor: Array
    entering_low: Array
    entering_high: Array
    beyond_range: Array
    part_load0: Array
    part_load1: Array
    part_load2: Array
    part_load_floor: Array
    range_low: Array
    range_high: Array
    least_approach: Array
    zero: Array
    one: Array
    water_economiser: Array | None


class LoopRow(NamedTuple):
    """What setpoints, weather and failures decide for one sub-step; see `water.WaterPath`."""

    chws_setpoint_c: Array
    tower_setpoint_c: Array
    wet_bulb_c: Array
    capacity0: Array
    capacity1: Array
    capacity2: Array
    input_ratio0: Array
    input_ratio1: Array
    input_ratio2: Array
    flow_kw_per_k: Array
    per_flow: Array
    pump_kw: Array
    basin_keep: Array
    basin_take: Array
    full_fan0: Array
    full_fan1: Array
    full_fan2: Array


class Mains(NamedTuple):
    """One sub-step of the water `[n, 1]`, or a row of them `[k, n, 1]`."""

    chws_c: Array
    chwr_c: Array
    flow_kw_per_k: Array
    pump_kw: Array
    load_kw: Array
    chiller_kw: Array
    free_kw: Array


class Condenser(NamedTuple):
    """One sub-step of the condenser water `[n, 1]`, or a row of them `[k, n, 1]`."""

    cws_c: Array
    range_k: Array
    heat_kw: Array
    mid_c: Array
    leaving_c: Array


def advance_mains(
    chws: Array, chwr: Array, cws: Array, arriving_kw: Array, wanted: Array, row: LoopRow, c: LoopConstants
) -> Mains:
    """Supply and return main around the chillers, which hold their leaving temperature unless they run out of capacity.

    First the mains as if the setpoint were held; that gives the load it takes. If this is more than there is, the heat
    that stays in the water is put back through the same closed-form solution.
    """
    setpoint = row.chws_setpoint_c
    flow = c.larger(wanted, c.flow_floor)
    square = flow * flow
    pump_kw = flow * (c.pump_linear + c.pump_cubic * square)
    a, b = c.supply_half + flow, c.return_half + flow
    supply_mid = (c.supply_half * chws + flow * setpoint) / a
    return_mid = (c.return_half * chwr + arriving_kw + pump_kw + flow * supply_mid) / b
    needed = flow * (return_mid - setpoint)

    free = c.zero
    if c.water_economiser is not None:
        exchange = c.water_economiser * c.smaller(flow, row.flow_kw_per_k)
        free = c.larger(c.smaller(exchange * (chwr - cws), needed), c.zero)
        cws = cws + free * row.per_flow
    above = c.larger(cws, c.entering_low)
    entering = c.smaller(above, c.entering_high)
    capacity = _quadratic(row.capacity0, row.capacity1, row.capacity2, entering)
    load = c.smaller(c.larger(needed - free, c.zero), capacity)
    left = (needed - free - load) / (a * b - square)
    supply_mid = supply_mid + left * b
    return_mid = return_mid + left * flow

    ratio = load / capacity
    running = c.larger(ratio, c.part_load_floor)
    full_load = _quadratic(row.input_ratio0, row.input_ratio1, row.input_ratio2, entering) * (
        c.one + c.beyond_range * (above - entering)
    )
    part_load = _quadratic(c.part_load0, c.part_load1, c.part_load2, running)
    return Mains(
        chws_c=supply_mid + (supply_mid - chws),
        chwr_c=return_mid + (return_mid - chwr),
        flow_kw_per_k=flow,
        pump_kw=pump_kw,
        load_kw=load,
        chiller_kw=load * full_load * part_load / running,
        free_kw=free,
    )


def advance_condenser(cws: Array, chiller_heat_kw: Array, row: LoopRow, c: LoopConstants) -> Condenser:
    """Tower basin. The fans, and below their least speed a bypass, hold the setpoint where full fan speed allows it."""
    heat = chiller_heat_kw + row.pump_kw
    rise = heat * row.per_flow
    range_k = c.smaller(c.larger(rise, c.range_low), c.range_high)
    approach = _quadratic(row.full_fan0, row.full_fan1, row.full_fan2, range_k)
    coldest = row.wet_bulb_c + c.larger(approach, c.least_approach)
    leaving = c.smaller(c.larger(coldest, row.tower_setpoint_c), cws + rise)
    middle = row.basin_keep * cws + row.basin_take * leaving
    return Condenser(middle + (middle - cws), range_k, heat, middle, leaving)


def _quadratic(c0: Array, c1: Array, c2: Array, x: Array) -> Array:
    return c0 + x * (c1 + x * c2)
