"""Sensors that a hall has three of: each zone's inlet and the room's dew point, each sensor with noise of its own.

They do not change the plant: they are further columns beside its signals. Each is made from the true value and from
numbers addressed by (seed, lane, sub-step), so that a run and its resumption read the same.
"""

import numpy as np
from numpy.typing import NDArray

from simulators.common.random_numbers import normals
from simulators.common.signals import SignalSpec
from simulators.cooling.world.signals import signal_specs

Floats = NDArray[np.float64]
COPIES = 3
NOISE_C = 0.1
"""Standard deviation of one sensor's reading. [C]"""
_CHUNK = 288


def tripled(zones: int) -> tuple[str, ...]:
    """The signals that three sensors measure."""
    return (*(f"inlet_z{zone}_c" for zone in range(1, zones + 1)), "room_dew_point_c")


def sensors_of(signal: str) -> tuple[str, str, str]:
    """The names of a tripled signal's sensors: `inlet_z1_c` is measured by `inlet_z1_s1_c`, `inlet_z1_s2_c`, ..."""
    stem, unit = signal.rsplit("_", 1)
    return (f"{stem}_s1_{unit}", f"{stem}_s2_{unit}", f"{stem}_s3_{unit}")


def sensor_specs(zones: int) -> tuple[SignalSpec, ...]:
    """The further columns, in the order of `readings`."""
    known = {spec.name: spec for spec in signal_specs(zones)}
    return tuple(
        SignalSpec(
            sensor, known[name].unit, known[name].low, known[name].high, f"{known[name].description}, sensor {i}"
        )
        for name in tripled(zones)
        for i, sensor in enumerate(sensors_of(name), start=1)
    )


class Redundancy:
    """The sensors of a batch of halls; lanes of one number read with the same noise. `lanes` [n]."""

    def __init__(self, seed: int, lanes: NDArray[np.int64], zones: int) -> None:
        names = [spec.name for spec in signal_specs(zones)]
        self._columns = np.array([names.index(name) for name in tripled(zones)])
        self._seed, self._lanes, self._chunk = seed, lanes, -1
        self._made = np.empty(0)

    def readings(self, signals: Floats, at: int) -> Floats:
        """Readings [.., n, 3 * tripled] of `signals` [n, m], or of [k, n, m] in a row from time `at` on."""
        true = np.repeat(signals[..., self._columns], COPIES, axis=-1)
        if signals.ndim == 2:
            return np.asarray(true + self._noise(at))
        return np.asarray(true + np.stack([self._noise(at + i) for i in range(len(signals))]))

    def beside(self, signals: Floats, at: int) -> Floats:
        """Signals and readings [.., m + 3 * tripled]. A tripled signal's own column is what its first sensor reads."""
        read = self.readings(signals, at)
        shown = signals.copy()
        shown[..., self._columns] = read[..., ::COPIES]
        return np.concatenate([shown, read], axis=-1)

    def voted(self, signals: Floats, at: int) -> Floats:
        """Signals with the median of its three sensors in the column of each tripled one."""
        read = self.readings(signals, at)
        seen = signals.copy()
        seen[..., self._columns] = np.median(read.reshape(*read.shape[:-1], -1, COPIES), axis=-1)
        return seen

    def _noise(self, at: int) -> Floats:
        """[n, 3 * tripled] at one time; made a few hundred times at once."""
        chunk, index = divmod(at, _CHUNK)
        if chunk != self._chunk:
            width, first = COPIES * len(self._columns), chunk * _CHUNK
            lanes = {
                int(lane): normals("redundant", self._seed, int(lane), first, _CHUNK, width)
                for lane in np.unique(self._lanes)
            }
            self._made = NOISE_C * np.stack([lanes[int(lane)] for lane in self._lanes], axis=1)
            self._chunk = chunk
        row: Floats = self._made[index]
        return row
