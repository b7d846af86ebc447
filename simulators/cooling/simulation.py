"""One run of a batch of plants, sub-step by sub-step: what a plant adapter holds on to."""

import json
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from simulators.common.signals import SetpointSpec, SignalSpec
from simulators.cooling.physics.outputs import Outputs
from simulators.cooling.physics.plant import SUB_STEP_S, advance
from simulators.cooling.physics.state import LONG_AGO_S, Disturbance, State
from simulators.cooling.world.faults import Fault, SensorFaults, sensor_faults, with_plant_faults
from simulators.cooling.world.scenario import SUB_STEPS, DisturbanceSource, Scenario
from simulators.cooling.world.signals import observe, readback, setpoint_specs, signal_specs

SAFE_START = {"supply_air_c": 20.0, "fan": 0.8, "chws_c": 10.0, "tower_c": 22.0, "chillers_on": 1.0}


def start_setpoints(zones: int, lanes: int) -> NDArray[np.float64]:
    """A plain command `[lanes, zones + 4]` that cools the plant in any weather of the demo."""
    s = SAFE_START
    row = [s["supply_air_c"], *[s["fan"]] * zones, s["chws_c"], s["tower_c"], s["chillers_on"]]
    return np.tile(np.array(row), (lanes, 1))


def start_state(disturbance: Disturbance, setpoints: NDArray[np.float64], transit_slots: int) -> State:
    """A state near rest under these setpoints `[n, zones + 4]` and this first row of disturbances."""
    it_kw = disturbance["it_kw"][0]
    lanes, zones = it_kw.shape
    supply, (chws, tower, chillers) = setpoints[:, 0:1], setpoints[:, 1 + zones :].T
    records = State.records(
        (lanes,),
        zones,
        fan_frac=setpoints[:, 1 : 1 + zones],
        supply_c=supply,
        hot_c=supply + 9.0,
        rack_c=supply + 1.5 + it_kw / 20.0,
        chws_c=chws,
        chwr_c=chws + 9.0,
        cws_c=np.maximum(tower, disturbance["wet_bulb_c"][0] + 3.0),
        chillers=chillers,
        chillers_on=chillers,
        since_start_s=LONG_AGO_S,
        since_stop_s=LONG_AGO_S,
        room_kg_kg=0.0075,
    )
    return State(*records, np.repeat(np.sum(it_kw, axis=1, keepdims=True), transit_slots, axis=1))


class Simulation:
    """A batch of plants that can be stepped, read, saved and resumed to the same bits.

    Args:
        scenario: the world to run in.
        seed: of load (and of everything else random).
        lanes: how many plants, numbered from 0.
        start_node: five-minute node of the year to start at, for every lane.
    """

    def __init__(self, scenario: Scenario, seed: int = 0, lanes: int = 1, start_node: int = 0) -> None:
        self.scenario, self.lanes = scenario, lanes
        self._params = scenario.params()
        self._source = DisturbanceSource(scenario, seed, np.arange(lanes), np.full(lanes, start_node, dtype=np.int64))
        self._faults: tuple[Fault, ...] = ()
        self._names = tuple(spec.name for spec in signal_specs(scenario.zones))
        self._broken = sensor_faults(scenario.faults, self._names, lanes)
        self._step, self._row = 0, self._source.row(0)
        self._setpoints = start_setpoints(scenario.zones, lanes)
        self._state = start_state(self._row, self._setpoints, self._params.transit_slots(SUB_STEP_S))
        self.sub_step(self._setpoints)

    @property
    def signals(self) -> tuple[SignalSpec, ...]:
        return signal_specs(self.scenario.zones)

    @property
    def setpoints(self) -> tuple[SetpointSpec, ...]:
        return setpoint_specs(self.scenario.zones)

    @property
    def elapsed_s(self) -> float:
        """Plant time since the start."""
        return self._step * SUB_STEP_S

    @property
    def outputs(self) -> Outputs:
        """Everything the last sub-step did, beyond what sensors tell."""
        return self._outputs

    def sub_step(self, setpoints: NDArray[np.float64]) -> None:
        """Obey `setpoints` `[lanes, zones + 4]` for 30 s of plant time."""
        control_step, index = divmod(self._step, SUB_STEPS)
        if index == 0:
            self._row = self._source.row(control_step)
        self._setpoints = np.asarray(setpoints, dtype=np.float64)
        now = self._row.at(slice(index, index + 1))
        if self._faults:
            middle_s = np.array([(self._step + 0.5) * SUB_STEP_S])
            now = with_plant_faults(now, self._faults, middle_s)
        self._before, self._held_before = self._state, self._broken.held
        self._state, outputs = advance(self._before, self._setpoints, now, self._params)
        self._outputs = outputs.at(-1)
        self._step += 1
        signals = observe(self._outputs, now.at(-1), self._params)
        self._signals, self._broken = self._broken.read(signals, self.elapsed_s)

    def inject(self, *faults: Fault) -> None:
        """Let these happen too; their times are seconds since the start of the run (`elapsed_s`).

        Network gaps, and delay and noise of sensors, are the business of whatever stands between this and a controller.

        Raises:
            ValueError: one would have begun before now.
        """
        if early := [fault for fault in faults if fault.at_s < self.elapsed_s]:
            raise ValueError(f"fault `{early[0].kind}` at {early[0].at_s} s is in the past; now is {self.elapsed_s} s")
        self._faults = (*self._faults, *faults)
        more = sensor_faults(faults, self._names, self.lanes)
        self._broken = SensorFaults((*self._broken.faults, *more.faults), (*self._broken.held, *more.held))
        self._held_before = (*self._held_before, *more.held)

    def observe(self) -> NDArray[np.float64]:
        """Signals `[lanes, m]` in the order of `signals`."""
        return self._signals

    def readback(self) -> NDArray[np.float64]:
        """The value that the plant reports for each setpoint, `[lanes, zones + 4]`."""
        return readback(self._setpoints, self.outputs)

    def save(self) -> bytes:
        """The run as bytes; give them to `restore` of a simulation made with the same arguments."""
        header = json.dumps(
            {
                "sub_steps": self._step,
                "setpoints": [list(map(float.hex, row)) for row in self._setpoints],
                "faults": [asdict(fault) for fault in self._faults],
                "held": [list(map(float.hex, each)) for each in self._held_before],
            }
        )
        return header.encode() + b"\n" + self._before.to_bytes()

    def restore(self, data: bytes) -> None:
        """Continue where `save` was called, to the same bits, by doing its last sub-step again."""
        header, _, state = data.partition(b"\n")
        try:
            saved = json.loads(header)
            step = int(saved["sub_steps"])
            setpoints = np.array([[float.fromhex(v) for v in row] for row in saved["setpoints"]])
            faults = tuple(Fault(**each) for each in saved["faults"])
            held = tuple(np.array([float.fromhex(v) for v in each]) for each in saved["held"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError("not a saved simulation of this version; start a new run") from error
        self._faults = faults
        columns = sensor_faults((*self.scenario.faults, *faults), self._names, self.lanes).faults
        self._broken = SensorFaults(columns, held)
        self._state, self._step = State.from_bytes(state), step - 1
        self._row = self._source.row(self._step // SUB_STEPS)
        self.sub_step(setpoints)
