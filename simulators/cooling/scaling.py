"""Between engineering units and the normalised tensors a learner sees: the same for all plants of a size."""

import numpy as np
from numpy.typing import NDArray

from simulators.common.signals import SetpointSpec, SignalSpec
from simulators.cooling.world.signals import setpoint_specs, signal_specs

OBSERVATION_LIMIT = 5.0


class Scaling:
    """Signals and setpoints become (value - middle) / half range of their specs; observations are cut at +-5.

    An observation is all signals in spec order, then the setpoints now in force. An action is one number in -1..1 for
    each setpoint; a setpoint with listed values takes the one whose equal share of -1..1 the number falls into.
    """

    def __init__(self, zones: int) -> None:
        self.signals, self.setpoints = signal_specs(zones), setpoint_specs(zones)
        signal_middle, signal_half = _range(self.signals)
        self._setpoint_middle, self._setpoint_half = _range(self.setpoints)
        self._discrete = [(i, np.array(s.values)) for i, s in enumerate(self.setpoints) if s.values is not None]
        self._middle = np.concatenate([signal_middle, self._setpoint_middle])
        self._half = np.concatenate([signal_half, self._setpoint_half])

    def observation(self, signals: NDArray[np.float64], setpoints: NDArray[np.float64]) -> NDArray[np.float32]:
        """`[n, signals + setpoints]` from engineering units."""
        scaled = (np.concatenate([signals, setpoints], axis=1) - self._middle) / self._half
        limited = np.minimum(np.maximum(scaled, -OBSERVATION_LIMIT), OBSERVATION_LIMIT)
        return np.asarray(limited, dtype=np.float32)

    def command(self, action: NDArray[np.float32]) -> NDArray[np.float64]:
        """Setpoints `[n, setpoints]` in engineering units from actions in -1..1."""
        action = np.minimum(np.maximum(np.asarray(action, dtype=np.float64), -1.0), 1.0)
        command = self._setpoint_middle + action * self._setpoint_half
        for column, values in self._discrete:
            index = np.minimum((0.5 * (action[:, column] + 1.0) * len(values)).astype(np.int64), len(values) - 1)
            command[:, column] = values[index]
        return command

    def action(self, command: NDArray[np.float64]) -> NDArray[np.float32]:
        """The action that gives this command, discrete setpoints at the middle of their share."""
        action = (command - self._setpoint_middle) / self._setpoint_half
        for column, values in self._discrete:
            nearest = np.argmin(np.abs(command[:, column : column + 1] - values), axis=1)
            action[:, column] = (2.0 * nearest + 1.0) / len(values) - 1.0
        return action.astype(np.float32)


def _range(specs: tuple[SignalSpec, ...] | tuple[SetpointSpec, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, high = np.array([s.low for s in specs]), np.array([s.high for s in specs])
    return 0.5 * (low + high), 0.5 * (high - low)
