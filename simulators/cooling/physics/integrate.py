"""Temperatures from sub-step to sub-step: the part of the plant with feedback.

Each pair of stores that exchange heat (air and racks; supply and return main) is advanced by the implicit midpoint
rule, solved in closed form: second order, stable, and the first law holds to rounding because every flow is taken at
the same midpoint. Slow couplings (coil to water main, zone to zone, basin to chiller) use the state at the start.
"""

from itertools import repeat
from typing import Any, NamedTuple

import numpy as np

from simulators.cooling.physics.air import AirPath
from simulators.cooling.physics.arrays import Array, stacked
from simulators.cooling.physics.constants import Part, Ready
from simulators.cooling.physics.state import State
from simulators.cooling.physics.water import WaterPath
from simulators.cooling.physics.water_loop import (
    BASIN_ROW,
    MAINS_ROW,
    BasinConstants,
    Condenser,
    Mains,
    MainsConstants,
    advance_condenser,
    advance_mains,
)
from simulators.cooling.physics.zones import OUTDOOR_ROW, ZONE_ROW, Zone, advance_zone

Rows = list[list[Any]]


class Tracks(NamedTuple):
    """Everything the march went through `[k, n, ..]`, and the heat still in the pipe at its end."""

    zones: Zone
    mains: Mains
    condenser: Condenser
    in_transit_kw: Array


class _Start(NamedTuple):
    """Where a part starts: zones on floats or all in one array, water as one float a lane or all in one array."""

    hot: list[Any]
    rack: list[Any]
    chws: list[Any]
    chwr: list[Any]
    cws: list[Any]
    transit: list[list[Any]]


class _Way(NamedTuple):
    """A part's way: for each sub-step its zones and its water, and what is left in the pipe."""

    zones: list[list[tuple[Any, ...]]]
    loops: list[list[tuple[Any, ...]]]
    transit: list[list[Any]]


def march(state: State, air: AirPath, water: WaterPath, r: Ready) -> Tracks:
    """Temperatures of a row of sub-steps."""
    zone_rows, loop_rows = _zone_rows(air, r), _loop_rows(water, air.it_kw.shape[0], r)
    ways = [_march(*each) for each in zip(_starts(state, r), zone_rows, loop_rows, r.parts, strict=True)]
    zones = _zone_columns([way.zones for way in ways], r)
    plant = _plant_columns([way.loops for way in ways], r)
    count = len(Mains._fields)
    return Tracks(zones, Mains(*plant[:count]), Condenser(*plant[count:]), _pipes([way.transit for way in ways], r))


def _march(start: _Start, zone_rows: list[Rows], loop_rows: list[Rows], part: Part) -> _Way:
    """One part, sub-step by sub-step."""
    hot, rack, chws, chwr, cws, transit = start
    zones, loops = [], []
    for zone_row, loop_row in zip(zone_rows, loop_rows, strict=True):
        now = list(map(advance_zone, hot, rack, repeat(part.joined(chws)), part.mix(hot), zone_row, part.zones))
        hot, rack = [each[0] for each in now], [each[1] for each in now]
        transit.append(part.total([each[3] for each in now]))
        wanted = part.total([each[4] for each in now])
        loop = list(map(_advance_loop, chws, chwr, cws, transit.pop(0), wanted, loop_row, part.loops))
        chws, chwr, cws = [each[0] for each in loop], [each[1] for each in loop], [each[7] for each in loop]
        zones.append(now)
        loops.append(loop)
    return _Way(zones, loops, transit)


def _advance_loop(
    chws: Array, chwr: Array, cws: Array, arriving_kw: Array, wanted: Array, row: list[Any],
    constants: tuple[MainsConstants, BasinConstants],
) -> tuple[Array, ...]:  # fmt: skip
    """The fields of `Mains`, then those of `Condenser`."""
    main = advance_mains(chws, chwr, cws, arriving_kw, wanted, row[:_SPLIT], constants[0])
    return main + advance_condenser(cws, main[4] + main[6] + main[5], row[_SPLIT:], constants[1])


_SPLIT = len(MAINS_ROW)


def _starts(state: State, r: Ready) -> list[_Start]:
    s = state
    pipe = [s.in_transit_kw[:, i : i + 1] for i in range(r.transit_slots)]
    if not r.water_apart:
        return [_Start([s.hot_c], [s.rack_c], [s.chws_c], [s.chwr_c], [s.cws_c], [[each] for each in pipe])]
    chws, chwr, cws = (each.ravel().tolist() for each in (s.chws_c, s.chwr_c, s.cws_c))
    slots = [each.ravel().tolist() for each in pipe]
    if not r.zones_apart:
        return [_Start([s.hot_c], [s.rack_c], chws, chwr, cws, slots)]
    lanes = zip(s.hot_c.tolist(), s.rack_c.tolist(), chws, chwr, cws, *slots, strict=True)
    return [_Start(hot, rack, [a], [b], [c], [[each] for each in pipe]) for hot, rack, a, b, c, *pipe in lanes]


def _zone_rows(air: AirPath, r: Ready) -> list[list[Rows]]:
    """For each part and sub-step, what `advance_zone` reads: a list for each zone on floats, or one for all zones."""
    names = (*ZONE_ROW, *OUTDOOR_ROW) if r.air_economiser else ZONE_ROW
    fields = [getattr(air, name) for name in names]
    if not r.zones_apart:
        return [[[list(row)] for row in zip(*fields, strict=True)]]
    substeps, lanes, zones = air.it_kw.shape
    whole = np.empty((lanes, substeps, zones, len(fields)))
    for column, value in enumerate(fields):
        whole[..., column] = value.swapaxes(0, 1)
    rows: list[list[Rows]] = whole.tolist()
    return rows


def _loop_rows(water: WaterPath, substeps: int, r: Ready) -> list[list[Rows]]:
    """For each part, sub-step and loop, the values of `MAINS_ROW` and `BASIN_ROW`."""
    fields = [getattr(water, name) for name in (*MAINS_ROW, *BASIN_ROW)]
    if not r.water_apart:
        each = [value if value.ndim == 3 else [value] * substeps for value in fields]
        return [[[list(row)] for row in zip(*each, strict=True)]]
    whole = np.empty((substeps, water.flow_kw_per_k.shape[1], len(fields)))
    for column, value in enumerate(fields):
        whole[..., column : column + 1] = value
    rows: list[Rows] = whole.tolist()
    return [[[row[lane]] for row in rows] for lane in range(len(rows[0]))] if r.zones_apart else [rows]


def _zone_columns(ways: list[list[list[tuple[Any, ...]]]], r: Ready) -> Zone:
    if r.zones_apart:  # [lanes, k, zones, fields]
        return Zone(*np.ascontiguousarray(np.array(ways).transpose(3, 1, 0, 2)))
    return Zone(*(stacked(list(column), r.xp) for column in zip(*[row[0] for row in ways[0]], strict=True)))


def _plant_columns(ways: list[list[list[tuple[Any, ...]]]], r: Ready) -> list[Array]:
    """Fields of all rows, `[k, n, 1]` each."""
    if r.zones_apart:  # [lanes, k, 1, fields]
        return list(np.array(ways).transpose(3, 1, 0, 2))
    if r.water_apart:  # [1, k, lanes, fields]
        return list(np.array(ways[0]).transpose(2, 0, 1)[..., None])
    return [stacked(list(column), r.xp) for column in zip(*[row[0] for row in ways[0]], strict=True)]


def _pipes(ways: list[list[list[Any]]], r: Ready) -> Array:
    if r.zones_apart:  # [lanes, slots, 1]
        return np.array(ways)[..., 0]
    return np.array(ways[0]).T if r.water_apart else r.xp.concat([slot[0] for slot in ways[0]], axis=1)
