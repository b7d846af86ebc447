"""The plant's own timers limit chiller starts under every source of commands."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.cooling.physics.params import default_params, with_values
from tests.simulators.cooling.conftest import Bench, bench

MIN_ON_S, MIN_OFF_S = 600.0, 300.0


def _command(plant: Bench, chillers: float, minutes: float, **values: float) -> list[float]:
    plant.setpoints = plant.setpoints.copy()
    plant.setpoints[:, -1] = chillers
    running: list[float] = plant.run(minutes, **values)["chillers_on"][:, 0].tolist()
    return running


def test_chiller_cannot_be_stopped_before_its_minimum_run_time(plant: Bench) -> None:
    assert _command(plant, 2.0, 5.0) == [2.0] * 10
    assert _command(plant, 1.0, 5.0) == [2.0] * 10
    assert _command(plant, 1.0, 0.5) == [1.0]


def test_a_chiller_just_stopped_rests_before_it_starts_again() -> None:
    plant = bench(chillers_on=2.0)
    assert _command(plant, 1.0, 2.0) == [1.0] * 4
    assert _command(plant, 2.0, 3.0) == [1.0] * 6
    assert _command(plant, 2.0, 0.5) == [2.0]


def test_failed_chiller_stops_at_once_and_returns_after_rest(plant: Bench) -> None:
    _command(plant, 2.0, 1.0)
    assert _command(plant, 2.0, 1.0, chillers_available=1.0) == [1.0, 1.0]
    assert _command(plant, 2.0, 4.0) == [1.0] * 8
    assert _command(plant, 2.0, 0.5) == [2.0]


def test_chiller_loads_over_its_start_time_after_rest() -> None:
    plant = bench(chillers_on=2.0)
    _command(plant, 1.0, 5.0)
    _command(plant, 2.0, 1.5)
    assert 1.4 < plant.state["chillers"][0] < 1.6  # half of the three minutes
    _command(plant, 2.0, 1.5)
    assert plant.state["chillers"][0] == 2.0


def test_without_timers_the_plant_follows_every_command() -> None:
    plant = bench(with_values(default_params(), chiller_min_on_s=0.0, chiller_min_off_s=0.0))
    assert [_command(plant, each, 0.5)[0] for each in (2.0, 1.0, 2.0, 1.0)] == [2.0, 1.0, 2.0, 1.0]


@settings(derandomize=True, max_examples=60, deadline=None)
@given(wanted=st.lists(st.tuples(st.sampled_from([1.0, 2.0]), st.sampled_from([1.0, 2.0])), min_size=20, max_size=60))
def test_starts_and_stops_keep_minimum_times_under_any_commands(
    wanted: list[tuple[float, float]],
) -> None:
    plant = bench(settle_minutes=0.0)
    running = [1.0]
    for chillers, available in wanted:
        running += _command(plant, chillers, 1.5, chillers_available=available)
    change = np.diff(running)
    starts, stops = np.flatnonzero(change > 0), np.flatnonzero(change < 0)
    failing = np.repeat([available for _, available in wanted], 3) < 2.0
    for start in starts:
        assert all(30.0 * (start - stop) >= MIN_OFF_S for stop in stops[stops < start])
    for stop in stops[~failing[stops]]:
        assert all(30.0 * (stop - start) >= MIN_ON_S for start in starts[starts < stop])
