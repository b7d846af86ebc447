"""How the exchange's messages lag and fail, at the real logs' rates."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from simulators.bidding.physics.params import (
    EVENT_DUPLICATE,
    EVENT_LATE_NOTICE,
    EVENT_OVER_BID,
    EVENT_SLOT_MASK,
    EVENT_UNRENDERED,
    Notices,
    event_table,
)
from simulators.bidding.physics.state import State, initial
from simulators.bidding.physics.step import step


def share(table: np.ndarray, mask: int) -> float:
    """The share of entries with any of some bits set."""
    return float(np.mean((table & mask) != 0))


def test_failures_come_at_the_real_rates() -> None:
    table = event_table(Notices())
    rendered = table[(table & EVENT_UNRENDERED) == 0]
    assert table.shape == (65536,)
    assert share(table, EVENT_UNRENDERED) == pytest.approx(0.10, abs=1e-3)
    assert share(rendered, EVENT_DUPLICATE) == pytest.approx(0.0037, abs=2e-4)
    assert share(rendered, EVENT_OVER_BID) == pytest.approx(191_091 / 6_306_229, abs=5e-4)


def test_bills_are_as_late_as_an_exponential_delay_makes_them() -> None:
    table = event_table(Notices(bill_delay_s=600.0))
    rendered = table[(table & EVENT_UNRENDERED) == 0]
    rng = np.random.default_rng(3)
    ticks = np.floor((rng.uniform(0, 1800, 400_000) + rng.exponential(600.0, 400_000)) / 1800)
    wanted = np.bincount(np.minimum(ticks, 3).astype(int), minlength=4) / len(ticks)
    got = np.bincount(rendered & EVENT_SLOT_MASK, minlength=4) / len(rendered)
    assert got == pytest.approx(wanted, abs=0.003)


def test_late_win_notices_arrive_one_tick_later_without_loss(small_world: Callable[..., tuple]) -> None:
    params, noise = small_world(per_day=30_000.0)
    params = replace(params, event_table=event_table(Notices(win_delay_s=900.0))[None])
    assert share(params.event_table, EVENT_LATE_NOTICE) == pytest.approx(0.432, abs=0.01)
    state, outputs = step(initial(params), np.ones(params.shape), params, noise)
    first = outputs.wins
    assert (state.recent[:, :, 0, 4] < first).all()
    state, _ = step(state, np.zeros(params.shape), params, noise)
    assert (state.recent[:, :, 0, 4] + state.recent[:, :, 1, 4] == first).all()


def fly(params: object, noise: object, multiplier: float = 2.0) -> State:
    """A flight at one multiplier."""
    state = initial(params)
    for _ in range(48):
        state, _ = step(state, np.full(params.shape, multiplier), params, noise)
    return state


def test_only_marked_campaigns_see_bills_above_their_bid(small_world: Callable[..., tuple]) -> None:
    params, noise = small_world("cpa-bound", campaigns=9, per_day=20_000.0)
    state = fly(params, noise)
    assert (state.disputed_micros[params.over_bid] > 0).all()
    assert (state.disputed_micros[~params.over_bid] == 0).all()


def test_duplicates_are_counted_and_never_charged(small_world: Callable[..., tuple]) -> None:
    params, noise = small_world("cpa-bound", per_day=40_000.0)
    none = replace(params, event_table=params.event_table & (0xFF ^ EVENT_DUPLICATE))
    once, twice = fly(none, noise), fly(params, noise)
    assert twice.duplicates.sum() > 0
    assert once.duplicates.sum() == 0
    assert (once.spent_micros == twice.spent_micros).all()


def test_conversions_are_noticed_after_the_mean_delay(small_world: Callable[..., tuple]) -> None:
    params, noise = small_world("cpa-bound", campaigns=9, per_day=200_000.0)
    many = replace(params, click_rate=params.click_rate * 0 + 0.2, conversions=params.conversions * 0 + 0.5)
    many = replace(many, conversion_delay_ticks=params.conversion_delay_ticks * 0 + 4)
    state, outputs = step(replace(initial(many), tick=20), np.full(params.shape, 5.0), many, noise)
    seen = [state.total[..., 6].sum()]
    for _ in range(27):
        state, _ = step(state, np.zeros(params.shape), many, noise)
        seen.append(state.total[..., 6].sum())
    assert seen[-1] > 1000
    assert seen[-1] == pytest.approx(outputs.conversions.sum(), rel=0.01)
    delays = np.repeat(np.arange(28), np.diff([0, *seen]))
    assert delays.mean() == pytest.approx(1 / (np.exp(0.25) - 1), rel=0.06)


def test_a_tracking_outage_hides_conversions_that_happened(small_world: Callable[..., tuple]) -> None:
    params, noise = small_world("cpa-bound", campaigns=9, per_day=20_000.0)
    blind = replace(params, tracked_frac=params.tracked_frac * 0)
    seen, hidden = fly(params, noise), fly(blind, noise)
    assert (seen.conversions == hidden.conversions).all()
    assert hidden.total[..., 6].sum() == 0
    assert 0 < seen.total[..., 6].sum() <= seen.conversions.sum()


def test_realised_clicks_and_conversions_agree_with_their_chances(small_world: Callable[..., tuple]) -> None:
    params, noise = small_world("cpa-bound", lanes=4, campaigns=9, per_day=60_000.0)
    state = fly(params, noise)
    expected = state.expected_pico.sum() * 1e-12
    assert abs(state.conversions.sum() - expected) < 4 * np.sqrt(expected)
