"""The splits fly in other weeks and under other traffic curves."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from simulators.bidding.world.build import build
from simulators.bidding.world.curves import read_traffic_share
from simulators.bidding.world.scenario import SPLITS, resized, scenario, split_of, split_seed
from simulators.bidding.world.seasons import SEASONS, year_level
from simulators.bidding.world.streams import Noise


def test_splits_share_no_week_and_no_curve() -> None:
    assert set(SEASONS) == set(SPLITS)
    for one, other in combinations(SEASONS.values(), 2):
        assert one.weeks[1] < other.weeks[0] or other.weeks[1] < one.weeks[0]
        assert not {c.name for c in one.curves} & {c.name for c in other.curves}
        assert not {c.hourly for c in one.curves} & {c.hourly for c in other.curves}


def test_the_weeks_of_the_year_are_all_given_out() -> None:
    weeks = [week for season in SEASONS.values() for week in range(season.weeks[0], season.weeks[1] + 1)]
    assert sorted(weeks) == list(range(52))


def test_curves_are_shares() -> None:
    for season in SEASONS.values():
        for curve in season.curves:
            assert (len(curve.hourly), len(curve.weekday)) == (24, 7)
            assert sum(curve.hourly) == pytest.approx(1.0, abs=2e-3)
            assert sum(curve.weekday) == pytest.approx(1.0, abs=2e-3)


def test_a_seed_says_its_split() -> None:
    for name in SPLITS:
        assert split_of(split_seed(name, 0)) == split_of(split_seed(name, 999_999)) == name
    assert split_of(3_000_000) == "train"


def test_prices_peak_late_in_the_year_with_the_configured_swing() -> None:
    weeks = np.arange(52)
    level = year_level(weeks, np.full(52, 0.1))
    assert int(np.argmax(level)) == 50
    assert (level.max(), level.min()) == pytest.approx((1.1, 0.9), abs=1e-3)
    assert level.mean() == pytest.approx(1.0)


def test_the_test_season_is_dearer_than_what_was_trained_in() -> None:
    def prices(split: str) -> float:
        noise = Noise("mixed", tuple(split_seed(split, i) for i in range(40)), (0,) * 40)
        params = build(resized(scenario("mixed"), 1000.0), noise, 9)
        return float(params.price_level.mean())

    assert prices("test") > 1.03 * prices("train")


@pytest.mark.needs("shared")
def test_the_curves_are_means_over_groups_of_the_real_regions(shared_data: Path) -> None:
    regions, shares = read_traffic_share(shared_data / "avito_traffic_share.csv")
    place = np.arange(len(regions)) % 4
    hour = np.exp(2j * np.pi * (np.arange(24) + 0.5) / 24)
    centre = np.angle(shares.sum(axis=1) @ hour) % (2 * np.pi)
    for split, wanted in (("train", (0, 1)), ("validation", (2,)), ("test", (3,))):
        own = np.nonzero(np.isin(place, wanted))[0]
        groups = np.array_split(own[np.argsort(centre[own], kind="stable")], 3)
        for curve, group in zip(SEASONS[split].curves, groups, strict=False):
            mean = shares[group].mean(axis=0)
            assert mean.sum(axis=0) == pytest.approx(np.asarray(curve.hourly), abs=6e-5)
            assert mean.sum(axis=1) == pytest.approx(np.asarray(curve.weekday), abs=6e-4)
