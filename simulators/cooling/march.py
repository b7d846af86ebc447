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
from simulators.cooling.ready import Ready
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
    chws, chwr, cws = (_plain(each, r) for each in (state.chws_c, state.chwr_c, state.cws_c))
    transit = [_plain(state.in_transit_kw[:, i : i + 1], r) for i in range(state.in_transit_kw.shape[1])]
    zones: list[Zones] = []
    mains: list[Mains] = []
    condenser: list[Condenser] = []
    for i, row in enumerate(_rows(water, disturbance, r)):
        zone = advance_zones(i, hot, rack, chws, disturbance.it_kw, air, r)
        transit.append(_plain(r.total(zone.coil_kw), r))
        main = advance_mains(chws, chwr, cws, transit.pop(0), _plain(r.total(zone.water_kw_per_k), r), row, r.loop)
        cond = advance_condenser(cws, main.load_kw + main.free_kw + main.chiller_kw, row, r.loop)
        hot, rack, chws, chwr, cws = zone.hot_c, zone.rack_c, main.chws_c, main.chwr_c, cond.cws_c
        zones.append(zone)
        mains.append(main)
        condenser.append(cond)
    return Tracks(
        Zones(*_columns(zones, r)),
        Mains(*_plant_columns(mains, r)),
        Condenser(*_plant_columns(condenser, r)),
        np.array([transit]) if r.alone else r.xp.concat(transit, axis=1),
    )


def _plain(value: Array, r: Ready) -> Any:
    """A plant value `[n, 1]`, as a float where the batch is one."""
    return value.item() if r.alone else value


def _rows(water: WaterPath, disturbance: Disturbance, r: Ready) -> list[LoopRow]:
    substeps, e = disturbance.it_kw.shape[0], water.input_ratio

    def each(values: Array) -> list[Any]:
        return values.ravel().tolist() if r.alone else list(values)

    def same(value: Array) -> list[Any]:
        return [_plain(value, r)] * substeps

    return [
        LoopRow(*values)
        for values in zip(
            same(water.chws_setpoint_c), same(water.tower_setpoint_c), each(disturbance.wet_bulb_c),
            each(water.capacity0), each(water.capacity1), each(water.capacity2), same(e[0]), same(e[1]), same(e[2]),
            each(water.flow_kw_per_k), each(water.per_flow), each(water.pump_kw),
            each(water.basin_keep), each(water.basin_take),
            each(water.full_fan0), each(water.full_fan1), each(water.full_fan2),
            strict=True,
        )
    ]  # fmt: skip


def _columns(rows: list[Zones] | list[Mains] | list[Condenser], r: Ready) -> Array:
    """Fields of all rows in one array `[fields, k, n, m]`."""
    flat = [each for column in zip(*rows, strict=True) for each in column]
    whole = stacked(flat, r.xp)
    return r.xp.reshape(whole, (len(rows[0]), len(rows), *whole.shape[1:]))


def _plant_columns(rows: list[Mains] | list[Condenser], r: Ready) -> Array:
    if not r.alone:
        return _columns(rows, r)
    return np.array(list(zip(*rows, strict=True)))[:, :, None, None]
