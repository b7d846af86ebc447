"""What goes wrong, as timed events of a scenario.

* plant: fan_lost, valve_stuck, chiller_trip, tower_fan_lost, load_step; they change the conditions of the plant
* sensors: sensor_stuck, sensor_drift, sensor_lost, sensor_fahrenheit; they change what is read, not what is true
* network_gap: commands do not arrive and signals do not leave
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.cooling.physics.state import Disturbance

Floats = NDArray[np.float64]

PLANT_KINDS = ("fan_lost", "valve_stuck", "chiller_trip", "tower_fan_lost", "load_step")
SENSOR_KINDS = ("sensor_stuck", "sensor_drift", "sensor_lost", "sensor_fahrenheit")
KINDS = (*PLANT_KINDS, *SENSOR_KINDS, "network_gap")


@dataclass(frozen=True, slots=True)
class Fault:
    """One event. Times are plant seconds since the episode's first command.

    `size` means, by kind: fan_lost, tower_fan_lost, valve_stuck - the share that is gone, 0..1; chiller_trip - how
    many chillers; load_step - IT power added [kW] in the zone, or over all of them; sensor_drift - units an hour.
    """

    kind: str
    at_s: float
    lasts_s: float
    size: float = 1.0
    zone: int | None = None
    """From 1; all zones if not given."""
    signal: str | None = None
    """For sensor faults, the name of the signal."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault `{self.kind}`; known are {', '.join(KINDS)}")
        if self.kind in SENSOR_KINDS and self.signal is None:
            raise ValueError(f"fault `{self.kind}` needs `signal`, the name of the signal it is on")

    def active(self, now_s: Floats) -> NDArray[np.bool_]:
        """Whether it is on at these times."""
        return np.asarray((now_s >= self.at_s) & (now_s < self.at_s + self.lasts_s))


def with_plant_faults(row: Disturbance, faults: tuple[Fault, ...], now_s: Floats) -> Disturbance:
    """The row `[k, n, ..]` with the plant faults that are on at the sub-steps' times `now_s` `[k]`."""
    for fault in faults:
        if fault.kind in PLANT_KINDS and (on := fault.active(now_s)).any():
            row = _with(row, fault, on.astype(float)[:, None])
    return row


def _with(row: Disturbance, fault: Fault, on: Floats) -> Disturbance:
    zones = row.zone.shape[-1]
    here = np.ones(zones) if fault.zone is None else (np.arange(1, zones + 1) == fault.zone).astype(float)
    if fault.kind == "fan_lost":
        return row.replaced(fan_available=row["fan_available"] * (1.0 - fault.size * on[:, None] * here))
    if fault.kind == "valve_stuck":
        return row.replaced(coil_available=row["coil_available"] * (1.0 - fault.size * on[:, None] * here))
    if fault.kind == "chiller_trip":
        return row.replaced(chillers_available=np.maximum(row["chillers_available"] - fault.size * on, 0.0))
    if fault.kind == "tower_fan_lost":
        return row.replaced(tower_available=row["tower_available"] * (1.0 - fault.size * on))
    return row.replaced(it_kw=row["it_kw"] + fault.size * on[:, None] * here / here.sum())


@dataclass(frozen=True, slots=True)
class SensorFaults:
    """The sensor faults of a scenario, resolved to columns; `held` remembers what a stuck sensor last read."""

    faults: tuple[tuple[Fault, int], ...]
    held: tuple[Floats, ...]

    def read(self, signals: Floats, now_s: float) -> tuple[Floats, "SensorFaults"]:
        """Signals `[n, m]` as the broken sensors give them, and the memory to carry on with. A lost one reads NaN."""
        if not self.faults:
            return signals, self
        read, held = signals.copy(), list(self.held)
        for i, (fault, column) in enumerate(self.faults):
            if not fault.active(np.array(now_s)):
                held[i] = signals[:, column].copy()
            elif fault.kind == "sensor_stuck":
                read[:, column] = held[i]
            elif fault.kind == "sensor_drift":
                read[:, column] += fault.size * (now_s - fault.at_s) / 3600.0
            elif fault.kind == "sensor_lost":
                read[:, column] = np.nan
            else:
                read[:, column] = 32.0 + 1.8 * read[:, column]
        return read, SensorFaults(self.faults, tuple(held))


def sensor_faults(faults: tuple[Fault, ...], names: tuple[str, ...], lanes: int) -> SensorFaults:
    """Sensor faults by column.

    Raises:
        ValueError: a fault is on a signal the plant does not have.
    """
    mine = tuple(fault for fault in faults if fault.kind in SENSOR_KINDS)
    if unknown := [fault.signal for fault in mine if fault.signal not in names]:
        raise ValueError(f"fault on unknown signal `{unknown[0]}`; known are {', '.join(names)}")
    columns = tuple((fault, names.index(str(fault.signal))) for fault in mine)
    return SensorFaults(columns, tuple(np.full(lanes, np.nan) for _ in mine))


def in_network_gap(faults: tuple[Fault, ...], now_s: float) -> bool:
    """Whether neither commands nor signals get through."""
    return any(fault.kind == "network_gap" and bool(fault.active(np.array(now_s))) for fault in faults)
