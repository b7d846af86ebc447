"""The ledger: reserve before a bid, charge once, release once, never overspend."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.bidding.physics.ledger import book, funds
from simulators.bidding.physics.params import BILL_SLOTS, Params
from simulators.bidding.physics.state import State, initial
from simulators.bidding.physics.step import step
from simulators.bidding.world.build import build
from simulators.bidding.world.randomisation import NOTICES, Range, Ranges
from simulators.bidding.world.scenario import SCENARIOS, Event, EventKind, Scenario, resized, scenario
from simulators.bidding.world.streams import streams

SLOT = st.integers(0, 10**9)


def assert_sound(state: State, params: Params) -> None:
    """Everything that must hold after every tick, to the micro, of every campaign's budget and every shared one."""
    budget = params.budget_micros
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
    _assert_shared_sound(state, params)


def _assert_shared_sound(state: State, params: Params) -> None:
    """The same of the shared budgets; and what campaigns reserve and spend is what their shared budgets do."""
    available, reserved, spent = (
        state.shared_available_micros,
        state.shared_reserved_micros,
        state.shared_spent_micros,
    )
    for money in (available, reserved, spent, state.shared_due_micros):
        assert money.dtype == np.int64
        assert (money >= 0).all()
    assert (available + reserved + spent == params.shared_micros).all()
    assert (reserved == state.shared_hold_micros.sum(axis=-1)).all()
    assert (state.shared_due_micros <= state.shared_hold_micros).all()
    for p, span in enumerate(params.shared_open):
        if span == (0, params.ticks):
            member = params.shared_member[:, :, p]
            assert (spent[:, p] == (state.spent_micros * member).sum(axis=1)).all()
            assert (reserved[:, p] == (state.reserved_micros * member).sum(axis=1)).all()
            assert ((state.incurred_micros * member).sum(axis=1) <= params.shared_micros[:, p]).all()


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
    st.sampled_from(sorted(name for name, world in SCENARIOS.items() if world.days == 1)),
    st.integers(0, 10**6),
    st.lists(st.sampled_from([0.0, 0.1, 0.7, 1.0, 3.0, 50.0, 1e9]), min_size=48, max_size=48),
)
def test_no_policy_overspends_or_drives_the_ledger_below_zero(name: str, seed: int, multipliers: list[float]) -> None:
    noise = streams(seed, 1, name)
    params = build(resized(scenario(name), 4000.0), noise, 2)
    state = initial(params)
    for multiplier in multipliers:
        state, outputs = step(state, np.full(params.shape, multiplier), params, noise)
        assert_sound(state, params)
        assert (outputs.charged_micros >= 0).all()


SPAN = st.tuples(st.integers(0, 95), st.integers(1, 30)).map(lambda at: (at[0], min(at[0] + at[1], 96)))
FAULTS = st.lists(
    st.tuples(st.sampled_from(["billing", "duplicates", "traffic", "floor", "rival", "price"]), SPAN, st.floats(0, 3)),
    max_size=5,
)


@settings(derandomize=True, max_examples=25, deadline=None)
@given(
    st.integers(0, 10**6),
    FAULTS,
    st.tuples(st.floats(0, 3000), st.floats(0, 900), st.floats(0, 0.6), st.floats(0, 1), st.floats(0, 1)),
    st.floats(0.01, 1.0),
    st.lists(st.sampled_from([0.0, 0.3, 1.0, 8.0, 1e9]), min_size=6, max_size=6),
)
def test_no_billing_fault_can_exceed_a_budget(
    seed: int,
    faults: list[tuple[EventKind, tuple[int, int], float]],
    wrong: tuple[float, float, float, float, float],
    shared: float,
    multipliers: list[float],
) -> None:
    fixed = {name: Range(x, x) for name, x in (*zip(NOTICES, wrong, strict=True), ("shared_frac", shared))}
    events = tuple(
        Event(kind, first, last, min(s, 1) if kind == "duplicates" else s) for kind, (first, last), s in faults
    )
    ranges = replace(Ranges(), budget_frac=Range(0.02, 0.6), **fixed)
    world = Scenario("faulty", "", days=2, impressions_per_day=3000.0, ranges=ranges, events=events)
    world = replace(world, shared=("account", "day"))
    noise = streams(seed, 1, "faulty")
    params = build(world, noise, 4)
    params = replace(params, over_bid=params.over_bid | True)
    state = initial(params)
    for tick in range(96):
        row = np.asarray([[multipliers[(tick + i) % 6] for i in range(4)]])
        state, _ = step(state, row, params, noise)
        assert_sound(state, params)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10**13), st.booleans()), min_size=1, max_size=40),
    st.integers(0, 10**14),
    st.booleans(),
)
def test_parts_of_a_shared_budget_never_exceed_it(
    campaigns: list[tuple[int, bool]], shared: int, is_open: bool
) -> None:
    available = np.asarray([[own for own, _ in campaigns]], dtype=np.int64)
    member = np.asarray([[[int(inside)] for _, inside in campaigns]], dtype=np.int64)
    parts = funds(available, np.asarray([[shared]], dtype=np.int64), member, (is_open,))
    inside = member[:, :, 0] > 0
    assert ((parts >= 0) & (parts <= available)).all()
    assert (parts[~inside] == available[~inside]).all()
    if is_open:
        assert parts[inside].sum() <= max(shared, 0)
    else:
        assert (parts == available).all()


def test_a_shared_budget_that_holds_everybody_restricts_nobody() -> None:
    available = np.asarray([[5, 7, 0]], dtype=np.int64)
    assert funds(available, np.asarray([[12]]), np.ones((1, 3, 1), dtype=np.int64), (True,)).tolist() == [[5, 7, 0]]


def test_a_shared_budget_is_used_up_and_not_passed() -> None:
    noise = streams(1, 2, "shared")
    params = build(resized(scenario("shared"), 60_000.0), noise, 4)
    state = initial(params)
    for _ in range(48):
        state, _ = step(state, np.full(params.shape, 6.0), params, noise)
        assert_sound(state, params)
    assert (state.incurred_micros.sum(axis=1) > 0.97 * params.shared_micros[:, 0]).all()
    assert (state.incurred_micros.sum(axis=1) < 0.9 * params.budget_micros.sum(axis=1)).all()


def test_wins_count_against_the_shared_budget_of_their_day() -> None:
    noise = streams(1, 1, "shared-week")
    params = build(resized(scenario("shared-week"), 8000.0), noise, 3)
    state = replace(initial(params), tick=47)
    state, outputs = step(state, np.full(params.shape, 3.0), params, noise)
    first, second = params.shared_open.index((0, 48)), params.shared_open.index((48, 96))
    for _ in range(BILL_SLOTS):
        state, _ = step(state, np.zeros(params.shape), params, noise)
    assert state.shared_spent_micros[0, first] == outputs.incurred_micros.sum() > 0
    assert state.shared_spent_micros[0, second] == 0
    assert_sound(state, params)


def test_a_tight_budget_is_used_and_never_passed(small_world: Callable[..., tuple]) -> None:
    params, noise = small_world("budget-bound", per_day=50_000.0)
    state = initial(params)
    for _ in range(48):
        state, _ = step(state, np.full(params.shape, 5.0), params, noise)
        assert_sound(state, params)
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
def test_non_finite_multiplier_is_refused(bad: float, small_world: Callable[..., tuple]) -> None:
    params, noise = small_world()
    with pytest.raises(ValueError, match="finite and not negative"):
        step(initial(params), np.full(params.shape, bad), params, noise)


def test_a_multiplier_of_another_shape_is_refused(small_world: Callable[..., tuple]) -> None:
    params, noise = small_world()
    with pytest.raises(ValueError, match="has shape"):
        step(initial(params), np.ones(3), params, noise)
