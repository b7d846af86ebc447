"""Temperatures from sub-step to sub-step: the part of the plant with feedback.

Each pair of stores that exchange heat (air and racks; supply and return main) is advanced by the implicit midpoint
rule, solved in closed form: second order, stable, and the first law holds to rounding because every flow is taken at
the same midpoint. Slow couplings (coil to water main, zone to zone, basin to chiller) use the state at the start.
"""

from typing import Any, NamedTuple

import numpy as np

from simulators.cooling.air import AirPath
from simulators.cooling.arrays import Array, stacked
from simulators.cooling.loop import Condenser, LoopRow, Mains, advance_condenser, advance_mains
from simulators.cooling.ready import Ready, split
from simulators.cooling.state import Disturbance, State
from simulators.cooling.water import WaterPath
from simulators.cooling.zones import Zones, advance_zones


class Tracks(NamedTuple):
    """Everything the march went through `[k, n, ..]`, and the heat still in the pipe at its end."""

    zones: Zones
    mains: Mains
    condenser: Condenser
    in_transit_kw: Array


def march(state: State, disturbance: Disturbance, air: AirPath, water: WaterPath, r: Ready) -> Tracks:
    """Temperatures of a row of sub-steps."""
    hot, rack = state.hot_c, state.rack_c
    chws, chwr, cws = (split(each, r) for each in (state.chws_c, state.chwr_c, state.cws_c))
    transit = [split(state.in_transit_kw[:, i : i + 1], r) for i in range(state.in_transit_kw.shape[1])]
    zones: list[Zones] = []
    mains: list[list[Mains]] = []
    condenser: list[list[Condenser]] = []
    for i, rows in enumerate(_rows(water, disturbance, r)):
        zone = advance_zones(i, hot, rack, _joined(chws), disturbance.it_kw, air, r)
        transit.append(split(r.total(zone.coil_kw), r))
        wanted = split(r.total(zone.water_kw_per_k), r)
        main = list(map(advance_mains, chws, chwr, cws, transit.pop(0), wanted, rows, r.loops))
        cond = list(map(advance_condenser, cws, [m.load_kw + m.free_kw + m.chiller_kw for m in main], rows, r.loops))
        hot, rack = zone.hot_c, zone.rack_c
        chws, chwr, cws = [m.chws_c for m in main], [m.chwr_c for m in main], [c.cws_c for c in cond]
        zones.append(zone)
        mains.append(main)
        condenser.append(cond)
    return Tracks(
        Zones(*_columns(zones, r)),
        Mains(*_plant_columns(mains, r)),
        Condenser(*_plant_columns(condenser, r)),
        np.array(transit).T if r.few else r.xp.concat([each[0] for each in transit], axis=1),
    )


def _joined(values: list[Any]) -> Any:
    """What `split` took apart, to be computed with the zones."""
    return values[0] if len(values) == 1 else np.array(values)[:, None]


def _rows(water: WaterPath, disturbance: Disturbance, r: Ready) -> list[list[LoopRow]]:
    """For each sub-step, what `split` makes of its row."""
    fields = (
        water.chws_setpoint_c, water.tower_setpoint_c, disturbance.wet_bulb_c,
        water.capacity0, water.capacity1, water.capacity2, *water.input_ratio,
        water.flow_kw_per_k, water.per_flow, water.pump_kw, water.basin_keep, water.basin_take,
        water.full_fan0, water.full_fan1, water.full_fan2,
    )  # fmt: skip
    substeps, lanes = disturbance.wet_bulb_c.shape[:2]
    if not r.few:
        each = [value if value.ndim == 3 else [value] * substeps for value in fields]
        return [[LoopRow(*row)] for row in zip(*each, strict=True)]
    whole = np.empty((substeps, lanes, len(fields)))
    for column, value in enumerate(fields):
        whole[..., column : column + 1] = value
    return [list(map(LoopRow._make, row)) for row in whole.tolist()]


def _columns(rows: list[Zones] | list[Mains] | list[Condenser], r: Ready) -> Array:
    """Fields of all rows in one array `[fields, k, n, m]`."""
    flat = [each for column in zip(*rows, strict=True) for each in column]
    whole = stacked(flat, r.xp)
    return r.xp.reshape(whole, (len(rows[0]), len(rows), *whole.shape[1:]))


def _plant_columns(rows: list[list[Mains]] | list[list[Condenser]], r: Ready) -> Array:
    if r.few:
        return np.array(rows).transpose(2, 0, 1)[..., None]
    return _columns([row[0] for row in rows], r)  # type: ignore[arg-type]
