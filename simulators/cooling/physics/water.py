"""Water side: what setpoints, weather and failures alone decide, without feedback from temperatures."""

from dataclasses import dataclass

from simulators.cooling.physics import chiller, tower
from simulators.cooling.physics.arrays import Array
from simulators.cooling.physics.constants import Ready
from simulators.cooling.physics.staging import Staging, staged
from simulators.cooling.physics.state import Disturbance, State


@dataclass(frozen=True, slots=True)
class WaterPath:
    """Fixed over the row `[n, 1]` where said so, else per sub-step `[k, n, 1]`."""

    chws_setpoint_c: Array
    """[n, 1]"""
    tower_setpoint_c: Array
    """[n, 1]"""
    staging: Staging
    capacity0: Array
    """Capacity [kW] as a quadratic in entering condenser water [C]."""
    capacity1: Array
    capacity2: Array
    input_ratio0: Array
    """Input per cooling at full load, likewise. [n, 1] each"""
    input_ratio1: Array
    input_ratio2: Array
    wet_bulb_c: Array
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


def water_path(state: State, setpoints: Array, disturbance: Disturbance, ready: Ready) -> WaterPath:
    """Condenser flow, chiller capacity and tower coefficients of each sub-step."""
    xp, p, zones = ready.xp, ready.params, ready.zones
    chws, tower_setpoint, wanted = (setpoints[:, 1 + zones + i : 2 + zones + i] for i in range(3))
    staging = staged(state, wanted, disturbance, ready)
    running = staging.running
    leaving = xp.minimum(xp.maximum(chws, ready.leaving_low), ready.leaving_high)
    scale = xp.maximum(staging.at_load, ready.tiny) * ready.chiller_kw
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
        staging=staging,
        capacity0=c0 * scale,
        capacity1=c1 * scale,
        capacity2=c2 * scale,
        input_ratio0=e0,
        input_ratio1=e1,
        input_ratio2=e2,
        wet_bulb_c=disturbance.wet_bulb_c,
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
