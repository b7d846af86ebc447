"""A simulated hall under weather and load that stand still, from many starts at once: what sweeps of an envelope run in."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from simulators.cooling.physics.constants import SUB_STEP_S, prepare
from simulators.cooling.physics.outputs import Outputs
from simulators.cooling.physics.params import default_params
from simulators.cooling.physics.plant import advance, last
from simulators.cooling.physics.psychrometrics import humidity_ratio, saturation_pressure_over_water
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
        self._ready = prepare(default_params(zones), SUB_STEP_S, len(lanes))
        self._row = _still([lane[1] for lane in lanes], self.it_kw, zones, float(self._ready.params.pressure_pa[0, 0]))
        self._now = Disturbance(*(getattr(self._row, name)[-1] for name in Disturbance.__dataclass_fields__))
        self._state = start_state(self._row, self.setpoints, self._ready.transit_slots)
        for _ in range(SETTLE_TICKS):
            self.step(self.setpoints)

    def step(self, setpoints: Floats) -> None:
        """Five minutes under `setpoints` [n, k]."""
        self.setpoints = setpoints
        self._state, outputs = advance(self._state, setpoints, self._row, self._ready)
        self.inlet_c: Floats = np.maximum.reduce(outputs.inlet_c, axis=0)
        self._end: Outputs = last(outputs)

    @property
    def fan_frac(self) -> Floats:
        """Actual fan speed now, [n, zones]."""
        return np.asarray(self._end.fan_frac)

    @property
    def signals(self) -> Floats:
        """[n, m] in the order of `signal_specs`."""
        return np.asarray(observe(self._end, self._now, self._ready))


def _still(weather: Sequence[Weather], it_kw: Floats, zones: int, pressure_pa: float) -> Disturbance:
    def row(values: Sequence[float] | Floats, width: int = 1) -> Floats:
        return np.broadcast_to(
            np.asarray(values, dtype=np.float64)[None, :, None], (SUB_STEPS, len(it_kw), width)
        ).copy()

    dew_point = row([each.dew_point_c for each in weather])
    one, each_zone = row(np.ones(len(it_kw))), row(np.ones(len(it_kw)), zones)
    return Disturbance(
        it_kw=row(it_kw, zones),
        dry_bulb_c=row([each.dry_bulb_c for each in weather]),
        wet_bulb_c=row([each.wet_bulb_c for each in weather]),
        dew_point_c=dew_point,
        outdoor_kg_kg=np.asarray(humidity_ratio(saturation_pressure_over_water(dew_point), pressure_pa)),
        fan_available=each_zone,
        coil_available=each_zone,
        chillers_available=2.0 * one,
        tower_available=one,
    )
