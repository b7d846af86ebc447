"""The line between controller and plant: commands on their way down, signals on their way up."""

import numpy as np
from numpy.typing import NDArray

from simulators.cooling.simulation import start_setpoints
from simulators.cooling.world.faults import in_network_gap, sensor_faults
from simulators.cooling.world.scenario import CONTROL_STEP_S, Scenario
from simulators.cooling.world.sensors_actuators import Actuators, SensorNoise, by_unit, limited, measured
from simulators.cooling.world.signals import setpoint_specs, signal_specs

Floats = NDArray[np.float64]


class Link:
    """Sensors, actuators and network of a batch of plants; passes everything through where the scenario is ideal."""

    def __init__(self, scenario: Scenario, lanes: int) -> None:
        self._scenario, self._lanes = scenario, lanes
        self._signals, self._setpoints = signal_specs(scenario.zones), setpoint_specs(scenario.zones)
        self._names = tuple(spec.name for spec in self._signals)
        self._discrete = np.array([spec.values is not None for spec in self._setpoints])
        if scenario.sensors is not None:
            self._spread = by_unit(self._signals, scenario.sensors.noise)
            self._step = by_unit(self._signals, scenario.sensors.step)

    def restart(self, setpoints: Floats, seed: int, numbers: NDArray[np.int64], episode: int) -> None:
        """Forget everything; `setpoints` are in force."""
        self._in_force = setpoints
        self._local = start_setpoints(self._scenario.zones, self._lanes)
        self._sent = [setpoints] * (self._scenario.actuators.delay_steps if self._scenario.actuators else 0)
        self._last_sent, self._silent_steps, self._up_steps = setpoints, 0, 0
        self._read: list[Floats] = []
        self._broken = sensor_faults(self._scenario.faults, self._names, self._lanes)
        name = f"{self._scenario.name}/{episode}"
        self._noise = SensorNoise(name, seed, numbers, len(self._signals))

    def down(self, command: Floats, now_s: float) -> Floats:
        """The command that the plant follows during the control step that begins at `now_s`."""
        actuators = self._scenario.actuators
        gap = bool(self._scenario.faults) and in_network_gap(self._scenario.faults, now_s)
        if actuators is None and not gap:
            self._last_sent = command
            return command
        expires = (actuators or Actuators()).expires_steps
        self._silent_steps = self._silent_steps + 1 if gap else 0
        if gap:
            command = self._local if self._silent_steps > expires else self._last_sent
        else:
            self._last_sent = command
        return command if actuators is None else self._actuated(command, actuators)

    def _actuated(self, command: Floats, actuators: Actuators) -> Floats:
        self._sent.append(command)
        arrived = self._sent.pop(0)
        per_minute = by_unit(self._setpoints, actuators.rates)
        most = np.where(per_minute > 0.0, per_minute * CONTROL_STEP_S / 60.0, np.inf)
        self._in_force = limited(arrived, self._in_force, most, self._discrete)
        return self._in_force

    def up(self, signals: Floats, now_s: float) -> Floats:
        """The signals that the controller reads at the end of that control step; NaN where nothing got through."""
        sensors, faults = self._scenario.sensors, self._scenario.faults
        if sensors is not None:
            signals = measured(signals, self._noise.at(self._up_steps), self._spread, self._step)
            self._up_steps += 1
            self._read = [*self._read[-sensors.delay_steps :], signals] if sensors.delay_steps else [signals]
            signals = self._read[0]
        if not faults:
            return signals
        signals, self._broken = self._broken.read(signals, now_s)
        return np.full_like(signals, np.nan) if in_network_gap(faults, now_s) else signals
