"""Descent through the plant finds commands that beat trim-and-respond on the days they were found for."""

import numpy as np

from simulators.cooling.tools.best_trajectory import best_trajectory
from simulators.cooling.world.scenario import WEEK_NODES, scenario


def test_short_descent_beats_trim_and_respond_within_the_limit() -> None:
    starts = np.array([20 * WEEK_NODES])
    found = best_trajectory(scenario("greensboro-year"), starts, hours=3, iterations=6)
    assert found.best_inlet_max_c[0] <= 27.0
    assert found.best_kwh[0] < found.trim_kwh[0]
    assert found.commands.shape == (3, 1, 8)
