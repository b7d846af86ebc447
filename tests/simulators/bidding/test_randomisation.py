"""Domain randomisation: ranges of the real campaigns, their file, and how they grow."""

import tomllib
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.bidding.env import BiddingVectorEnv
from simulators.bidding.world.build import build
from simulators.bidding.world.randomisation import (
    KINDS,
    LOGARITHMIC,
    NOTICE_SETS,
    NOTICES,
    Kind,
    Range,
    Ranges,
    draw_season,
    grow,
    notice_sets,
    read_ranges,
    sample,
)
from simulators.bidding.world.scenario import resized, scenario
from simulators.bidding.world.seasons import SEASONS
from simulators.bidding.world.streams import streams
from tests.paths import ROOT

SITE = ROOT / "deploy" / "sites" / "bidding-demo"


@settings(derandomize=True, max_examples=30, deadline=None)
@given(st.floats(0, 1))
def test_a_narrower_range_lies_inside_a_wider_one(share: float) -> None:
    wide, narrow = Ranges(), Ranges().width(share)
    for field in fields(Ranges):
        outer, inner = getattr(wide, field.name), getattr(narrow, field.name)
        assert outer.low - 1e-9 <= inner.low <= inner.high <= outer.high + 1e-9
        size = np.log if outer.kind in LOGARITHMIC else float
        assert size(inner.high) - size(inner.low) == pytest.approx(
            share * (size(outer.high) - size(outer.low)), abs=1e-9
        )


def test_draws_stay_in_their_ranges_and_use_them() -> None:
    ranges = Ranges()
    season = draw_season(ranges, SEASONS["train"], np.random.default_rng(0), np.random.default_rng(1), 500, 1, 3)
    for field in fields(Ranges):
        if field.name not in NOTICES:
            given_range, drawn = getattr(ranges, field.name), season.values[field.name]
            assert given_range.low - 1e-12 <= drawn.min() <= drawn.max() <= given_range.high + 1e-12
            assert drawn.max() - drawn.min() >= 0.9 * (given_range.high - given_range.low) - 1e-12
    assert season.traffic_noise.shape == (500, 48)
    assert 0.6 <= season.traffic_noise.min() <= season.traffic_noise.max() <= 1.4


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_stays_in_its_range_around_its_own_middle(kind: Kind) -> None:
    drawn = sample(Range(1.0, 4.0, kind), np.random.default_rng(0), 20_000)
    assert 1.0 <= drawn.min() < drawn.max() <= 4.0
    assert np.median(drawn) == pytest.approx(2.0 if kind in LOGARITHMIC else 2.5, rel=0.03)


def test_events_are_drawn_only_where_their_ranges_are_open() -> None:
    rng = np.random.default_rng(0)
    assert {len(values) for values in notice_sets(Ranges(), rng).values()} == {1}
    slow = notice_sets(Ranges(bill_delay_s=Range(60.0, 1800.0)), rng)
    assert len(slow["bill_delay_s"]) == NOTICE_SETS
    assert len(set(slow["win_delay_s"])) == 1


def test_range_grows_with_success_and_shrinks_with_failure() -> None:
    assert grow(0.3, score_frac=0.9) == pytest.approx(0.4)
    assert grow(0.3, score_frac=0.5) == pytest.approx(0.25)
    assert grow(1.0, score_frac=0.9) == 1.0
    assert grow(0.0, score_frac=0.1) == 0.0


@pytest.mark.parametrize("pair", [(2.0, 1.0), (-0.1, 1.0), (0.0, float("nan")), (0.0, float("inf"))])
def test_a_crooked_range_is_refused(pair: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="budget_frac"):
        Ranges(budget_frac=Range(*pair))
    with pytest.raises(ValueError, match="share"):
        Ranges().width(1.5)


def test_logarithms_need_a_low_end_above_zero() -> None:
    with pytest.raises(ValueError, match="log_uniform from 0"):
        Ranges(price_scale=Range(0.0, 1.0, "log_uniform"))


def written(path: Path, text: str) -> Path:
    """A file of that text."""
    path.write_text(text, encoding="utf-8")
    return path


def test_training_file_replaces_only_the_ranges_it_names(tmp_path: Path) -> None:
    text = 'other = 1\n[randomisation.parameter.budget_frac]\nkind = "normal"\nmean = 0.3\nsd = 0.05\n'
    read = read_ranges(written(tmp_path / "training.toml", text))
    assert (read.budget_frac.low, read.budget_frac.high) == pytest.approx((0.15, 0.45))
    assert replace(read, budget_frac=Ranges().budget_frac) == Ranges()


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        ('kind = "fixed"\nvalue = 0.3', 0.3, 0.3),
        ('kind = "log_uniform"\nlow = 0.1\nhigh = 0.4', 0.1, 0.4),
        ('kind = "lognormal"\nmedian = 0.2\nrelative_sd = 0.1', 0.2 * np.exp(-0.3), 0.2 * np.exp(0.3)),
    ],
)
def test_every_kind_can_be_written_down(table: str, low: float, high: float, tmp_path: Path) -> None:
    path = written(tmp_path / "training.toml", f"[randomisation.parameter.budget_frac]\n{table}\n")
    assert (read_ranges(path).budget_frac.low, read_ranges(path).budget_frac.high) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[randomisation.parameter.speed]\nlow = 1\nhigh = 2", "`speed`.*budget_frac"),
        ('[randomisation.parameter.budget_frac]\nkind = "uniform"\nlow = 1', "has keys"),
        ("[randomisation.parameter.budget_frac]\nlow = 1\nhigh = 2", "of kind `None`"),
        ('[randomisation.parameter.budget_frac]\nkind = "uniform"\nlow = "a"\nhigh = 2', "must be numbers"),
        ('[randomisation.parameter.budget_frac]\nlow = 1\nhigh = 2\nkind = "cauchy"', "of kind `cauchy`"),
        ('[randomisation.parameter.budget_frac]\nkind = "uniform"\nlow = 3\nhigh = 2', "3.*2"),
    ],
)
def test_a_wrong_training_file_is_one_clear_error(table: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        read_ranges(written(tmp_path / "training.toml", table))


def test_the_demos_training_file_gives_every_parameter_a_distribution() -> None:
    with (SITE / "training.toml").open("rb") as file:
        named = set(tomllib.load(file)["randomisation"]["parameter"])
    assert named == {field.name for field in fields(Ranges)}
    world = replace(resized(scenario("mixed"), 2000.0), ranges=read_ranges(SITE / "training.toml"))
    env = BiddingVectorEnv(64, world, campaigns=2)
    env.reset(seed=1)
    env.step(np.zeros((64, 2), dtype=np.float32))
    assert len(np.unique(env.params.rendered_frac)) > 5
    assert (env.params.predicted != build(scenario("mixed"), env.noise, 2).predicted).any()


def test_a_lane_draws_the_same_whatever_the_batch_is() -> None:
    world = replace(resized(scenario("mixed"), 2000.0), ranges=read_ranges(SITE / "training.toml"))
    noise = streams(3, 5, "mixed")
    many, one = build(world, noise, 3), build(world, noise.select([4]), 3)
    for field in fields(many):
        whole, alone = getattr(many, field.name), getattr(one, field.name)
        if isinstance(whole, np.ndarray) and field.name not in ("code_table", "event_table"):
            assert np.array_equal(whole[[4]], alone), field.name
