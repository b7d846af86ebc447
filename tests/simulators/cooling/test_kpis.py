"""What a stretch of control is said to have cost and done is what it cost and did."""

import numpy as np
import pytest

from simulators.cooling.episode import Measured
from simulators.cooling.tools.kpis import Tally


def _measured(running: float, inlet_c: float = 24.0) -> Measured:
    """One zone, one lane; `running` chillers."""
    return Measured(
        signals=np.zeros((1, 1)),
        setpoints=np.array([[20.0, 0.5, 10.0, 18.0, running]]),
        readback=np.array([[20.0, 0.5, 10.0, 18.0, running]]),
        inlet_max_c=np.array([[inlet_c]]),
        cooling_kwh=np.array([2.0]),
        it_kwh=np.array([20.0]),
        parts_kwh=np.array([[0.5, 0.2, 1.2, 0.1]]),
        water_kg=np.array([10.0]),
    )


def _table(running: list[float]) -> dict[str, float]:
    tally = Tally(1)
    for count in running:
        tally.add(_measured(count))
    return {name: float(value[0]) for name, value in tally.table().items()}


def test_starts_are_counted_for_each_chiller() -> None:
    day = [1.0] * 72 + [2.0] * 72 + [1.0] * 36 + [2.0] * 36 + [0.0] * 36 + [2.0] * 36
    table = _table(day)
    assert table["starts_per_day_chiller_1"] == 1.0, "the first ran on but for one stop of both"
    assert table["starts_per_day_chiller_2"] == 3.0
    assert table["starts_per_day"] == 4.0


def test_a_chiller_that_loads_slowly_starts_once() -> None:
    assert _table([1.0, 1.2, 1.6, 2.0, 2.0])["starts_per_day_chiller_2"] == pytest.approx(1440.0 / 25.0)


def test_ratios_and_bands_are_those_of_the_sums() -> None:
    tally = Tally(1)
    for inlet_c in (24.0, 28.0, 33.0, 17.0):
        tally.add(_measured(1.0, inlet_c))
    table = {name: float(value[0]) for name, value in tally.table().items()}
    per_day = 1440.0 / 20.0
    assert table["pue"] == 1.1
    assert table["water_l_per_it_kwh"] == 0.5
    assert table["kelvin_minutes_above_27"] == (1.0 + 6.0) * 5.0 * per_day
    assert table["kelvin_minutes_above_32"] == 1.0 * 5.0 * per_day
    assert table["kelvin_minutes_below_18"] == 1.0 * 5.0 * per_day
    assert table["inlet_max_c"] == 33.0
