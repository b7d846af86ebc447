"""Traffic curves and the reader of a user's own."""

from pathlib import Path

import numpy as np
import pytest

from simulators.bidding.world.curves import (
    HOURLY,
    WEEKDAY,
    click_rate_level,
    day_curve,
    flight_curve,
    read_traffic_share,
    sharpen,
)


@pytest.mark.parametrize("name", sorted(HOURLY))
def test_a_day_has_48_shares_that_sum_to_one(name: str) -> None:
    shares = day_curve(name)
    assert shares.shape == (48,)
    assert shares.sum() == pytest.approx(1.0)


def test_sharpening_gives_the_configured_ratio() -> None:
    shares = sharpen(day_curve("avito"), 16.6)
    assert shares.max() / shares.min() == pytest.approx(16.6)


def test_evening_clicks_are_twice_as_likely_as_morning_clicks() -> None:
    level = click_rate_level(2.0)
    assert level.max() / level.min() == pytest.approx(2.0, rel=0.01)
    assert 38 <= int(np.argmax(level)) <= 41


def test_a_week_has_the_weekday_shares() -> None:
    week = flight_curve(day_curve("avito"), 7).reshape(7, 48).sum(axis=1)
    assert week / week.sum() == pytest.approx(np.asarray(WEEKDAY) / sum(WEEKDAY), abs=1e-9)


def test_an_unknown_curve_is_one_clear_error() -> None:
    with pytest.raises(ValueError, match="unknown traffic curve `moon`"):
        day_curve("moon")


def write(path: Path, rows: list[tuple[int, int, int, float]]) -> Path:
    """A traffic file with the given rows."""
    path.write_text("region_id,dow,hour,traffic_share\n" + "\n".join(",".join(map(str, r)) for r in rows))
    return path


def test_the_reader_wants_every_hour_once(tmp_path: Path) -> None:
    rows = [(1, d, h, 0.1) for d in range(1, 8) for h in range(24)]
    regions, shares = read_traffic_share(write(tmp_path / "whole.csv", rows))
    assert list(regions) == [1]
    assert shares.sum() == pytest.approx(1.0)
    with pytest.raises(ValueError, match="lacks 1 of 168"):
        read_traffic_share(write(tmp_path / "short.csv", rows[:-1]))
    with pytest.raises(ValueError, match="doubled"):
        read_traffic_share(write(tmp_path / "double.csv", [*rows, rows[0]]))


def test_the_reader_refuses_other_columns(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"`other\.csv`.*\['a', 'b'\]"):
        read_traffic_share(path)


@pytest.mark.needs("shared")
def test_the_avito_curve_is_the_mean_of_the_real_regions(shared_data: Path) -> None:
    regions, shares = read_traffic_share(shared_data / "avito_traffic_share.csv")
    assert len(regions) == 114
    mean = shares.mean(axis=0)
    assert mean.sum(axis=0) == pytest.approx(np.asarray(HOURLY["avito"]), abs=2e-4)
    assert mean.sum(axis=1) == pytest.approx(np.asarray(WEEKDAY), abs=2e-3)
