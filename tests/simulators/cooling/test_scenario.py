"""Weather, load and splits: real, repeatable, and without leaks between training and test."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from simulators.cooling.world.load import LoadProfile, load_fracs
from simulators.cooling.world.scenario import (
    SCENARIOS,
    SPLITS,
    WEEK_NODES,
    DisturbanceSource,
    Scenario,
    scenario,
)
from simulators.cooling.world.typical_year import calendar_node
from simulators.cooling.world.weather import NODES, WeatherError, load_weather

LANES = np.arange(40)


@pytest.mark.parametrize(("site", "mean_c"), [("greensboro", 14.4), ("sand-point", 4.4), ("miami", 24.3)])
def test_the_shipped_years_have_their_sites_climate(site: str, mean_c: float) -> None:
    dry, wet, dew, ratio = load_weather(site).nodes.T
    assert dry.mean() == pytest.approx(mean_c, abs=0.1)
    assert np.all(dew <= wet + 1e-6)
    assert np.all(wet <= dry + 1e-6)
    assert np.all((ratio > 0.0) & (ratio < 0.03))


def test_the_year_wraps() -> None:
    weather = load_weather("greensboro")
    assert np.array_equal(weather.at(np.array([NODES - 1]), 2)[1, 0], weather.nodes[0])


def test_a_missing_or_strange_weather_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(WeatherError, match=r"nowhere.epw` does not exist; give the path"):
        load_weather(str(tmp_path / "nowhere.epw"))
    strange = tmp_path / "weather.txt"
    strange.write_text("")
    with pytest.raises(WeatherError, match=r"ends in `.txt`; known are .epw, .tm2 and TMY3 .csv"):
        load_weather(str(strange))


def test_no_week_is_in_two_of_the_three_splits() -> None:
    assert not set(SPLITS["train"]) & set(SPLITS["validation"])
    assert not set(SPLITS["train"]) & set(SPLITS["test"])
    assert not set(SPLITS["validation"]) & set(SPLITS["test"])


@pytest.mark.parametrize("name", ["greensboro-train", "greensboro-validation", "greensboro-test"])
def test_episodes_stay_inside_weeks_of_their_split(name: str) -> None:
    world = SCENARIOS[name]
    for episode in range(20):
        starts = world.start_nodes(3, LANES, episode, 300)
        for node in (starts, starts + 299):
            assert set(node // WEEK_NODES % 5) <= set(SPLITS[world.split])


def test_lane_load_is_independent_of_batch_and_start() -> None:
    def fracs(lanes: list[int], first: int, count: int) -> np.ndarray:
        return load_fracs(LoadProfile(), "x", 7, np.array(lanes), np.full(len(lanes), first), count, 4)

    many = fracs([0, 1, 2, 3], 1000, 400)
    assert np.array_equal(fracs([2], 1000, 400)[:, 0], many[:, 2])
    assert np.array_equal(fracs([2], 1150, 20)[:, 0], many[150:170, 2])
    assert not np.array_equal(many[:, 0], many[:, 1])


def test_load_is_weekly_and_bounded_and_repeats_no_week() -> None:
    week = 7 * 288
    begun = (load_fracs(LoadProfile(), "x", 1, LANES[:2], np.full(2, at * week), week, 4) for at in range(8))
    year = np.concatenate(list(begun))
    assert 0.2 <= year.min() < year.max() <= 1.0
    days = year.reshape(8, 7, -1).mean(axis=(0, 2))
    assert days[5:].mean() < days[:5].mean() - 0.03
    weeks = year.reshape(8, week, -1)
    assert min(np.abs(weeks[0] - week).max() for week in weeks[1:]) > 0.1


@pytest.mark.parametrize(
    ("when", "day", "weekday"),
    [
        (datetime(2023, 1, 1, tzinfo=UTC), 0, 6),
        (datetime(2023, 7, 4, 12, 30, tzinfo=UTC), 184, 1),
        (datetime(2024, 2, 29, 6, tzinfo=UTC), 58, 3),
        (datetime(2024, 12, 31, 23, 55, tzinfo=UTC), 364, 1),
    ],
)
def test_date_starts_at_its_hour_of_year_and_weekday(when: datetime, day: int, weekday: int) -> None:
    node = calendar_node(when)
    assert node % (365 * 288) == day * 288 + when.hour * 12 + when.minute // 5
    assert node // 288 % 7 == weekday


def test_only_the_same_seed_gives_equal_bits() -> None:
    def first_row(seed: int) -> bytes:
        return DisturbanceSource(scenario("greensboro-year"), seed, LANES, LANES * 288).row(5)["it_kw"].tobytes()

    assert first_row(1) == first_row(1)
    assert first_row(1) != first_row(2)


def test_disturbances_run_on_smoothly_from_day_to_day() -> None:
    source = DisturbanceSource(scenario("greensboro-year"), 0, LANES[:2], np.array([0, 500]))
    evening, morning = source.row(287), source.row(288)
    assert np.abs(morning["dry_bulb_c"][0] - evening["dry_bulb_c"][-1]).max() < 0.05
    again = DisturbanceSource(scenario("greensboro-year"), 0, LANES[:2], np.array([0, 500])).row(288)
    assert np.array_equal(again["it_kw"], morning["it_kw"])


def test_an_unknown_scenario_or_split_is_one_clear_error() -> None:
    with pytest.raises(ValueError, match="unknown scenario `mars`"):
        scenario("mars")
    with pytest.raises(ValueError, match="`split` is `exam`"):
        Scenario("x", split="exam")
