"""The cooling plant: one sub-step, or a row of them, for a batch of plants.

A row of sub-steps under one command is computed in three passes. Air flows depend on fans and load alone, so the first
pass finds them for the whole row. The second marches temperatures, the only part with feedback. The third works out
powers from what the march found. Every lane is computed independently, with elementwise operations and sums over
zones in a fixed order, so a lane's bits depend neither on the batch nor on how a row is cut.
"""

from simulators.cooling.physics import tower
from simulators.cooling.physics.air import AirPath, air_path
from simulators.cooling.physics.arrays import Array, stacked
from simulators.cooling.physics.constants import SUB_STEP_S, Ready, prepare
from simulators.cooling.physics.integrate import Tracks, march
from simulators.cooling.physics.outputs import Outputs
from simulators.cooling.physics.params import WATER_KJ_PER_KG_K, Params
from simulators.cooling.physics.psychrometrics import humidity_ratio, saturation_pressure_over_water
from simulators.cooling.physics.state import Disturbance, State
from simulators.cooling.physics.water import WaterPath, water_path


def step(
    state: State, setpoints: Array, disturbance: Disturbance, params: Params, dt_s: float = SUB_STEP_S
) -> tuple[State, Outputs]:
    """The plant one sub-step later.

    Args:
        state: where it is, `n` lanes.
        setpoints: `[n, zones + 4]`, in the order of `signals.setpoint_specs`.
        disturbance: weather, load and failures during the sub-step.
        params: the plant.
        dt_s: length of the sub-step. [s]
    """
    ready = prepare(params, dt_s, setpoints.shape[0], like=setpoints)
    row = Disturbance(*(getattr(disturbance, name)[None, ...] for name in Disturbance.__dataclass_fields__))
    state, outputs = advance(state, setpoints, row, ready)
    return state, last(outputs)


def last(outputs: Outputs) -> Outputs:
    """The outputs of the last sub-step of a row."""
    return Outputs(*(getattr(outputs, name)[-1] for name in Outputs.__dataclass_fields__))


def advance(state: State, setpoints: Array, disturbance: Disturbance, ready: Ready) -> tuple[State, Outputs]:
    """The plant after a row of sub-steps under one command; `disturbance` and outputs have a first axis `[k, ...]`."""
    air = air_path(state, setpoints, disturbance, ready)
    water = water_path(state, setpoints, disturbance, ready)
    tracks = march(state, air, water, ready)
    outputs = _outputs(state, disturbance, air, water, tracks, ready)
    end = State(
        fan_frac=air.fan_end,
        supply_c=air.supply_aim_c[-1],
        hot_c=tracks.zones.hot_c[-1],
        rack_c=tracks.zones.rack_c[-1],
        chws_c=tracks.mains.chws_c[-1],
        chwr_c=tracks.mains.chwr_c[-1],
        cws_c=tracks.condenser.cws_c[-1],
        chillers=water.staging.at_load_end,
        chillers_on=water.staging.running[-1],
        since_start_s=water.staging.since_start_s,
        since_stop_s=water.staging.since_stop_s,
        room_kg_kg=outputs.room_kg_kg[-1],
        in_transit_kw=tracks.in_transit_kw,
    )
    return end, outputs


def _outputs(
    state: State, disturbance: Disturbance, air: AirPath, water: WaterPath, tracks: Tracks, ready: Ready
) -> Outputs:
    xp = ready.xp
    zones, mains, condenser = tracks.zones, tracks.mains, tracks.condenser
    mixed = zones.hot_c - zones.outdoor_kw / air.air_kw_per_k if ready.air_economiser else zones.hot_c
    above_water = xp.maximum(mixed - mains.chws_c, ready.small_k)
    coldest = mixed - air.effectiveness * above_water
    supply = xp.minimum(xp.maximum(air.supply_aim_c, coldest), mixed)
    rejected_kw = condenser.heat_kw + water.flow_kw_per_k * (condenser.mid_c - condenser.leaving_c)
    approach = water.tower_setpoint_c - disturbance.wet_bulb_c
    tower_fan = tower.fan_for(approach, condenser.range_k, water.water_frac, water.york, ready)
    tower_fan = xp.minimum(tower_fan, disturbance.tower_available)
    return Outputs(
        inlet_c=supply + air.hot_spot * (zones.hot_c - supply),
        return_c=zones.hot_c,
        supply_c=supply,
        it_kw=zones.it_kw,
        fan_frac=air.fan_frac,
        fan_kw=air.fan_kw,
        coil_kw=zones.coil_kw,
        outdoor_air_kw=zones.outdoor_kw,
        water_frac=zones.water_kw_per_k * ready.per_water_rated,
        chws_c=mains.chws_c,
        chwr_c=mains.chwr_c,
        cws_c=condenser.cws_c,
        cwr_c=condenser.cws_c + condenser.heat_kw * water.per_flow,
        chw_flow_kg_s=mains.flow_kw_per_k * (1.0 / WATER_KJ_PER_KG_K),
        chillers=water.staging.at_load,
        chillers_on=water.staging.running,
        chiller_load_kw=mains.load_kw,
        economiser_kw=mains.free_kw,
        chiller_kw=mains.chiller_kw,
        chw_pump_kw=mains.pump_kw,
        cw_pump_kw=water.pump_kw,
        tower_fan_frac=tower_fan,
        tower_kw=tower.fan_power_frac(tower_fan, ready) * ready.params.tower_fan_rated_kw,
        rejected_kw=rejected_kw,
        makeup_kg_s=tower.makeup_kg_s(rejected_kw, water.flow_kw_per_k, ready),
        envelope_kw=ready.envelope * (disturbance.dry_bulb_c - zones.hot_mid_c),
        room_kg_kg=_room_moisture(state.room_kg_kg, disturbance, mains.chws_c, ready),
    )


COIL_SURFACE_ABOVE_WATER_K = 2.0


def _room_moisture(room: Array, disturbance: Disturbance, chws_c: Array, ready: Ready) -> Array:
    """Humidity ratio of the room [kg/kg]: follows the outdoors by air changes, up to saturation at the coils."""
    surface_c = ready.xp.minimum(chws_c + COIL_SURFACE_ABOVE_WATER_K, ready.warmest_surface)
    surface = saturation_pressure_over_water(surface_c)
    driest = humidity_ratio(surface, ready.params.pressure_pa)
    goals, ratios = ready.xp.minimum(disturbance.outdoor_kg_kg, driest), []
    for goal in goals:
        room = room + (goal - room) * ready.moisture_step
        ratios.append(room)
    return stacked(ratios, ready.xp)
