"""Signals and setpoints of the plant: their names, units and order, and how signals are read from outputs."""

from functools import cache

import numpy as np

from simulators.common.signals import SetpointSpec, SignalSpec
from simulators.cooling.physics.compiled import compiled
from simulators.cooling.physics.outputs import Outputs
from simulators.cooling.physics.params import Params
from simulators.cooling.physics.psychrometrics import dew_point, vapour_pressure
from simulators.cooling.physics.records import Floats, Records
from simulators.cooling.physics.state import Disturbance


def setpoint_specs(zones: int, chiller_units: int = 2) -> tuple[SetpointSpec, ...]:
    """Setpoints in the order of the command array `[n, zones + 4]`."""
    return (
        SetpointSpec("supply_air_c", "C", 16.0, 26.0),
        *(SetpointSpec(f"fan_z{zone}_frac", "1", 0.3, 1.0) for zone in range(1, zones + 1)),
        SetpointSpec("chws_c", "C", 7.5, 13.0),
        SetpointSpec("tower_c", "C", 13.0, 28.0),
        SetpointSpec(
            "chillers_on", "1", 1.0, float(chiller_units), tuple(float(n) for n in range(1, chiller_units + 1))
        ),
    )


@cache
def signal_specs(zones: int, it_design_kw: float = 250.0) -> tuple[SignalSpec, ...]:
    """Signals in the order of `observe`."""
    whole = zones * it_design_kw

    def each(name: str, unit: str, low: float, high: float, description: str) -> tuple[SignalSpec, ...]:
        return tuple(SignalSpec(name.format(z), unit, low, high, description.format(z)) for z in range(1, zones + 1))

    return (
        *each("inlet_z{}_c", "C", 15.0, 35.0, "hottest rack inlet of zone {}"),
        *each("return_z{}_c", "C", 20.0, 45.0, "air returning to the coils of zone {}"),
        *each("supply_z{}_c", "C", 14.0, 30.0, "air leaving the coils of zone {}"),
        *each("it_z{}_kw", "kW", 0.0, it_design_kw, "IT power of zone {}"),
        *each("fan_z{}_actual_frac", "1", 0.0, 1.0, "actual fan speed share of zone {}"),
        SignalSpec("chws_temp_c", "C", 5.0, 20.0, "chilled water supply main"),
        SignalSpec("chwr_temp_c", "C", 10.0, 30.0, "chilled water return main"),
        SignalSpec("cws_temp_c", "C", 10.0, 35.0, "condenser water from the tower"),
        SignalSpec("cwr_temp_c", "C", 15.0, 40.0, "condenser water to the tower"),
        SignalSpec("chw_flow_kg_s", "kg/s", 0.0, 0.04 * whole, "chilled water flow"),
        SignalSpec("chillers_running", "1", 0.0, 2.0, "chillers at load; between whole numbers while one starts"),
        SignalSpec("outdoor_dry_bulb_c", "C", -20.0, 40.0, "outdoor dry bulb"),
        SignalSpec("outdoor_wet_bulb_c", "C", -20.0, 30.0, "outdoor wet bulb"),
        SignalSpec("outdoor_dew_point_c", "C", -25.0, 27.0, "outdoor dew point"),
        SignalSpec("room_dew_point_c", "C", -15.0, 20.0, "room dew point"),
        SignalSpec("it_power_kw", "kW", 0.0, whole, "IT power"),
        SignalSpec("fan_power_kw", "kW", 0.0, 0.05 * whole, "CRAH fan power"),
        SignalSpec("pump_power_kw", "kW", 0.0, 0.03 * whole, "chilled and condenser water pump power"),
        SignalSpec("chiller_power_kw", "kW", 0.0, 0.2 * whole, "chiller power"),
        SignalSpec("tower_power_kw", "kW", 0.0, 0.025 * whole, "tower fan power"),
        SignalSpec("cooling_power_kw", "kW", 0.0, 0.3 * whole, "power of all cooling equipment"),
    )


def observe(outputs: Outputs, disturbance: Disturbance, params: Params) -> Floats:
    """Signals `[n, m]` in the order of `signal_specs`, at the end of one sub-step; all arguments `[n, ..]`.

    A row of sub-steps is read at once if outputs and disturbance have a first axis `[k, n, ..]`.
    """
    *row, lanes, zones = outputs.zone.shape
    count = int(np.prod(row)) * lanes
    signals = np.empty((*row, lanes, len(signal_specs(zones))))
    inputs = np.ascontiguousarray(disturbance.plant)
    read_signals(
        params.plant, outputs.zone.reshape(count, zones), outputs.plant.reshape(count), inputs.reshape(count), lanes,
        signals.reshape(count, -1),
    )  # fmt: skip
    return signals


@compiled
def read_signals(
    params: Records, zone_outputs: Records, plant_outputs: Records, plant_inputs: Records, lanes: int, signals: Floats
) -> None:
    """`observe` on arrays of `rows x lanes` plants: fills `signals`."""
    zones = zone_outputs.shape[1]
    for i in range(signals.shape[0]):
        s, o, given = signals[i], plant_outputs[i], plant_inputs[i]
        p = params[i % lanes if params.shape[0] > 1 else 0]
        it_kw, fan_kw = 0.0, 0.0
        for z in range(zones):
            at = zone_outputs[i, z]
            s[z], s[zones + z], s[2 * zones + z] = at.inlet_c, at.return_c, at.supply_c
            s[3 * zones + z], s[4 * zones + z] = at.it_kw, at.fan_frac
            it_kw, fan_kw = it_kw + at.it_kw, fan_kw + at.fan_kw
        pump_kw = o.chw_pump_kw + o.cw_pump_kw
        room_c = dew_point(vapour_pressure(o.room_kg_kg, p.pressure_pa))
        whole = (
            o.chws_c, o.chwr_c, o.cws_c, o.cwr_c, o.chw_flow_kg_s, o.chillers,
            given.dry_bulb_c, given.wet_bulb_c, given.dew_point_c, room_c,
            it_kw, fan_kw, pump_kw, o.chiller_kw, o.tower_kw, fan_kw + pump_kw + o.chiller_kw + o.tower_kw,
        )  # fmt: skip
        for column in range(len(whole)):
            s[5 * zones + column] = whole[column]


def readback(setpoints: Floats, outputs: Outputs) -> Floats:
    """The value that the plant reports for each setpoint `[n, zones + 4]`; a row of sub-steps as in `observe`.

    A local loop reports its own setpoint; fans report the speed they run at, and chillers how many run.
    """
    zones = outputs.zone.shape[-1]
    does = np.array(setpoints, dtype=np.float64)
    does[..., 1 : 1 + zones] = outputs["fan_frac"]
    does[..., 3 + zones] = outputs["chillers_on"]
    return does
