"""What a stretch of control cost and did, in the numbers operators compare by."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulators.cooling.episode import Measured
from simulators.cooling.world.signals import setpoint_specs

Floats = NDArray[np.float64]
STEP_MINUTES = 5.0
RATE_STEPS = 3
"""Control steps in the quarter of an hour over which rates of change are taken."""
BANDS_C = {"above_27": 27.0, "above_32": 32.0}
BELOW_C = 18.0


@dataclass(slots=True)
class Tally:
    """Adds up control steps; one row for each lane. Read with `table`."""

    zones: int
    cooling_kwh: Floats = field(default_factory=lambda: np.zeros(0))
    it_kwh: Floats = field(default_factory=lambda: np.zeros(0))
    water_kg: Floats = field(default_factory=lambda: np.zeros(0))
    degree_minutes: dict[str, Floats] = field(default_factory=dict)
    inlet_max_c: Floats = field(default_factory=lambda: np.zeros(0))
    rate_k: Floats = field(default_factory=lambda: np.zeros(0))
    travel: Floats = field(default_factory=lambda: np.zeros(0))
    starts: Floats = field(default_factory=lambda: np.zeros(0))
    steps: int = 0
    _inlets: list[Floats] = field(default_factory=list)
    _setpoints: Floats | None = None
    _running: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def add(self, m: Measured) -> None:
        """Count one control step."""
        if self._setpoints is None:
            self._begin(m)
        assert self._setpoints is not None
        self.steps += 1
        self.cooling_kwh, self.it_kwh = self.cooling_kwh + m.cooling_kwh, self.it_kwh + m.it_kwh
        self.water_kg = self.water_kg + m.water_kg
        for name, limit_c in BANDS_C.items():
            above = np.maximum(m.inlet_max_c - limit_c, 0.0).sum(axis=1) * STEP_MINUTES
            self.degree_minutes[name] = self.degree_minutes[name] + above
        below = np.maximum(BELOW_C - m.inlet_max_c, 0.0).sum(axis=1) * STEP_MINUTES
        self.degree_minutes["below_18"] = self.degree_minutes["below_18"] + below
        self.inlet_max_c = np.maximum(self.inlet_max_c, m.inlet_max_c.max(axis=1))
        self._inlets = [*self._inlets[-RATE_STEPS:], m.inlet_max_c]
        self.rate_k = np.maximum(self.rate_k, np.abs(self._inlets[-1] - self._inlets[0]).max(axis=1))
        moved = m.setpoints - self._setpoints
        self.travel = self.travel + np.abs(moved) / self._ranges()
        # Unit k runs while k or more do: the first is started first and stopped last, there is no lead and lag.
        running = m.readback[:, -1:] > np.arange(self._units()) + 0.5
        self.starts = self.starts + (running & ~self._running)
        self._setpoints, self._running = m.setpoints, running

    def _begin(self, m: Measured) -> None:
        lanes = len(m.it_kwh)
        zero = np.zeros(lanes)
        self.cooling_kwh = self.it_kwh = self.water_kg = self.rate_k = zero
        self.degree_minutes = dict.fromkeys((*BANDS_C, "below_18"), zero)
        self.inlet_max_c = np.full(lanes, -np.inf)
        self.travel, self._setpoints = np.zeros_like(m.setpoints), m.setpoints
        self._running = m.readback[:, -1:] > np.arange(self._units()) + 0.5
        self.starts = np.zeros(self._running.shape)

    def _ranges(self) -> Floats:
        return np.array([spec.high - spec.low for spec in setpoint_specs(self.zones)])

    def _units(self) -> int:
        return int(setpoint_specs(self.zones)[-1].high)

    def table(self) -> dict[str, Floats]:
        """Each figure for each lane `[n]`.

        * `pue`: (IT + cooling) / IT; `cooling_kwh_per_it_kwh`: cooling at fixed IT work
        * `water_l_per_it_kwh`
        * `kelvin_minutes_*`: inlets beyond a band, hottest of each zone, summed over zones, a day
        * `inlet_max_c`, `rate_k_per_15_min`: the worst
        * `travel_per_day`: full strokes of the mean actuator; `starts_per_day`: of all chillers, and of each
        """
        days = self.steps * STEP_MINUTES / 1440.0
        return {
            "pue": 1.0 + self.cooling_kwh / self.it_kwh,
            "cooling_kwh_per_it_kwh": self.cooling_kwh / self.it_kwh,
            "cooling_kwh_per_day": self.cooling_kwh / days,
            "total_kwh_per_day": (self.cooling_kwh + self.it_kwh) / days,
            "water_l_per_it_kwh": self.water_kg / self.it_kwh,
            **{f"kelvin_minutes_{name}": value / days for name, value in self.degree_minutes.items()},
            "inlet_max_c": self.inlet_max_c,
            "rate_k_per_15_min": self.rate_k,
            "travel_per_day": self.travel.mean(axis=1) / days,
            "starts_per_day": self.starts.sum(axis=1) / days,
            **{f"starts_per_day_chiller_{unit + 1}": each / days for unit, each in enumerate(self.starts.T)},
        }
