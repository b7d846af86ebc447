"""Temperatures from sub-step to sub-step: the part of the plant with feedback.

Each pair of stores that exchange heat (air and racks; supply and return main) is advanced by the implicit midpoint
rule, solved in closed form: second order, stable, and the first law holds to rounding because every flow is taken at
the same midpoint. Slow couplings (coil to water main, zone to zone, basin to chiller) use the state at the start.
"""

from typing import Any, NamedTuple

import numpy as np

from simulators.cooling.air import AirPath
from simulators.cooling.arrays import Array, stacked
from simulators.cooling.loop import BASIN_ROW, MAINS_ROW, Condenser, Mains, advance_condenser, advance_mains
from simulators.cooling.ready import Ready, split
from simulators.cooling.state import Disturbance, State
from simulators.cooling.water import WaterPath
from simulators.cooling.zones import Zones, advance_zones, zone_rows


class ZoneTrack(NamedTuple):
    """A row of sub-steps of the zones, `[k, n, zones]` each."""

    hot_c: Array
    rack_c: Array
    hot_mid_c: Array
    it_kw: Array
    coil_kw: Array
    outdoor_kw: Array
    water_kw_per_k: Array


class Tracks(NamedTuple):
    """Everything the march went through `[k, n, ..]`, and the heat still in the pipe at its end."""

    zones: ZoneTrack
    mains: Mains
    condenser: Condenser
    in_transit_kw: Array


def march(state: State, disturbance: Disturbance, air: AirPath, water: WaterPath, r: Ready) -> Tracks:
    """Temperatures of a row of sub-steps."""
    hot, rack = state.hot_c, state.rack_c
    chws, chwr, cws = (split(each, r) for each in (state.chws_c, state.chwr_c, state.cws_c))
    transit = [split(state.in_transit_kw[:, i : i + 1], r) for i in range(state.in_transit_kw.shape[1])]
    zones: list[Zones] = []
    loops: list[list[tuple[Array, ...]]] = []
    for zone_row, loop_rows in zip(zone_rows(air, disturbance.it_kw), _loop_rows(water, disturbance, r), strict=True):
        zone = advance_zones(hot, rack, _joined(chws), zone_row, r)
        hot, rack = zone.solved[0], zone.solved[1]
        transit.append(split(r.total(zone.coil_kw), r))
        wanted, arriving = split(r.total(zone.water_kw_per_k), r), transit.pop(0)
        loop = [
            _advance_loop(*each, *constants)
            for *each, constants in zip(chws, chwr, cws, arriving, wanted, loop_rows, r.loops, strict=True)
        ]
        chws, chwr, cws = [each[0] for each in loop], [each[1] for each in loop], [each[7] for each in loop]
        zones.append(zone)
        loops.append(loop)
    columns = _plant_columns(loops, r)
    return Tracks(
        _zone_track(state, zones, r),
        Mains(*columns[:7]),
        Condenser(*columns[7:]),
        np.array(transit).T if r.few else r.xp.concat([each[0] for each in transit], axis=1),
    )


def _advance_loop(
    chws: Array, chwr: Array, cws: Array, arriving_kw: Array, wanted: Array, row: Any, mains: Any, basin: Any
) -> tuple[Array, ...]:
    """The fields of `Mains`, then those of `Condenser`."""
    main = advance_mains(chws, chwr, cws, arriving_kw, wanted, row[: len(MAINS_ROW)], mains)
    return main + advance_condenser(cws, main[4] + main[6] + main[5], row[len(MAINS_ROW) :], basin)


def _joined(values: list[Any]) -> Any:
    """What `split` took apart, to be computed with the zones."""
    return values[0] if len(values) == 1 else np.array(values)[:, None]


def _loop_rows(water: WaterPath, disturbance: Disturbance, r: Ready) -> list[list[list[Array]]]:
    """For each sub-step and part that `split` makes, the values of `MAINS_ROW` and `BASIN_ROW`."""
    substeps, lanes = disturbance.wet_bulb_c.shape[:2]
    fields = [getattr(water, name) for name in (*MAINS_ROW, *BASIN_ROW)]
    if not r.few:
        each = [value if value.ndim == 3 else [value] * substeps for value in fields]
        return [[list(row)] for row in zip(*each, strict=True)]
    whole = np.empty((substeps, lanes, len(fields)))
    for column, value in enumerate(fields):
        whole[..., column : column + 1] = value
    rows: list[list[list[Array]]] = whole.tolist()
    return rows


def _zone_track(state: State, rows: list[Zones], r: Ready) -> ZoneTrack:
    xp = r.xp
    solved = xp.reshape(xp.concat([row.solved for row in rows], axis=0), (len(rows), *rows[0].solved.shape))
    hot = solved[:, 0]
    before = xp.concat([state.hot_c[None], hot[:-1]], axis=0)
    plain = r.it_slope is None and not r.air_economiser
    return ZoneTrack(
        hot_c=hot,
        rack_c=solved[:, 1],
        hot_mid_c=0.5 * (before + hot),
        it_kw=stacked([row.it_kw for row in rows], xp),
        coil_kw=solved[:, 2] if plain else stacked([row.coil_kw for row in rows], xp),
        outdoor_kw=0.0 * hot if plain else stacked([row.outdoor_kw for row in rows], xp),
        water_kw_per_k=stacked([row.water_kw_per_k for row in rows], xp),
    )


def _plant_columns(rows: list[list[tuple[Array, ...]]], r: Ready) -> Any:
    """Fields of all rows `[fields, k, n, 1]`."""
    if r.few:
        return np.array(rows).transpose(2, 0, 1)[..., None]
    flat = stacked([each for column in zip(*[row[0] for row in rows], strict=True) for each in column], r.xp)
    return r.xp.reshape(flat, (len(rows[0][0]), len(rows), *flat.shape[1:]))
