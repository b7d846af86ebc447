"""The ledger: reserve before a bid, charge once, release once, never overspend."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.bidding.ledger import book
from simulators.bidding.params import BILL_SLOTS
from simulators.bidding.scenarios import SCENARIOS, build, resized, scenario
from simulators.bidding.state import State, initial
from simulators.bidding.step import step
from simulators.bidding.streams import streams

SLOT = st.integers(0, 10**9)


def assert_sound(state: State, budget: np.ndarray) -> None:
    """Everything that must hold after every tick, to the micro."""
    for money in (
        state.available_micros,
        state.reserved_micros,
        state.spent_micros,
        state.hold_micros,
        state.due_micros,
    ):
        assert money.dtype == np.int64
        assert (money >= 0).all()
    assert (state.available_micros + state.reserved_micros + state.spent_micros == budget).all()
    assert (state.reserved_micros == state.hold_micros.sum(axis=-1)).all()
    assert (state.due_micros <= state.hold_micros).all()
    assert (state.incurred_micros == state.spent_micros + state.due_micros.sum(axis=-1)).all()
    assert (state.incurred_micros <= budget).all()


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.lists(st.tuples(SLOT, SLOT), min_size=BILL_SLOTS, max_size=BILL_SLOTS), st.integers(0, 10**9))
def test_booking_creates_and_destroys_no_money(slots: list[tuple[int, int]], available: int) -> None:
    hold = np.asarray([[max(pair) for pair in slots]], dtype=np.int64)
    due = np.asarray([[min(pair) for pair in slots]], dtype=np.int64)
    before = hold.sum() + available
    now, reserved, spent, hold_after, due_after = book(
        np.asarray([available + hold.sum()]), np.asarray([0]), np.asarray([0]), hold, due
    )
    assert now + reserved + spent == before
    assert spent == due[0, 0]
    assert hold_after[0].tolist() == [*hold[0, 1:], 0]
    assert due_after[0].tolist() == [*due[0, 1:], 0]


@settings(derandomize=True, max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(set(SCENARIOS) - {"week"})),
    st.integers(0, 10**6),
    st.lists(st.sampled_from([0.0, 0.1, 0.7, 1.0, 3.0, 50.0, 1e9]), min_size=48, max_size=48),
)
def test_no_policy_overspends_or_drives_the_ledger_below_zero(name: str, seed: int, multipliers: list[float]) -> None:
    noise = streams(seed, 1, name)
    params = build(resized(scenario(name), 4000.0), noise, 2)
    state = initial(params)
    for multiplier in multipliers:
        state, outputs = step(state, np.full(params.shape, multiplier), params, noise)
        assert_sound(state, params.budget_micros)
        assert (outputs.charged_micros >= 0).all()


def test_a_tight_budget_is_used_and_never_passed(small_world: Callable[..., tuple]) -> None:
    params, noise = small_world("budget-bound", per_day=50_000.0)
    state = initial(params)
    for _ in range(48):
        state, _ = step(state, np.full(params.shape, 5.0), params, noise)
        assert_sound(state, params.budget_micros)
    assert (state.incurred_micros > 0.95 * params.budget_micros).all()
    assert (state.throttled_ticks > 0).all()


def test_every_reservation_is_released_within_five_ticks(small_world: Callable[..., tuple]) -> None:
    params, noise = small_world()
    state = initial(params)
    for _ in range(3):
        state, _ = step(state, np.ones(params.shape), params, noise)
    assert (state.reserved_micros > 0).all()
    for _ in range(BILL_SLOTS):
        state, _ = step(state, np.zeros(params.shape), params, noise)
    assert (state.reserved_micros == 0).all()
    assert (state.spent_micros == state.incurred_micros).all()


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_a_multiplier_that_is_no_number_is_refused(bad: float, small_world: Callable[..., tuple]) -> None:
    params, noise = small_world()
    with pytest.raises(ValueError, match="finite and not negative"):
        step(initial(params), np.full(params.shape, bad), params, noise)


def test_a_multiplier_of_another_shape_is_refused(small_world: Callable[..., tuple]) -> None:
    params, noise = small_world()
    with pytest.raises(ValueError, match="has shape"):
        step(initial(params), np.ones(3), params, noise)
