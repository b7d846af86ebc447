"""A plant at rest, and ways to disturb it."""

from dataclasses import dataclass

import numpy as np
import pytest

from simulators.cooling.physics.outputs import Outputs
from simulators.cooling.physics.params import Params, default_params
from simulators.cooling.physics.plant import SUB_STEP_S, advance
from simulators.cooling.physics.state import Disturbance, State
from simulators.cooling.simulation import start_setpoints, start_state


def weather_and_load(substeps: int = 1, lanes: int = 1, zones: int = 4, **values: float) -> Disturbance:
    """A constant row of disturbances; `values` replace the defaults of a mild day at two thirds load."""
    given = {
        "it_kw": 165.0,
        "dry_bulb_c": 22.0,
        "wet_bulb_c": 17.0,
        "dew_point_c": 13.0,
        "outdoor_kg_kg": 0.0094,
        "fan_available": 1.0,
        "coil_available": 1.0,
        "chillers_available": 2.0,
        "tower_available": 1.0,
    } | values
    return Disturbance(*Disturbance.records((substeps, lanes), zones, **given))


@dataclass
class Bench:
    """One plant that can be run under constant conditions."""

    params: Params
    state: State
    setpoints: np.ndarray
    dt_s: float = SUB_STEP_S

    def run(self, minutes: float, **values: float) -> Outputs:
        """Outputs `[k, n, ..]` of so many minutes; the plant stays where it got to."""
        substeps = round(60.0 * minutes / self.dt_s)
        row = weather_and_load(substeps, self.setpoints.shape[0], self.params.zones, **values)
        self.state, outputs = advance(self.state, self.setpoints, row, self.params, self.dt_s)
        return outputs


def bench(params: Params | None = None, dt_s: float = 30.0, settle_minutes: float = 240.0, **setpoints: float) -> Bench:
    """A plant at rest under plain setpoints, some of them replaced."""
    params = default_params() if params is None else params
    command = start_setpoints(params.zones, 1)
    columns = {"supply_air_c": 0, "fan": slice(1, 1 + params.zones), "chws_c": -3, "tower_c": -2, "chillers_on": -1}
    for name, value in setpoints.items():
        command[:, columns[name]] = value
    row = weather_and_load(1, 1, params.zones)
    made = Bench(params, start_state(row, command, params.transit_slots(dt_s)), command, dt_s)
    if settle_minutes:
        made.run(settle_minutes)
    return made


@pytest.fixture
def plant() -> Bench:
    """The demo plant at rest."""
    return bench()
