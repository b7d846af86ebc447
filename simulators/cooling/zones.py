"""One sub-step of air and racks in all zones, by the weights that `air.ZoneWeights` solved for beforehand.

Operations are counted here: on a batch of few plants each costs about half a microsecond whatever it computes.
"""

from collections.abc import Iterator
from itertools import repeat
from typing import Any, NamedTuple

from simulators.cooling.air import AirPath, neighbours
from simulators.cooling.arrays import Array
from simulators.cooling.ready import Ready

IT_SLOPE_FROM_C = 25.0


class Zones(NamedTuple):
    """One sub-step of the zones."""

    solved: Array
    """Hot aisle and racks at the end [C], and coil heat [kW], before outdoor air. `[3, n, zones]`"""
    coil_kw: Array
    """`[n, zones]`"""
    water_kw_per_k: Array
    """`[n, zones]`"""
    it_kw: Array
    """`[n, zones]`"""
    outdoor_kw: Array
    """`[n, zones]`"""


class ZoneRow(NamedTuple):
    """One sub-step of an `AirPath`, and the IT power asked for. `[.., n, zones]`"""

    by_hot: Array
    by_rack: Array
    by_supply: Array
    by_heat: Array
    gain: Array
    supply_aim_c: Array
    effectiveness: Array
    water_scale: Array
    part_load_offset: Array
    part_load_floor: Array
    least_coil_kw: Array
    it_kw: Array
    recirculation: Array
    air_kw_per_k: Array
    outdoor_share: Array | None
    outdoor_c: Array


def zone_rows(air: AirPath, it_kw: Array) -> Iterator[tuple[Any, ...]]:
    """The sub-steps of a row one after another, as `ZoneRow` names them."""
    w = air.weights
    return zip(
        w.hot, w.rack, w.supply, w.heat, w.gain,
        air.supply_mean_c, air.effectiveness, air.water_scale,
        air.part_load_offset, air.part_load_floor, air.least_coil_kw,
        it_kw, air.recirculation, air.air_kw_per_k,
        repeat(None) if air.outdoor_share is None else air.outdoor_share, air.outdoor_c,
        strict=False,
    )  # fmt: skip


def advance_zones(hot: Array, rack: Array, chws: Array, row: tuple[Any, ...], r: Ready) -> Zones:
    """Air and racks, with the coils holding their setpoint unless their valve is fully open."""
    (by_hot, by_rack, by_supply, by_heat, gain, aim, effectiveness, water_scale, offset, floor, least_kw,
     it_kw, recirculation, air, outdoor_share, outdoor_c) = row  # fmt: skip
    maximum, minimum = r.xp.maximum, r.xp.minimum
    mixed = hot if outdoor_share is None else _mixed(hot, aim, outdoor_share, outdoor_c, r)
    above_water = maximum(mixed - chws, r.small_k)
    supply = minimum(maximum(aim, mixed - effectiveness * above_water), mixed)
    solved = by_hot * hot + by_rack * rack + by_supply * supply + gain
    if r.zones > 1:
        solved = solved + by_heat * neighbours(hot, r)
    if r.it_slope is not None:
        warm = r.xp.clip(supply + recirculation * (hot - supply) - IT_SLOPE_FROM_C, 0.0, None)
        extra = it_kw * r.it_slope * warm
        solved, it_kw = solved + by_heat * (r.rack_share * extra) + r.rack_heated * extra, it_kw + extra
    coil_kw, outdoor_kw = solved[2], r.no_outdoor_air
    if outdoor_share is not None:
        taken = maximum(coil_kw - air * (hot - mixed), r.no_outdoor_air)
        coil_kw, outdoor_kw = taken, coil_kw - taken
    ratio = above_water / maximum(coil_kw, least_kw)
    water = water_scale / r.xp.sqrt(maximum(offset + ratio * ratio, floor))
    return Zones(solved, coil_kw, water, it_kw, outdoor_kw)


def _mixed(hot: Array, aim: Array, share: Array, outdoor_c: Array, r: Ready) -> Array:
    """Air entering the coils: return air, with the outdoor air that brings it to the supply setpoint or may be used."""
    wanted = r.xp.minimum(r.xp.maximum(aim, outdoor_c), hot)
    return r.xp.maximum(wanted, hot - share * r.xp.maximum(hot - outdoor_c, r.no_outdoor_air))
