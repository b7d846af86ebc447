"""Domain randomisation: ranges of the real campaigns, and how they grow."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.bidding.randomisation import Ranges, draw_season, grow


@settings(derandomize=True, max_examples=30, deadline=None)
@given(st.floats(0, 1))
def test_a_narrower_range_lies_inside_a_wider_one(share: float) -> None:
    wide, narrow = Ranges(), Ranges().width(share)
    for field in fields(Ranges):
        (low, high), (inner_low, inner_high) = getattr(wide, field.name), getattr(narrow, field.name)
        assert low - 1e-9 <= inner_low <= inner_high <= high + 1e-9
        assert inner_high - inner_low == pytest.approx(share * (high - low), abs=1e-9)


def test_draws_stay_in_their_ranges() -> None:
    ranges = Ranges()
    season = draw_season(ranges, np.random.default_rng(0), np.random.default_rng(1), 500, 1)
    for name in (
        "budget_frac",
        "target_ratio",
        "price_scale",
        "peak_to_trough",
        "value_log_sd",
        "conversion_delay_ticks",
    ):
        low, high = getattr(ranges, name)
        drawn = getattr(season, name)
        assert low <= drawn.min() <= drawn.max() <= high
        assert drawn.max() - drawn.min() > 0.9 * (high - low)
    assert season.traffic_noise.shape == (500, 48)
    assert 0.6 <= season.traffic_noise.min() <= season.traffic_noise.max() <= 1.4


def test_a_range_grows_while_the_policy_copes_and_shrinks_when_it_does_not() -> None:
    assert grow(0.3, score_frac=0.9) == pytest.approx(0.4)
    assert grow(0.3, score_frac=0.5) == pytest.approx(0.25)
    assert grow(1.0, score_frac=0.9) == 1.0
    assert grow(0.0, score_frac=0.1) == 0.0


@pytest.mark.parametrize("pair", [(2.0, 1.0), (-0.1, 1.0), (0.0, float("nan")), (0.0, float("inf"))])
def test_a_crooked_range_is_refused(pair: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="budget_frac"):
        Ranges(budget_frac=pair)
    with pytest.raises(ValueError, match="share"):
        Ranges().width(1.5)
