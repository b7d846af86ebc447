"""Whole rollouts of made-up candidates, with block noise of 3 % that drags on from block to block."""

import pytest

from controller.rollout.state import RolloutStatus
from tests.rollout.campaign import demo_spec, quick_spec, run


def test_candidate_saving_eight_percent_reaches_full_share_within_a_year() -> None:
    campaign = run(demo_spec(), 0.08, 130, seed=1)
    quarter, full = campaign.entered_day("25 %"), campaign.entered_day("100 %")
    assert quarter is not None
    assert quarter <= 60
    assert full is not None
    assert [move.to_stage for move in campaign.state.history] == ["1 %", "5 %", "25 %", "50 %", "100 %"]


def test_a_candidate_ten_percent_worse_is_failed_at_25_percent() -> None:
    campaign = run(quick_spec(), -0.10, 150, seed=2)
    assert campaign.state.status is RolloutStatus.ABORTED
    assert "gate of stage `25 %` failed: cost benefit" in campaign.state.aborted_why


def test_a_candidate_that_does_nothing_is_not_promoted_beyond_half() -> None:
    """8 campaigns of 200 days: one-sided the level is 0.025, so even one promotion would be five times too many."""
    promoted = [run(quick_spec(), 0.0, 200, seed, until="100 %").entered_day("100 %") for seed in range(8)]
    assert promoted == [None] * 8


def test_ineffective_candidate_is_held_when_patience_ends() -> None:
    campaign = run(quick_spec(), 0.0, 260, seed=1)
    assert (campaign.state.stage, campaign.state.status) == (4, RolloutStatus.RUNNING)
    assert "cost benefit" in campaign.state.held


@pytest.mark.parametrize("seed", [3, 4])
def test_a_candidate_refused_too_often_fails_in_shadow(seed: int) -> None:
    campaign = run(demo_spec(), 0.1, 30, seed, refusal_rate=0.05)
    assert campaign.state.stage == 0
    assert campaign.state.status in (RolloutStatus.ABORTED, RolloutStatus.TRIPPED)


def test_the_saving_is_estimated_without_bias_over_seeds() -> None:
    means = [run(quick_spec(), 0.05, 120, seed).evidence.benefit.cost.mean() for seed in range(6)]
    assert sum(means) / len(means) == pytest.approx(0.05, abs=0.008)
