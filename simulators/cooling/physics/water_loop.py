"""Chilled water of one plant: supply and return main around the chillers, and the pump."""

from typing import NamedTuple

from simulators.cooling.physics.chiller import capacity_kw, power_per_load
from simulators.cooling.physics.compiled import scalar
from simulators.cooling.physics.params import PlantParams

WATER_KJ_PER_KG_K = 4.186
"""Specific heat of water. [kJ/(kg K)] Textbook."""


class MainsStep(NamedTuple):
    """The mains at the end of a sub-step, and what flowed on the way."""

    chws_c: float
    """Supply main, end of the sub-step. [C]"""
    chwr_c: float
    """Return main, end of the sub-step. [C]"""
    flow_kw_per_k: float
    """Heat capacity rate of the flow. [kW/K]"""
    pump_kw: float
    """Pump power, all of which heats the water. [kW]"""
    load_kw: float
    """Heat that chillers take out. [kW]"""
    free_kw: float
    """Heat that the tower water takes out directly. [kW]"""
    chiller_kw: float
    """Chiller power. [kW]"""


@scalar
def pump_power(p: PlantParams, flow_kw_per_k: float) -> float:
    """Power of the chilled water pump [kW]: a part of its head is held constant, the rest follows flow squared."""
    flow_frac, static = flow_kw_per_k / p.chw_design_kw_per_k, p.chw_pump_static_frac
    return p.chw_pump_rated_kw * flow_frac * (static + (1.0 - static) * flow_frac * flow_frac)


@scalar
def mains_step(
    p: PlantParams, chws_c: float, chwr_c: float, cws_c: float, arriving_kw: float, wanted_kw_per_k: float,
    setpoint_c: float, at_load: float, cw_kw_per_k: float, dt_s: float,
) -> MainsStep:  # fmt: skip
    """Supply and return main after `dt_s` around chillers that hold their leaving temperature unless they run out.

    First the mains as if the setpoint were held, by the implicit midpoint rule in closed form; that gives the load it
    takes. If this is more than there is, the heat that stays in the water is put through the same solution. Coils want
    `wanted_kw_per_k` of water and their heat `arriving_kw` [kW] reaches the return main. Condenser water at `cws_c`
    flows at `cw_kw_per_k`; with an economiser it first takes what it can from the return main.
    """
    flow = max(wanted_kw_per_k, p.chw_min_flow_frac * p.chw_design_kw_per_k)
    pump_kw = pump_power(p, flow)
    supply_half, return_half = 2.0 * p.chw_supply_kj_per_k / dt_s, 2.0 * p.chw_return_kj_per_k / dt_s
    a, b = supply_half + flow, return_half + flow
    supply_mid = (supply_half * chws_c + flow * setpoint_c) / a
    return_mid = (return_half * chwr_c + arriving_kw + pump_kw + flow * supply_mid) / b
    needed = flow * (return_mid - setpoint_c)

    exchange = p.water_economiser_frac * min(flow, cw_kw_per_k)
    free_kw = max(min(exchange * (chwr_c - cws_c), needed), 0.0)
    above_low = max(cws_c + free_kw / cw_kw_per_k, p.entering_low_c)
    entering = min(above_low, p.entering_high_c)
    leaving = min(max(setpoint_c, p.leaving_low_c), p.leaving_high_c)
    capacity = capacity_kw(p, leaving, entering, at_load)
    load_kw = min(max(needed - free_kw, 0.0), capacity)
    left_k = (needed - free_kw - load_kw) / (a * b - flow * flow)
    supply_mid, return_mid = supply_mid + left_k * b, return_mid + left_k * flow

    chiller_kw = load_kw * power_per_load(p, leaving, entering, above_low - entering, load_kw / capacity)
    return MainsStep(2.0 * supply_mid - chws_c, 2.0 * return_mid - chwr_c, flow, pump_kw, load_kw, free_kw, chiller_kw)
