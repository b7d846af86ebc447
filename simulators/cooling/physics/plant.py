"""The cooling plant: a row of sub-steps for a batch of plants.

Each pair of stores that exchange heat (air and racks; supply and return main) is advanced by the implicit midpoint rule,
solved in closed form. The rule is of second order and stable, and the first law holds to rounding because every flow is
taken at the same midpoint. Slow couplings (coil to water main, zone to zone, basin to chiller) use the state at the
start. A lane is computed on its own, sub-step by sub-step, so its bits depend neither on the batch nor on how a row is
cut.
"""

from math import exp

import numpy as np

from simulators.cooling.physics import tower
from simulators.cooling.physics.air import ZoneWork, air_flow, outdoor_share, set_rates, zone_step
from simulators.cooling.physics.coil import coil_at, supply_air
from simulators.cooling.physics.compiled import compiled, scalar
from simulators.cooling.physics.outputs import Outputs, PlantOutput, ZoneOutput
from simulators.cooling.physics.params import Params, PlantParams, ZoneParams
from simulators.cooling.physics.psychrometrics import room_humidity
from simulators.cooling.physics.records import Floats, Records, dtype_of
from simulators.cooling.physics.staging import stage
from simulators.cooling.physics.state import Disturbance, PlantInput, PlantState, State, ZoneInput, ZoneState
from simulators.cooling.physics.water_loop import WATER_KJ_PER_KG_K, mains_step

SUB_STEP_S = 30.0
"""Sub-step the plant is tuned and tested for. [s]"""
SECONDS_PER_HOUR = 3600.0
"""[s/h]"""
STILL_WATER = 0.05
"""Share of one condenser pump's flow that remains with all of them stopped. [1] Keeps divisions finite."""


def advance(
    state: State, setpoints: Floats, disturbance: Disturbance, params: Params, dt_s: float = SUB_STEP_S
) -> tuple[State, Outputs]:
    """The plants after a row of sub-steps under one command, and what each sub-step did.

    Args:
        state: where they are, `n` lanes.
        setpoints: `[n, zones + 4]`, in the order of `signals.setpoint_specs`.
        disturbance: weather, load and failures of `k` sub-steps, `[k, n, ..]`, or `[k, 1, ..]` for all lanes.
        params: of `n` lanes, or of one for all.
        dt_s: length of a sub-step. [s]

    Raises:
        ValueError: shapes do not fit each other, or a sub-step is not longer than 0 s.
    """
    lanes, zones = state.zone.shape
    _check(state, setpoints, disturbance, params, dt_s)
    k, end = len(disturbance.plant), state.copy()
    outputs = Outputs(np.empty((k, lanes, zones), Outputs.ZONE), np.empty((k, lanes), Outputs.PLANT))
    advance_lanes(
        params.zone, params.plant, end.zone, end.plant, end.in_transit_kw, _contiguous(setpoints),
        _contiguous(disturbance.zone), _contiguous(disturbance.plant), outputs.zone, outputs.plant, float(dt_s),
    )  # fmt: skip
    return end, outputs


def _check(state: State, setpoints: Floats, disturbance: Disturbance, params: Params, dt_s: float) -> None:
    """Refuse shapes for which compiled code would read past the end of an array."""
    if dt_s <= 0:
        raise ValueError(f"`dt_s` is {dt_s}; a sub-step is longer than 0 s")
    lanes, zones = state.zone.shape
    k, met, _ = disturbance.zone.shape
    _expect("setpoints", setpoints.shape, (lanes, zones + 4))
    _expect("disturbance of zones", disturbance.zone.shape, (k, lanes if met > 1 else 1, zones))
    _expect("disturbance of plants", disturbance.plant.shape, (k, met))
    _expect("parameters of zones", params.zone.shape, (lanes if len(params.zone) > 1 else 1, zones))
    _expect("parameters of plants", params.plant.shape, params.zone.shape[:1])
    _expect("heat in transit", state.in_transit_kw.shape, (lanes, params.transit_slots(dt_s)))


def _expect(name: str, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise ValueError(f"{name}: shape {list(found)}, expected {list(expected)}")


def _contiguous(values: Records) -> Records:
    """The array as compiled code takes it, so that it is compiled for one layout only."""
    same = values.flags.c_contiguous and values.flags.writeable
    return values if same else values.copy()


@compiled
def advance_lanes(
    zone_params: Records, plant_params: Records, zones: Records, plants: Records, in_transit_kw: Floats,
    setpoints: Floats, zone_inputs: Records, plant_inputs: Records, zone_outputs: Records, plant_outputs: Records,
    dt_s: float,
) -> None:  # fmt: skip
    """`advance` on arrays: changes the state in place and fills the outputs."""
    for lane in range(plants.shape[0]):
        own = lane if plant_params.shape[0] > 1 else 0
        met = lane if plant_inputs.shape[1] > 1 else 0
        advance_lane(
            zone_params[own], plant_params[own], zones[lane], plants[lane], in_transit_kw[lane], setpoints[lane],
            zone_inputs[:, met], plant_inputs[:, met], zone_outputs[:, lane], plant_outputs[:, lane], dt_s,
        )  # fmt: skip


WORK = dtype_of(ZoneWork)
"""What `advance_lane` holds of each zone."""


@scalar
def advance_lane(
    zone_params: Records, p: PlantParams, zones: Records, s: PlantState, in_transit_kw: Floats, setpoints: Floats,
    zone_inputs: Records, plant_inputs: Records, zone_outputs: Records, plant_outputs: Records, dt_s: float,
) -> None:  # fmt: skip
    """One plant through a row of sub-steps; zone arrays `[zones]` or `[k, zones]`, plant arrays `[k]`."""
    count = zones.shape[0]
    chws_setpoint, tower_setpoint, wanted = setpoints[1 + count], setpoints[2 + count], setpoints[3 + count]
    work, room_kept = np.empty(count, WORK), exp(-dt_s * p.room_air_changes_per_h / SECONDS_PER_HOUR)
    for z in range(count):
        set_rates(zone_params[z], work[z], dt_s)
    for k in range(plant_inputs.shape[0]):
        given, out = plant_inputs[k], plant_outputs[k]
        at_load = stage(p, s, wanted, given.chillers_available, dt_s)
        outdoor_frac = outdoor_share(p, given.dry_bulb_c, given.dew_point_c)
        water_kw_per_k, coil_kw, from_left_kw = 0.0, 0.0, 0.0
        for z in range(count):
            to_right_kw = 0.0
            if z + 1 < count:
                to_right_kw = (zones[z].hot_c - zones[z + 1].hot_c) * zone_params[z + 1].mixing_kw_per_k
            water_kw_per_k += advance_zone(
                zone_params[z], zones[z], work[z], s.chws_c, setpoints[1 + z], setpoints[0], zone_inputs[k, z], given,
                from_left_kw - to_right_kw, outdoor_frac, zone_outputs[k, z],
            )  # fmt: skip
            from_left_kw = to_right_kw
            coil_kw += zone_outputs[k, z].coil_kw
        arriving_kw = in_transit_kw[0]
        for i in range(in_transit_kw.shape[0] - 1):
            in_transit_kw[i] = in_transit_kw[i + 1]
        in_transit_kw[-1] = coil_kw
        advance_water(
            p, s, arriving_kw, water_kw_per_k, chws_setpoint, tower_setpoint, at_load, room_kept, given, out, dt_s
        )
        for z in range(count):
            read_air(zones[z], work[z], s.chws_c, zone_outputs[k, z])


@scalar
def advance_zone(
    zone: ZoneParams, at: ZoneState, work: ZoneWork, chws_c: float, fan_setpoint: float, supply_setpoint: float,
    given: ZoneInput, outdoor: PlantInput, mixing_kw: float, outdoor_frac: float, out: ZoneOutput,
) -> float:  # fmt: skip
    """One zone through a sub-step; returns the chilled water that its coil takes. [kW/K]"""
    speed = fan_setpoint + (at.fan_frac - fan_setpoint) * work.fan_mean
    aim_c = supply_setpoint + (at.supply_c - supply_setpoint) * work.supply_mean
    at.fan_frac = fan_setpoint + (at.fan_frac - fan_setpoint) * work.fan_keep
    at.supply_c = supply_setpoint + (at.supply_c - supply_setpoint) * work.supply_keep
    air = air_flow(zone, work.air_rated_kw_per_k, speed, given.it_kw, given.fan_available)
    coil = coil_at(zone, air.kw_per_k, air.frac, given.coil_available)
    done = zone_step(
        zone, work, air, coil, at.hot_c, at.rack_c, chws_c, aim_c, given.it_kw, mixing_kw, outdoor_frac,
        outdoor.dry_bulb_c,
    )  # fmt: skip
    at.hot_c, at.rack_c = done.hot_c, done.rack_c
    work.air_kw_per_k, work.hot_spot, work.effectiveness = air.kw_per_k, air.hot_spot, coil.effectiveness
    out.return_c, out.it_kw, out.fan_frac, out.fan_kw = done.hot_c, done.it_kw, air.fan_frac, air.fan_kw
    out.coil_kw, out.outdoor_air_kw = done.coil_kw, done.outdoor_kw
    out.water_frac = done.water_kw_per_k * zone.coil_capacity_ratio / work.air_rated_kw_per_k
    out.envelope_kw = zone.envelope_kw_per_k * (outdoor.dry_bulb_c - done.hot_mid_c)
    return done.water_kw_per_k


@scalar
def advance_water(
    p: PlantParams, s: PlantState, arriving_kw: float, wanted_kw_per_k: float, chws_setpoint: float,
    tower_setpoint: float, at_load: float, room_kept: float, given: PlantInput, out: PlantOutput, dt_s: float,
) -> None:  # fmt: skip
    """Mains, basin and room air through a sub-step."""
    flowing = max(s.chillers_on, STILL_WATER)
    cw_kw_per_k, water_frac = flowing * p.cw_unit_kw_per_k, flowing / p.chiller_units
    mains = mains_step(
        p, s.chws_c, s.chwr_c, s.cws_c, arriving_kw, wanted_kw_per_k, chws_setpoint, at_load, cw_kw_per_k, dt_s
    )
    cw_pump_kw = s.chillers_on * p.cw_pump_unit_kw
    heat_kw = mains.load_kw + mains.free_kw + mains.chiller_kw + cw_pump_kw
    rise_k = heat_kw / cw_kw_per_k
    terms = tower.approach_terms(given.wet_bulb_c, rise_k)
    basin = tower.basin_step(
        p,
        terms,
        s.cws_c,
        rise_k,
        cw_kw_per_k,
        water_frac,
        tower_setpoint,
        given.wet_bulb_c,
        given.tower_available,
        dt_s,
    )
    s.chws_c, s.chwr_c, s.cws_c = mains.chws_c, mains.chwr_c, basin.cws_c
    s.room_kg_kg = room_humidity(p, s.room_kg_kg, given.outdoor_kg_kg, s.chws_c, room_kept)
    fan = tower.fan_for(terms, tower_setpoint - given.wet_bulb_c, water_frac)
    out.chws_c, out.chwr_c, out.cws_c, out.room_kg_kg = s.chws_c, s.chwr_c, s.cws_c, s.room_kg_kg
    out.cwr_c = basin.cws_c + rise_k
    out.chw_flow_kg_s = mains.flow_kw_per_k / WATER_KJ_PER_KG_K
    out.chillers, out.chillers_on = at_load, s.chillers_on
    out.chiller_load_kw, out.economiser_kw, out.chiller_kw = mains.load_kw, mains.free_kw, mains.chiller_kw
    out.chw_pump_kw, out.cw_pump_kw = mains.pump_kw, cw_pump_kw
    out.tower_fan_frac = min(fan, given.tower_available)
    out.tower_kw = p.tower_fan_rated_kw * tower.fan_power_frac(out.tower_fan_frac)
    out.rejected_kw = heat_kw + cw_kw_per_k * (basin.mid_c - basin.leaving_c)
    out.makeup_kg_s = tower.makeup_kg_s(p, out.rejected_kw, cw_kw_per_k)


@scalar
def read_air(at: ZoneState, work: ZoneWork, chws_c: float, out: ZoneOutput) -> None:
    """Supply air and the hottest rack's inlet of one zone, at the end of a sub-step."""
    mixed_c = at.hot_c - out.outdoor_air_kw / work.air_kw_per_k
    out.supply_c = supply_air(work.effectiveness, at.supply_c, mixed_c, chws_c)
    out.inlet_c = out.supply_c + work.hot_spot * (at.hot_c - out.supply_c)
