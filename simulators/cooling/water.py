"""Water side: what setpoints, weather and failures alone decide, without feedback from temperatures."""

from dataclasses import dataclass

import numpy as np

from simulators.cooling import chiller, tower
from simulators.cooling.arrays import Array, stacked
from simulators.cooling.ready import Ready
from simulators.cooling.state import Disturbance

STILL_WATER = 0.05
"""Share of one condenser pump's flow that remains with all of them stopped; keeps divisions finite."""


@dataclass(frozen=True, slots=True)
class WaterPath:
    """Fixed over the row `[n, 1]` where said so, else per sub-step `[k, n, 1]`."""

    chws_setpoint_c: Array
    """[n, 1]"""
    tower_setpoint_c: Array
    """[n, 1]"""
    chillers: Array
    """Chillers at load, middle of each sub-step."""
    chillers_end: Array
    """[n, 1]"""
    capacity0: Array
    """Capacity [kW] as a quadratic in entering condenser water [C]."""
    capacity1: Array
    capacity2: Array
    input_ratio: tuple[Array, Array, Array]
    """Input per cooling at full load, likewise. [n, 1] each"""
    flow_kw_per_k: Array
    per_flow: Array
    pump_kw: Array
    basin_keep: Array
    basin_take: Array
    water_frac: Array
    york: Array
    """Tower coefficients `[k, n, 3, 3]`."""
    full_fan0: Array
    """Approach [K] at full fan as a quadratic in range [K]."""
    full_fan1: Array
    full_fan2: Array


def water_path(chillers: Array, setpoints: Array, disturbance: Disturbance, ready: Ready) -> WaterPath:
    """Condenser flow, chiller capacity and tower coefficients of each sub-step."""
    xp, p, zones = ready.xp, ready.params, ready.zones
    chws, tower_setpoint, wanted = (setpoints[:, 1 + zones + i : 2 + zones + i] for i in range(3))
    running = xp.minimum(wanted, disturbance.chillers_available)
    at_load, chillers_end = _staged(chillers, running, ready)
    leaving = xp.minimum(xp.maximum(chws, ready.leaving_low), ready.leaving_high)
    scale = xp.maximum(at_load, ready.tiny) * ready.chiller_kw
    c0, c1, c2 = chiller.in_entering_c(p.chiller.capacity, leaving)
    e0, e1, e2 = (each / p.chiller.reference_cop for each in chiller.in_entering_c(p.chiller.input_ratio, leaving))
    flowing = xp.maximum(running, ready.still_water)
    flow = flowing * ready.cw_unit
    water_frac = flowing / p.chiller_units
    york = tower.in_range_and_ratio(disturbance.wet_bulb_c, ready)
    least_ratio = water_frac / xp.maximum(disturbance.tower_available, ready.free_convection)
    f0, f1, f2 = tower.at_ratio(york, xp.minimum(least_ratio, ready.largest_ratio))
    inverse = 1.0 / (ready.basin_half + flow)
    return WaterPath(
        chws_setpoint_c=chws,
        tower_setpoint_c=tower_setpoint,
        chillers=at_load,
        chillers_end=chillers_end,
        capacity0=c0 * scale,
        capacity1=c1 * scale,
        capacity2=c2 * scale,
        input_ratio=(e0, e1, e2),
        flow_kw_per_k=flow,
        per_flow=1.0 / flow,
        pump_kw=running * p.cw_pump_unit_kw,
        basin_keep=ready.basin_half * inverse,
        basin_take=flow * inverse,
        water_frac=water_frac,
        york=york,
        full_fan0=f0,
        full_fan1=f1,
        full_fan2=f2,
    )


def _staged(chillers: Array, running: Array, ready: Ready) -> tuple[Array, Array]:
    """Chillers at load per sub-step: a stopped one is gone at once, a started one loads up over its start time."""
    xp, starts = ready.xp, []
    if ready.alone:
        at_load, step, n = chillers.item(), ready.start_step.item(), len(running)
        for each in running.ravel().tolist():
            starts.append(at_load)
            at_load = min(each, at_load + step)
        begun, chillers = np.array(starts).reshape(n, 1, 1), np.array([[at_load]])
    else:
        for each in running:
            starts.append(chillers)
            chillers = xp.minimum(each, chillers + ready.start_step)
        begun = stacked(starts, xp)
    return xp.minimum(running, begun + 0.5 * ready.start_step), chillers
