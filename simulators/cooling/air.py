"""Air side of the zones: what fans, valves and IT load alone decide.

These follow from commands and load without feedback from temperatures, so they are found for a whole row of sub-steps.
"""

from dataclasses import dataclass

from simulators.cooling import coil
from simulators.cooling.arrays import Array, stacked
from simulators.cooling.ready import Ready
from simulators.cooling.state import Disturbance, State


@dataclass(frozen=True, slots=True)
class AirPath:
    """Per sub-step, `[k, n, zones]`; the two ends are `[n, zones]`."""

    air_kw_per_k: Array
    """Heat capacity rate of the supplied air."""
    recirculation: Array
    """Share of hot air in what the racks draw in. [1]"""
    hot_spot: Array
    """The same, for the hottest rack. [1]"""
    fan_kw: Array
    fan_frac: Array
    fan_end: Array
    gain_kw: Array
    """Heat into the hot aisle that does not depend on temperatures."""
    rack_gain_k: Array
    """Share of the rack temperature that IT power makes."""
    supply_weight: Array
    inverse: Array
    supply_mean_c: Array
    """Supply air that the valves aim for, mean of the sub-step."""
    supply_aim_c: Array
    """The same, end of the sub-step."""
    effectiveness: Array
    """Of the coils with their valves open. [1]"""
    water_scale: Array
    part_load_offset: Array
    part_load_floor: Array
    outdoor_share: Array | None
    """Greatest share of outdoor air that may be used. [1]"""
    outdoor_c: Array


def air_path(state: State, setpoints: Array, disturbance: Disturbance, ready: Ready) -> AirPath:
    """Flows, recirculation, fan heat and coil limits of each sub-step.

    Air the racks draw beyond what the fans supply comes back from the hot aisle. The change from plenty to shortage is
    gradual, as seen in halls: 0.5 (d + sqrt(d^2 + w^2)) with d the shortage and w the mixing width; the mirror image
    of it bypasses, so mass balances exactly. Fan power is a cube law over a standby floor, and all of it heats the air.
    """
    xp, p, substeps = ready.xp, ready.params, disturbance.it_kw.shape[0]
    speed, _, fan_end = _first_order(
        state.fan_frac, setpoints[:, 1 : 1 + ready.zones], substeps, ready.fan_keep, ready.fan_mean, ready
    )
    aim_mean, aim_end, _ = _first_order(
        state.supply_c, setpoints[:, 0:1], substeps, ready.supply_keep, ready.supply_mean, ready
    )
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
    coils = p.coil_ntu, p.coil_capacity_ratio, p.coil_air_resistance_frac
    full = coil.effectiveness(flow_frac, 1.0, *coils, xp)
    slope = coil.part_load_slope(full, coil.effectiveness(flow_frac, coil.LOW_FLOW, *coils, xp))
    effectiveness = full[0] * xp.maximum(disturbance.coil_available, ready.least_coil)
    floor = full[1] * full[1] / slope
    return AirPath(
        air_kw_per_k=air,
        recirculation=recirculation,
        hot_spot=recirculation * (1.0 + p.hot_spot_gain * fresh),
        fan_kw=fan_kw,
        fan_frac=fan_frac,
        fan_end=fan_end,
        gain_kw=ready.rack_share * disturbance.it_kw + fan_kw + ready.envelope * disturbance.dry_bulb_c,
        rack_gain_k=ready.rack_heat * disturbance.it_kw,
        supply_weight=air - ready.rack_pull * fresh,
        inverse=1.0 / (ready.air_half + ready.envelope + air + ready.rack_pull * recirculation),
        supply_mean_c=aim_mean,
        supply_aim_c=aim_end,
        effectiveness=effectiveness,
        water_scale=air / xp.sqrt(slope),
        part_load_offset=floor - 1.0 / (effectiveness * effectiveness),
        part_load_floor=floor,
        outdoor_share=_outdoor_share(disturbance, ready) if ready.air_economiser else None,
        outdoor_c=disturbance.dry_bulb_c,
    )


def _outdoor_share(disturbance: Disturbance, ready: Ready) -> Array:
    """Fixed limits on dry bulb and dew point decide whether outdoor air may be used at all."""
    xp, p = ready.xp, ready.params
    cool = disturbance.dry_bulb_c <= p.air_economiser_dry_bulb_c
    dry = disturbance.dew_point_c <= p.air_economiser_dew_point_c
    share = p.air_economiser_frac + 0.0 * disturbance.dry_bulb_c
    return xp.where(cool & dry, share, 0.0 * share) + 0.0 * disturbance.it_kw


def _first_order(
    value: Array, wanted: Array, substeps: int, keep: Array, mean: Array, ready: Ready
) -> tuple[Array, Array, Array]:
    """Exact first-order lag towards `wanted`: means and ends of the sub-steps `[k, n, zones]`, and the last end."""
    gap = value - wanted
    gaps = [gap]
    for _ in range(substeps):
        gap = gap * keep
        gaps.append(gap)
    track = stacked(gaps, ready.xp)
    ends = wanted + track[1:]
    return wanted + track[:-1] * mean, ends, ends[-1]


def neighbours(hot_c: Array, ready: Ready) -> Array:
    """Heat that mixing with the next zones in the row brings to each zone [kW]; what one gains another loses."""
    flow = (hot_c[:, 1:] - hot_c[:, :-1]) * ready.mixing
    edges = ready.xp.concat([ready.zero, flow, ready.zero], axis=1)
    return edges[:, 1:] - edges[:, :-1]
