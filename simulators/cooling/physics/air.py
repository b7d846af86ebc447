"""Air side of the zones: what fans, valves and IT load alone decide.

These follow from commands and load without feedback from temperatures, so they are found for a whole row of sub-steps.
"""

from dataclasses import dataclass

from simulators.cooling.physics import coil
from simulators.cooling.physics.arrays import Array, stacked
from simulators.cooling.physics.constants import Ready
from simulators.cooling.physics.state import Disturbance, State


@dataclass(frozen=True, slots=True)
class AirPath:
    """Per sub-step, `[k, n, zones]`; `fan_end` is `[n, zones]`."""

    air_kw_per_k: Array
    """Heat capacity rate of the supplied air."""
    recirculation: Array
    """Share of hot air in what the racks draw in. [1]"""
    hot_spot: Array
    """The same, for the hottest rack. [1]"""
    fan_kw: Array
    fan_frac: Array
    fan_end: Array
    supply_mean_c: Array
    """Supply air that the valves aim for, mean of the sub-step."""
    supply_aim_c: Array
    """The same, end of the sub-step."""
    effectiveness: Array
    """Of the coils with their valves open. [1]"""
    water_scale: Array
    part_load_offset: Array
    part_load_floor: Array
    least_coil_kw: Array
    """Coil heat below which the part-load curve is no longer followed."""
    supply_weight: Array
    """Of the supply air in the heat balance of the hot aisle."""
    inverse: Array
    """One over what the hot aisle's temperature weighs there."""
    gain_kw: Array
    """Heat into the hot aisle that does not depend on temperatures."""
    rack_gain_k: Array
    """Share of the rack temperature that IT power makes."""
    it_kw: Array
    outdoor_share: Array | None
    """Greatest share of outdoor air that may be used. [1]"""
    outdoor_c: Array


def air_path(state: State, setpoints: Array, disturbance: Disturbance, ready: Ready) -> AirPath:
    """Flows, recirculation, fan heat and coil limits of each sub-step.

    Air the racks draw beyond what the fans supply comes back from the hot aisle. The change from plenty to shortage is
    gradual, as seen in halls: 0.5 (d + sqrt(d^2 + w^2)) with d the shortage and w the mixing width; the mirror image
    of it bypasses, so mass balances exactly. Fan power is a cube law over a standby floor, and all of it heats the air.
    """
    xp, p = ready.xp, ready.params
    lag = _lags(state, setpoints, disturbance.it_kw.shape[0], ready)
    speed = lag.mean[:, 0]
    fan_frac = speed * disturbance.fan_available
    flow_frac = xp.maximum(fan_frac, ready.draught)
    air = flow_frac * ready.air_rated
    it_air = ready.it_flow_base + disturbance.it_kw * ready.it_flow_slope
    short = it_air - air
    width = it_air * p.mixing_width_frac
    back = it_air * p.leak_frac + 0.5 * (short + xp.sqrt(short * short + width * width))
    recirculation = back / (air + back)
    fresh = 1.0 - recirculation
    fan_kw = disturbance.fan_available * (ready.fan_standby + ready.fan_cubic * (speed * speed * speed))
    effectiveness, scale, offset, floor = _coils(flow_frac, air, disturbance.coil_available, ready)
    return AirPath(
        air_kw_per_k=air,
        recirculation=recirculation,
        hot_spot=recirculation * (1.0 + p.hot_spot_gain * fresh),
        fan_kw=fan_kw,
        fan_frac=fan_frac,
        fan_end=lag.last[0],
        supply_mean_c=lag.mean[:, 1],
        supply_aim_c=lag.end[:, 1],
        effectiveness=effectiveness,
        water_scale=scale,
        part_load_offset=offset,
        part_load_floor=floor,
        least_coil_kw=ready.small_k * air,
        supply_weight=air - ready.rack_pull * fresh,
        inverse=1.0 / (ready.air_half + ready.envelope + air + ready.rack_pull * recirculation),
        gain_kw=ready.rack_share * disturbance.it_kw + fan_kw + ready.envelope * disturbance.dry_bulb_c,
        rack_gain_k=ready.rack_heat * disturbance.it_kw,
        it_kw=disturbance.it_kw,
        outdoor_share=_outdoor_share(disturbance, ready) if ready.air_economiser else None,
        outdoor_c=disturbance.dry_bulb_c,
    )


def _coils(flow_frac: Array, air: Array, available: Array, ready: Ready) -> tuple[Array, Array, Array, Array]:
    """Effectiveness with open valves; and scale, offset and floor of the part-load curve, in terms of coil heat."""
    xp, p = ready.xp, ready.params
    both, ratios = coil.effectiveness(
        flow_frac, ready.coil_water_frac, p.coil_ntu, p.coil_capacity_ratio, p.coil_air_resistance_frac, xp
    )
    slope = coil.part_load_slope((both[0], ratios[0]), (both[1], ratios[1]))
    effectiveness = both[0] * xp.maximum(available, ready.least_coil)
    floor = ratios[0] * ratios[0] / slope
    per_air = 1.0 / (air * air)
    offset = (floor - 1.0 / (effectiveness * effectiveness)) * per_air
    return effectiveness, 1.0 / xp.sqrt(slope), offset, floor * per_air


def _outdoor_share(disturbance: Disturbance, ready: Ready) -> Array:
    """Fixed limits on dry bulb and dew point decide whether outdoor air may be used at all."""
    xp, p = ready.xp, ready.params
    cool = disturbance.dry_bulb_c <= p.air_economiser_dry_bulb_c
    dry = disturbance.dew_point_c <= p.air_economiser_dew_point_c
    share = p.air_economiser_frac + 0.0 * disturbance.dry_bulb_c
    return xp.where(cool & dry, share, 0.0 * share) + 0.0 * disturbance.it_kw


@dataclass(frozen=True, slots=True)
class _Lagged:
    """Fan speed share and supply air aimed for: means and ends of the sub-steps `[k, 2, n, zones]`, and the last end."""

    mean: Array
    end: Array
    last: Array


def _lags(state: State, setpoints: Array, substeps: int, ready: Ready) -> _Lagged:
    """Exact first-order lags towards the setpoints. What is carried on is the value itself, however a row is cut."""
    xp, zones = ready.xp, ready.zones
    value = xp.stack([state.fan_frac, state.supply_c])
    wanted = xp.stack([setpoints[:, 1 : 1 + zones], setpoints[:, 0:1] + ready.no_outdoor_air])
    values = [value]
    for _ in range(substeps):
        value = wanted + (value - wanted) * ready.lag_keep
        values.append(value)
    track = stacked(values, xp)
    return _Lagged(wanted + (track[:-1] - wanted) * ready.lag_mean, track[1:], value)
