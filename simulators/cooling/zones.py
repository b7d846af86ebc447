"""One sub-step of air and racks in all zones: the implicit midpoint rule, solved in closed form.

Operations are counted here: on a batch of one plant each costs about half a microsecond whatever it computes.
"""

from typing import NamedTuple

from simulators.cooling.air import AirPath, neighbours
from simulators.cooling.arrays import Array
from simulators.cooling.ready import Ready

IT_SLOPE_FROM_C = 25.0


class Zones(NamedTuple):
    """One sub-step of the zones `[n, zones]`, or a row of them `[k, n, zones]`."""

    hot_c: Array
    rack_c: Array
    it_kw: Array
    hot_mid_c: Array
    coil_kw: Array
    outdoor_kw: Array
    water_kw_per_k: Array


def advance_zones(i: int, hot: Array, rack: Array, chws: Array, it_kw: Array, air: AirPath, r: Ready) -> Zones:
    """Air and racks: C dT/dt of both, with the coil holding its setpoint unless its valve is fully open.

    The racks give their heat to the air passing through them, G (T_rack - T_inlet); the hot aisle gets that, the air
    the racks let through, and fan heat, and loses what the coil takes, c m_s (T_hot - T_supply).
    """
    xp, share = r.xp, air.recirculation[i]
    mixed = hot if air.outdoor_share is None else _mixed(i, hot, air, r)
    above_water = xp.maximum(mixed - chws, r.small_k)
    supply = xp.minimum(xp.maximum(air.supply_mean_c[i], mixed - air.effectiveness[i] * above_water), mixed)
    heat = r.air_half * hot + air.supply_weight[i] * supply + r.rack_pull * rack + air.gain_kw[i]
    power, rack_gain = it_kw[i], air.rack_gain_k[i]
    if r.it_slope is not None:
        extra = power * r.it_slope * xp.clip(supply + share * (hot - supply) - IT_SLOPE_FROM_C, 0.0, None)
        heat, rack_gain, power = heat + r.rack_share * extra, rack_gain + r.rack_heat * extra, power + extra
    if r.zones > 1:
        heat = heat + neighbours(hot, r)
    hot_mid = heat * air.inverse[i]
    drop = hot_mid - supply
    rack_mid = r.rack_keep * rack + r.rack_share * (supply + share * drop) + rack_gain
    taken, outdoor_kw = drop, r.no_outdoor_air
    if air.outdoor_share is not None:
        taken = xp.maximum(drop - (hot - mixed), r.no_outdoor_air)
        outdoor_kw = air.air_kw_per_k[i] * (drop - taken)
    ratio = above_water / xp.maximum(taken, r.small_k)
    squared = xp.maximum(air.part_load_offset[i] + ratio * ratio, air.part_load_floor[i])
    return Zones(
        hot_c=hot_mid + (hot_mid - hot),
        rack_c=rack_mid + (rack_mid - rack),
        it_kw=power,
        hot_mid_c=hot_mid,
        coil_kw=air.air_kw_per_k[i] * taken,
        outdoor_kw=outdoor_kw,
        water_kw_per_k=air.water_scale[i] / xp.sqrt(squared),
    )


def _mixed(i: int, hot: Array, air: AirPath, r: Ready) -> Array:
    """Air entering the coils: return air, with the outdoor air that brings it to the supply setpoint or may be used."""
    wanted = r.xp.minimum(r.xp.maximum(air.supply_mean_c[i], air.outdoor_c[i]), hot)
    assert air.outdoor_share is not None
    return r.xp.maximum(wanted, hot - air.outdoor_share[i] * r.xp.maximum(hot - air.outdoor_c[i], r.no_outdoor_air))
