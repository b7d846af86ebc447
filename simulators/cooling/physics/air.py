"""Air of one zone: fans, recirculation, outdoor air, and the balance of hot aisle and racks."""

from math import exp, expm1, sqrt
from typing import Annotated, NamedTuple

from simulators.cooling.physics.coil import LEAST_ABOVE_WATER_K, Coil, supply_air, water_for
from simulators.cooling.physics.compiled import scalar
from simulators.cooling.physics.params import PlantParams, ZoneParams
from simulators.cooling.physics.records import Number

IT_SLOPE_FROM_C = 25.0
"""Inlet temperature above which servers draw more power. [C] Upper part of the ASHRAE recommended range."""
DRAUGHT_FRAC = 0.01
"""Share of the rated air flow that remains with all fans still. [1] Keeps divisions finite."""


class AirFlow(NamedTuple):
    """Air of one zone during a sub-step."""

    kw_per_k: float
    """Heat capacity rate of the supplied air. [kW/K]"""
    frac: float
    """Air flow over rated, never quite 0. [1]"""
    recirculation: float
    """Share of hot air in what the racks draw in. [1]"""
    hot_spot: float
    """The same, for the hottest rack. [1]"""
    fan_frac: float
    """Fan speed share, failed fans counted as still. [1]"""
    fan_kw: float
    """Fan power, all of which heats the air. [kW]"""


class ZoneStep(NamedTuple):
    """One zone at the end of a sub-step, and what flowed on the way."""

    hot_c: float
    """Hot aisle, end of the sub-step. [C]"""
    rack_c: float
    """Rack metal, end of the sub-step. [C]"""
    hot_mid_c: float
    """Hot aisle, middle of the sub-step. [C]"""
    it_kw: float
    """IT power. [kW]"""
    coil_kw: float
    """Heat from air to water. [kW]"""
    outdoor_kw: float
    """Heat carried out by outdoor air. [kW]"""
    water_kw_per_k: float
    """Heat capacity rate of the chilled water that the coil takes. [kW/K]"""


class ZoneWork:
    """What a zone holds during a row: what does not change, and its air handler in the present sub-step."""

    fan_keep: Annotated[float, Number("1", 0.0, 1.0)]
    """What is left of a fan's way to its setpoint after a sub-step."""
    fan_mean: Annotated[float, Number("1", 0.0, 1.0)]
    """The same, mean over the sub-step."""
    supply_keep: Annotated[float, Number("1", 0.0, 1.0)]
    """What is left of the supply air's way to its setpoint after a sub-step."""
    supply_mean: Annotated[float, Number("1", 0.0, 1.0)]
    """The same, mean over the sub-step."""
    air_rated_kw_per_k: Annotated[float, Number("kW/K", 0.0)]
    """Heat capacity rate of the air at full fan speed."""
    air_half_kw_per_k: Annotated[float, Number("kW/K", 0.0)]
    """Heat capacity of the air over half a sub-step."""
    rack_half_kw_per_k: Annotated[float, Number("kW/K", 0.0)]
    """Heat capacity of the racks over half a sub-step."""
    rack_share: Annotated[float, Number("1", 0.0, 1.0)]
    """Of the racks' heat transfer in the sum of that and their heat capacity over half a sub-step."""
    air_kw_per_k: Annotated[float, Number("kW/K", 0.0)]
    """Heat capacity rate of the supplied air."""
    hot_spot: Annotated[float, Number("1", 0.0)]
    """Share of hot air that the hottest rack draws in."""
    effectiveness: Annotated[float, Number("1", 0.0, 1.0)]
    """Of the coil with its valve open."""


@scalar
def lag(lag_s: float, dt_s: float) -> tuple[float, float]:
    """The share of a difference that a first-order lag leaves after `dt_s`, and on average during it [1]; exact."""
    return exp(-dt_s / lag_s), -expm1(-dt_s / lag_s) * lag_s / dt_s


@scalar
def set_rates(zone: ZoneParams, work: ZoneWork, dt_s: float) -> None:
    """Set the coefficients that do not change during a row of sub-steps."""
    work.fan_keep, work.fan_mean = lag(zone.fan_lag_s, dt_s)
    work.supply_keep, work.supply_mean = lag(zone.supply_lag_s, dt_s)
    work.air_rated_kw_per_k = zone.fan_flow_ratio * zone.it_design_kw / zone.it_design_delta_k
    work.air_half_kw_per_k = 2.0 * zone.air_kj_per_k / dt_s
    work.rack_half_kw_per_k = 2.0 * zone.rack_kj_per_k / dt_s
    work.rack_share = zone.rack_kw_per_k / (work.rack_half_kw_per_k + zone.rack_kw_per_k)


@scalar
def air_flow(zone: ZoneParams, rated_kw_per_k: float, speed: float, it_kw: float, fan_available: float) -> AirFlow:
    """Air that fans at this speed share supply, and what the racks draw back from the hot aisle because it is short.

    Air the racks draw beyond what the fans supply comes back from the hot aisle. The change from plenty to shortage is
    gradual, as seen in halls: 0.5 (d + sqrt(d^2 + w^2)) with d the shortage and w the mixing width; the mirror image
    of it bypasses, so mass balances exactly. Fan power is a cube law over a standby floor.
    """
    fan_frac = speed * fan_available
    air_frac = max(fan_frac, DRAUGHT_FRAC)
    air = air_frac * rated_kw_per_k
    idle = zone.it_idle_flow_frac
    it_air = (idle * zone.it_design_kw + (1.0 - idle) * it_kw) / zone.it_design_delta_k
    short, width = it_air - air, it_air * zone.mixing_width_frac
    back = it_air * zone.leak_frac + 0.5 * (short + sqrt(short * short + width * width))
    recirculation = back / (air + back)
    hot_spot = recirculation * (1.0 + zone.hot_spot_gain * (1.0 - recirculation))
    standby_kw = zone.fan_rated_kw * zone.fan_standby_frac
    fan_kw = fan_available * (standby_kw + (zone.fan_rated_kw - standby_kw) * (speed * speed * speed))
    return AirFlow(air, air_frac, recirculation, hot_spot, fan_frac, fan_kw)


@scalar
def outdoor_share(p: PlantParams, dry_bulb_c: float, dew_point_c: float) -> float:
    """Greatest share of outdoor air [1]: limits on dry bulb and dew point decide whether any may be used."""
    if dry_bulb_c <= p.air_economiser_dry_bulb_c and dew_point_c <= p.air_economiser_dew_point_c:
        return p.air_economiser_frac
    return 0.0


@scalar
def entering_coil(hot_c: float, aim_c: float, share: float, outdoor_c: float) -> float:
    """Air entering the coils [C]: return air, with the outdoor air that brings it to the supply setpoint or may be used."""
    wanted = min(max(aim_c, outdoor_c), hot_c)
    return max(wanted, hot_c - share * max(hot_c - outdoor_c, 0.0))


@scalar
def zone_step(
    zone: ZoneParams, work: ZoneWork, air: AirFlow, coil: Coil, hot_c: float, rack_c: float, chws_c: float,
    aim_c: float, it_kw: float, mixing_kw: float, outdoor_frac: float, outdoor_c: float,
) -> ZoneStep:  # fmt: skip
    """Hot aisle and racks after a sub-step: C dT/dt of both by the implicit midpoint rule, solved in closed form.

    The racks give their heat to the air passing through them, G (T_rack - T_inlet). The hot aisle gets that heat, the
    air the racks let through and fan heat, and loses what the coil takes, c m_s (T_hot - T_supply). The coil holds its setpoint
    `aim_c` unless its valve is fully open. Mixing with neighbours, and the coil, use temperatures of the start.
    """
    air_half, rack_half, rack_share = work.air_half_kw_per_k, work.rack_half_kw_per_k, work.rack_share
    pull = rack_share * rack_half
    mixed = entering_coil(hot_c, aim_c, outdoor_frac, outdoor_c)
    supply = supply_air(coil.effectiveness, aim_c, mixed, chws_c)
    warm_k = max(supply + air.recirculation * (hot_c - supply) - IT_SLOPE_FROM_C, 0.0)
    it_kw = it_kw + it_kw * zone.it_power_slope_frac_per_k * warm_k
    heat = (
        air_half * hot_c + (air.kw_per_k - pull * (1.0 - air.recirculation)) * supply + pull * rack_c
        + rack_share * it_kw + air.fan_kw + zone.envelope_kw_per_k * outdoor_c + mixing_kw
    )  # fmt: skip
    hot_mid = heat / (air_half + zone.envelope_kw_per_k + air.kw_per_k + pull * air.recirculation)
    inlet = supply + air.recirculation * (hot_mid - supply)
    rack_mid = rack_c + rack_share * (inlet - rack_c + it_kw / zone.rack_kw_per_k)
    coil_kw = taken_kw = air.kw_per_k * (hot_mid - supply)
    if outdoor_frac > 0.0:
        coil_kw = max(taken_kw - air.kw_per_k * (hot_c - mixed), 0.0)
    water = water_for(coil, coil_kw / air.kw_per_k, max(mixed - chws_c, LEAST_ABOVE_WATER_K))
    return ZoneStep(2.0 * hot_mid - hot_c, 2.0 * rack_mid - rack_c, hot_mid, it_kw, coil_kw, taken_kw - coil_kw, water)
