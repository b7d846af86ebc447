"""A simulated hall under weather and load that stand still, from many starts at once: what sweeps of an envelope run in."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from simulators.cooling.physics.outputs import Outputs
from simulators.cooling.physics.params import default_params
from simulators.cooling.physics.plant import SUB_STEP_S, advance
from simulators.cooling.physics.psychrometrics import outdoor_air
from simulators.cooling.physics.state import Disturbance
from simulators.cooling.simulation import start_state
from simulators.cooling.world.scenario import SUB_STEPS
from simulators.cooling.world.signals import observe

Floats = NDArray[np.float64]
SETTLE_TICKS = 24


@dataclass(frozen=True, slots=True)
class Weather:
    """Outdoor air that stands still. [C]"""

    name: str
    dry_bulb_c: float
    wet_bulb_c: float
    dew_point_c: float


COLD, HOT = Weather("cold", 5.0, 3.0, 0.0), Weather("hot and humid", 35.0, 26.0, 23.0)


@dataclass(frozen=True, slots=True)
class Starts:
    """Every combination of these is one lane: load of every zone, weather, and the setpoints it has settled under."""

    it_kw: Sequence[float] = (100.0, 150.0, 200.0, 240.0)
    weather: Sequence[Weather] = (COLD, HOT)
    fan_frac: Sequence[float] = (0.5, 0.7, 1.0)
    supply_c: Sequence[float] = (17.0, 20.0, 23.0)
    water: Sequence[tuple[float, float]] = ((8.0, 2.0), (11.0, 2.0), (11.0, 1.0))
    """Chilled water setpoint [C] and chillers on."""

    def lanes(self) -> list[tuple[float, Weather, float, float, tuple[float, float]]]:
        return list(product(self.it_kw, self.weather, self.fan_frac, self.supply_c, self.water))


class StillHall:
    """`n` halls, each settled under its own start. `inlet_c` [n, zones] is the hottest of each zone in the last tick."""

    def __init__(self, starts: Starts, zones: int, copies: int = 1) -> None:
        """Each start `copies` times, one after the other."""
        lanes = [lane for lane in starts.lanes() for _ in range(copies)]
        self.it_kw = np.array([lane[0] for lane in lanes])
        rows = [[supply, *[fan] * zones, chws, 18.0, units] for _, _, fan, supply, (chws, units) in lanes]
        self.setpoints = np.array(rows)
        self._params = default_params(zones)
        self._row = _still([lane[1] for lane in lanes], self.it_kw, zones, float(self._params["pressure_pa"][0]))
        self._state = start_state(self._row, self.setpoints, self._params.transit_slots(SUB_STEP_S))
        for _ in range(SETTLE_TICKS):
            self.step(self.setpoints)

    def step(self, setpoints: Floats) -> None:
        """Five minutes under `setpoints` [n, k]."""
        self.setpoints = setpoints
        self._state, outputs = advance(self._state, setpoints, self._row, self._params)
        self.inlet_c: Floats = np.maximum.reduce(outputs["inlet_c"], axis=0)
        self._end: Outputs = outputs.at(-1)

    @property
    def fan_frac(self) -> Floats:
        """Actual fan speed now, [n, zones]."""
        return self._end["fan_frac"]

    @property
    def signals(self) -> Floats:
        """[n, m] in the order of `signal_specs`."""
        return observe(self._end, self._row.at(-1), self._params)


def _still(weather: Sequence[Weather], it_kw: Floats, zones: int, pressure_pa: float) -> Disturbance:
    dry, wet, dew = np.array([[w.dry_bulb_c, w.wet_bulb_c, w.dew_point_c] for w in weather]).T
    records = Disturbance.records(
        (SUB_STEPS, len(it_kw)),
        zones,
        it_kw=it_kw[:, None],
        dry_bulb_c=dry,
        wet_bulb_c=wet,
        dew_point_c=dew,
        outdoor_kg_kg=outdoor_air(dry, dew, pressure_pa)[1],
        fan_available=1.0,
        coil_available=1.0,
        chillers_available=2.0,
        tower_available=1.0,
    )
    return Disturbance(*records)
