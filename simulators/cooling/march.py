"""Temperatures from sub-step to sub-step: the part of the plant with feedback.

Each pair of stores that exchange heat (air and racks; supply and return main) is advanced by the implicit midpoint
rule, solved in closed form: second order, stable, and the first law holds to rounding because every flow is taken at
the same midpoint. Slow couplings (coil to water main, zone to zone, basin to chiller) use the state at the start.

Operations are counted here: on a batch of one plant each costs about half a microsecond whatever it computes.
"""

from typing import NamedTuple

from simulators.cooling.air import AirPath, neighbours
from simulators.cooling.arrays import Array, stacked
from simulators.cooling.ready import Ready
from simulators.cooling.state import Disturbance, State
from simulators.cooling.water import WaterPath

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


class Tracks(NamedTuple):
    """Everything the march went through, and the heat still in the pipe at its end."""

    zones: Zones
    mains: Mains
    condenser: Condenser
    in_transit_kw: Array


def march(state: State, disturbance: Disturbance, air: AirPath, water: WaterPath, r: Ready) -> Tracks:
    """Temperatures of a row of sub-steps."""
    hot, rack, chws, chwr, cws = state.hot_c, state.rack_c, state.chws_c, state.chwr_c, state.cws_c
    transit = [state.in_transit_kw[:, i : i + 1] for i in range(state.in_transit_kw.shape[1])]
    zones: list[Zones] = []
    mains: list[Mains] = []
    condenser: list[Condenser] = []
    for i in range(disturbance.it_kw.shape[0]):
        zone = _zones(i, hot, rack, chws, disturbance.it_kw, air, r)
        transit.append(r.total(zone.coil_kw))
        main = _mains(i, chws, chwr, cws, transit.pop(0), zone.water_kw_per_k, water, r)
        cond = _condenser(i, cws, main.load_kw + main.free_kw + main.chiller_kw, disturbance.wet_bulb_c, water, r)
        hot, rack, chws, chwr, cws = zone.hot_c, zone.rack_c, main.chws_c, main.chwr_c, cond.cws_c
        zones.append(zone)
        mains.append(main)
        condenser.append(cond)
    return Tracks(
        Zones(*_columns(zones, r)),
        Mains(*_columns(mains, r)),
        Condenser(*_columns(condenser, r)),
        r.xp.concat(transit, axis=1),
    )


def _columns(rows: list[Zones] | list[Mains] | list[Condenser], r: Ready) -> Array:
    """Fields of all rows in one array `[fields, k, n, m]`."""
    flat = [each for column in zip(*rows, strict=True) for each in column]
    whole = stacked(flat, r.xp)
    return r.xp.reshape(whole, (len(rows[0]), len(rows), *whole.shape[1:]))


def _zones(i: int, hot: Array, rack: Array, chws: Array, it_kw: Array, air: AirPath, r: Ready) -> Zones:
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


def _mains(
    i: int, chws: Array, chwr: Array, cws: Array, arriving_kw: Array, wanted: Array, water: WaterPath, r: Ready
) -> Mains:
    """Supply and return main around the chillers, which hold their leaving temperature unless they run out of capacity.

    First the mains as if the setpoint were held; that gives the load it takes. If this is more than there is, the heat
    that stays in the water is put back through the same closed-form solution.
    """
    xp, setpoint = r.xp, water.chws_setpoint_c
    flow = xp.maximum(r.total(wanted), r.flow_floor)
    square = flow * flow
    pump_kw = flow * (r.pump_linear + r.pump_cubic * square)
    a, b = r.supply_half + flow, r.return_half + flow
    supply_mid = (r.supply_half * chws + flow * setpoint) / a
    return_mid = (r.return_half * chwr + arriving_kw + pump_kw + flow * supply_mid) / b
    needed = flow * (return_mid - setpoint)

    free = r.zero
    if r.water_economiser is not None:
        exchange = r.water_economiser * xp.minimum(flow, water.flow_kw_per_k[i])
        free = xp.maximum(xp.minimum(exchange * (chwr - cws), needed), r.zero)
        cws = cws + free * water.per_flow[i]
    above = xp.maximum(cws, r.entering_low)
    entering = xp.minimum(above, r.entering_high)
    capacity = _quadratic(water.capacity0[i], water.capacity1[i], water.capacity2[i], entering)
    load = xp.minimum(xp.maximum(needed - free, r.zero), capacity)
    left = (needed - free - load) / (a * b - square)
    supply_mid = supply_mid + left * b
    return_mid = return_mid + left * flow

    ratio = load / capacity
    running = xp.maximum(ratio, r.part_load_floor)
    full_load = _quadratic(*water.input_ratio, entering) * (r.one + r.beyond_range * (above - entering))
    part_load = _quadratic(*r.part_load, running)
    return Mains(
        chws_c=supply_mid + (supply_mid - chws),
        chwr_c=return_mid + (return_mid - chwr),
        flow_kw_per_k=flow,
        pump_kw=pump_kw,
        load_kw=load,
        chiller_kw=load * full_load * part_load / running,
        free_kw=free,
    )


def _condenser(i: int, cws: Array, chiller_heat_kw: Array, wet_bulb: Array, water: WaterPath, r: Ready) -> Condenser:
    """Tower basin. The fans, and below their least speed a bypass, hold the setpoint where full fan speed allows it."""
    xp = r.xp
    heat = chiller_heat_kw + water.pump_kw[i]
    rise = heat * water.per_flow[i]
    range_k = xp.minimum(xp.maximum(rise, r.range_low), r.range_high)
    approach = _quadratic(water.full_fan0[i], water.full_fan1[i], water.full_fan2[i], range_k)
    coldest = wet_bulb[i] + xp.maximum(approach, r.least_approach)
    leaving = xp.minimum(xp.maximum(coldest, water.tower_setpoint_c), cws + rise)
    middle = water.basin_keep[i] * cws + water.basin_take[i] * leaving
    return Condenser(middle + (middle - cws), range_k, heat, middle, leaving)


def _quadratic(c0: Array, c1: Array, c2: Array, x: Array) -> Array:
    return c0 + x * (c1 + x * c2)
