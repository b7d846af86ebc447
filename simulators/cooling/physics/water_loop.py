"""One sub-step of the water: supply and return main around the chillers, and the tower's basin.

Written for arrays `[n, 1]`. A batch of few runs the same code on Python floats, lane by lane, which gives the same bits
at a part of the cost. Rows and constants are unpacked and results are plain tuples because every attribute looked up
would cost as much as an addition.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from simulators.cooling.physics.arrays import Array


class MainsConstants(NamedTuple):
    """Constants of the mains and chillers, heat capacities over half a sub-step."""

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
    zero: Array
    water_economiser: Array | None


class BasinConstants(NamedTuple):
    """Constants of the tower and its basin."""

    larger: Callable[[Any, Any], Any]
    smaller: Callable[[Any, Any], Any]
    range_low: Array
    range_high: Array
    least_approach: Array


class Mains(NamedTuple):
    """One sub-step of the mains `[n, 1]`, or a row of them `[k, n, 1]`."""

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


MAINS_ROW = (
    "chws_setpoint_c", "capacity0", "capacity1", "capacity2", "input_ratio0", "input_ratio1", "input_ratio2",
    "flow_kw_per_k", "per_flow",
)  # fmt: skip
"""What setpoints, weather and failures decide of the mains for one sub-step: fields of `water.WaterPath`, in order."""

BASIN_ROW = (
    "tower_setpoint_c", "wet_bulb_c", "pump_kw", "per_flow", "basin_keep", "basin_take",
    "full_fan0", "full_fan1", "full_fan2",
)  # fmt: skip
"""The same of the basin."""


def advance_mains(
    chws: Array, chwr: Array, cws: Array, arriving_kw: Array, wanted: Array, row: list[Any], constants: MainsConstants
) -> tuple[Array, ...]:
    """Supply and return main around the chillers, which hold their leaving temperature unless they run out of capacity.

    First the mains as if the setpoint were held; that gives the load it takes. If this is more than there is, the heat
    that stays in the water is put back through the same closed-form solution. Returns the fields of `Mains`.
    """
    setpoint, capacity0, capacity1, capacity2, input0, input1, input2, cw_flow, per_cw_flow = row
    (larger, smaller, supply_half, return_half, pump_linear, pump_cubic, flow_floor, entering_low, entering_high,
     beyond_range, part_load0, part_load1, part_load2, part_load_floor, zero, economiser) = constants  # fmt: skip
    flow = larger(wanted, flow_floor)
    square = flow * flow
    pump_kw = flow * (pump_linear + pump_cubic * square)
    a, b = supply_half + flow, return_half + flow
    supply_mid = (supply_half * chws + flow * setpoint) / a
    return_mid = (return_half * chwr + arriving_kw + pump_kw + flow * supply_mid) / b
    needed = flow * (return_mid - setpoint)

    free = zero
    if economiser is not None:
        exchange = economiser * smaller(flow, cw_flow)
        free = larger(smaller(exchange * (chwr - cws), needed), zero)
        cws = cws + free * per_cw_flow
    above = larger(cws, entering_low)
    entering = smaller(above, entering_high)
    capacity = capacity0 + entering * (capacity1 + entering * capacity2)
    load = smaller(larger(needed - free, zero), capacity)
    left = (needed - free - load) / (a * b - square)
    supply_mid = supply_mid + left * b
    return_mid = return_mid + left * flow

    running = larger(load / capacity, part_load_floor)
    full_load = (input0 + entering * (input1 + entering * input2)) * (1.0 + beyond_range * (above - entering))
    part_load = part_load0 + running * (part_load1 + running * part_load2)
    chiller_kw = load * full_load * part_load / running
    return (
        supply_mid + (supply_mid - chws), return_mid + (return_mid - chwr), flow, pump_kw, load, chiller_kw, free
    )  # fmt: skip


def advance_condenser(
    cws: Array, chiller_heat_kw: Array, row: list[Any], constants: BasinConstants
) -> tuple[Array, ...]:
    """Tower basin. The fans, and below their least speed a bypass, hold the setpoint where full fan speed allows it.

    Returns the fields of `Condenser`.
    """
    setpoint, wet_bulb, pump_kw, per_flow, basin_keep, basin_take, fan0, fan1, fan2 = row
    larger, smaller, range_low, range_high, least_approach = constants
    heat = chiller_heat_kw + pump_kw
    rise = heat * per_flow
    range_k = smaller(larger(rise, range_low), range_high)
    coldest = wet_bulb + larger(fan0 + range_k * (fan1 + range_k * fan2), least_approach)
    leaving = smaller(larger(coldest, setpoint), cws + rise)
    middle = basin_keep * cws + basin_take * leaving
    return middle + (middle - cws), range_k, heat, middle, leaving
