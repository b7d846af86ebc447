"""Between the plant and its controller: sensors with noise, lag and steps, actuators with delay and rate limits.

All of it is pure, with memory as a value, and none of it costs anything where a scenario does not ask for it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.common.random_numbers import normals
from simulators.common.signals import SetpointSpec, SignalSpec

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sensors:
    """How signals are measured; every signal of a unit alike."""

    noise: tuple[tuple[str, float], ...] = (("C", 0.1), ("kW", 0.5), ("kg/s", 0.1))
    """Standard deviation by unit."""
    step: tuple[tuple[str, float], ...] = (("C", 0.1), ("kW", 0.1), ("kg/s", 0.05), ("1", 0.01))
    """Smallest difference a sensor tells apart, by unit."""
    delay_steps: int = 0
    """Control steps between a value and its reading."""


@dataclass(frozen=True, slots=True)
class Actuators:
    """How commands become what the plant obeys."""

    delay_steps: int = 0
    """Control steps between a command and its effect."""
    rates: tuple[tuple[str, float], ...] = (("C", 0.5), ("1", 0.05))
    """Greatest change a minute, by unit; setpoints with listed values jump."""
    expires_steps: int = 6
    """A command older than this, because nothing newer arrived, gives way to the plain local setpoints."""


class SensorNoise:
    """Standard normal numbers by (scenario, seed, lane, control step), made a day at a time."""

    def __init__(self, name: str, seed: int, lanes: NDArray[np.int64], width: int) -> None:
        self._key, self._lanes, self._width = (f"{name}/sensors", seed), lanes, width
        self._day, self._made = -1, np.empty(0)

    def at(self, step: int) -> Floats:
        """`[n, width]`."""
        day, index = divmod(step, _DAY)
        if day != self._day:
            name, seed = self._key
            lanes = [normals(name, seed, int(lane), day * _DAY, _DAY, self._width) for lane in self._lanes]
            self._day, self._made = day, np.stack(lanes, axis=1)
        row: Floats = self._made[index]
        return row


_DAY = 288


def by_unit(specs: tuple[SignalSpec, ...] | tuple[SetpointSpec, ...], values: tuple[tuple[str, float], ...]) -> Floats:
    """The value of each spec's unit, 0 where none is given; `[len(specs)]`."""
    table = dict(values)
    return np.array([table.get(spec.unit, 0.0) for spec in specs])


def measured(signals: Floats, noise: Floats, spread: Floats, step: Floats) -> Floats:
    """Signals `[n, m]` with noise of this spread `[m]`, rounded to whole steps `[m]` where these are not 0."""
    noisy = signals + noise * spread
    whole = np.where(step > 0.0, step, 1.0)
    return np.where(step > 0.0, np.round(noisy / whole) * whole, noisy)


def limited(command: Floats, before: Floats, most: Floats, free: NDArray[np.bool_]) -> Floats:
    """The command `[n, a]` moved from `before` by at most `most` `[a]`, except for `free` setpoints."""
    return np.where(free, command, np.clip(command, before - most, before + most))
