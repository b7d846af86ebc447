"""One sub-step of air and racks: the implicit midpoint rule, solved in closed form.

Written for arrays `[n, zones]`. A batch of few runs the same code on Python floats, zone by zone, which gives the same
bits at a part of the cost; the remarks in `loop` hold here too.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from simulators.cooling.physics.arrays import Array

IT_SLOPE_FROM_C = 25.0


class ZoneConstants(NamedTuple):
    """Constants of a zone, heat capacities over half a sub-step."""

    larger: Callable[[Any, Any], Any]
    smaller: Callable[[Any, Any], Any]
    root: Callable[[Any], Any]
    air_half: Array
    rack_share: Array
    rack_pull: Array
    rack_keep: Array
    rack_heat: Array
    small_k: Array
    nothing: Array
    it_slope: Array | None


class Zone(NamedTuple):
    """One sub-step of a zone, or arrays of many."""

    hot_c: Array
    rack_c: Array
    hot_mid_c: Array
    coil_kw: Array
    water_kw_per_k: Array
    it_kw: Array
    outdoor_kw: Array


ZONE_ROW = (
    "air_kw_per_k", "recirculation", "supply_mean_c", "effectiveness", "supply_weight", "inverse", "gain_kw",
    "rack_gain_k", "water_scale", "part_load_offset", "part_load_floor", "least_coil_kw", "it_kw",
)  # fmt: skip
"""What commands, load and weather decide of a zone for one sub-step: fields of `air.AirPath`, in order."""

OUTDOOR_ROW = ("outdoor_share", "outdoor_c")
"""The same, where outdoor air may be used."""


def advance_zone(
    hot: Array, rack: Array, chws: Array, mixing_kw: Array, row: list[Any], constants: ZoneConstants
) -> tuple[Array, ...]:
    """Air and racks: C dT/dt of both, with the coil holding its setpoint unless its valve is fully open.

    The racks give their heat to the air passing through them, G (T_rack - T_inlet); the hot aisle gets that, the air
    the racks let through, and fan heat, and loses what the coil takes, c m_s (T_hot - T_supply). Returns the fields of
    `Zone`.
    """
    (air, recirculation, aim, effectiveness, supply_weight, inverse, gain_kw, rack_gain, water_scale, offset, floor,
     least_kw, it_kw, *outdoor) = row  # fmt: skip
    (larger, smaller, root, air_half, rack_share, rack_pull, rack_keep, rack_heat, small_k, nothing,
     it_slope) = constants  # fmt: skip
    mixed = _mixed(hot, aim, outdoor[0], outdoor[1], constants) if outdoor else hot
    above_water = larger(mixed - chws, small_k)
    supply = smaller(larger(aim, mixed - effectiveness * above_water), mixed)
    heat = air_half * hot + supply_weight * supply + rack_pull * rack + gain_kw + mixing_kw
    if it_slope is not None:
        warm = larger(supply + recirculation * (hot - supply) - IT_SLOPE_FROM_C, nothing)
        extra = it_kw * it_slope * warm
        heat, rack_gain, it_kw = heat + rack_share * extra, rack_gain + rack_heat * extra, it_kw + extra
    hot_mid = heat * inverse
    drop = hot_mid - supply
    rack_mid = rack_keep * rack + rack_share * (supply + recirculation * drop) + rack_gain
    coil_kw, outdoor_kw = air * drop, nothing
    if outdoor:
        taken = larger(coil_kw - air * (hot - mixed), nothing)
        coil_kw, outdoor_kw = taken, coil_kw - taken
    ratio = above_water / larger(coil_kw, least_kw)
    water = water_scale / root(larger(offset + ratio * ratio, floor))
    return hot_mid + (hot_mid - hot), rack_mid + (rack_mid - rack), hot_mid, coil_kw, water, it_kw, outdoor_kw


def _mixed(hot: Array, aim: Array, share: Array, outdoor_c: Array, c: ZoneConstants) -> Array:
    """Air entering the coils: return air, with the outdoor air that brings it to the supply setpoint or may be used."""
    wanted = c.smaller(c.larger(aim, outdoor_c), hot)
    return c.larger(wanted, hot - share * c.larger(hot - outdoor_c, c.nothing))
