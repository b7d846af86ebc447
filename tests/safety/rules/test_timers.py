"""Timers to the microsecond: what each stateful kind remembers, before, on and after its edge."""

from math import inf, isnan
from typing import Any

import pytest

from safety.inputs import Plausibility, Vote, managed
from safety.rules.base import Situation
from safety.rules.command_rules import Dwell, RateWindow
from safety.rules.conditions import Linear
from safety.rules.money_rules import Budget, SpendRate
from safety.rules.state_rules import Readback, Recoverability, Staleness, Trip, Watchdog
from safety.values import Observation, Quality, Signal, Tier

WHY = {"id": "R", "tier": Tier.T1, "hazard": "h", "basis": "b", "unit": "C"}
S = 1_000_000
DWELL = Dwell(**WHY, setpoint="n", min_on_us=100, min_off_us=50, max_starts=2, window_us=1000)
PLAIN = Dwell(**WHY, setpoint="n", min_on_us=100, min_off_us=50)
WINDOW = RateWindow(**WHY, setpoint="x", most=3.0, window_us=100)
TRIP = Trip(**WHY, signal="s", low=2.0, high=10.0, on_delay_us=100)
BACK = Readback(**WHY, setpoint="x", tolerance=0.5, delay_us=100)
DOG = Watchdog(**WHY, signal="s", max_silence_us=3 * S)


def seen(value: float | Signal | None = None, **more: Any) -> Observation:
    signal = value if isinstance(value, Signal) else None if value is None else Signal(value)
    return Observation("p", "p", 0, {} if signal is None else {"s": signal}, **more)


def now(last: dict[str, float] | None, *state: float) -> Situation:
    return Situation({}, last, None, 300.0, {"R": state})


def test_what_is_not_remembered_has_just_changed() -> None:
    assert DWELL.fresh() == (0.0, 0.0)
    assert WINDOW.fresh() == ()


def test_a_start_leaves_its_window_to_the_microsecond() -> None:
    assert DWELL.aged((0.0, 0.0, 899.0), seen(), 100) == (100.0, 100.0, 999.0)
    assert DWELL.aged((0.0, 0.0, 900.0), seen(), 100) == (100.0, 100.0)


def test_a_raise_a_lowering_and_standing_still_are_remembered_apart() -> None:
    state = (7.0, 8.0, 9.0)
    assert DWELL.applied(state, {"n": 1.0}, {"n": 2.0}) == (0.0, 8.0, 9.0, 0.0)
    assert DWELL.applied(state, {"n": 2.0}, {"n": 1.0}) == (7.0, 0.0, 9.0)
    assert DWELL.applied(state, {"n": 1.0}, {"n": 1.0}) is state
    assert PLAIN.applied((7.0, 8.0), {"n": 1.0}, {"n": 2.0}) == (0.0, 8.0)


def test_oldest_start_must_leave_a_full_window() -> None:
    def wait(*state: float) -> float:
        return DWELL.wait_us({"n": 2.0}, now({"n": 1.0}, *state))

    assert wait(999.0, 999.0, 300.0) == -949.0
    assert wait(999.0, 999.0, 300.0, 400.0) == 600.0
    assert wait(999.0, 999.0, 900.0, 300.0, 400.0) == 600.0
    assert wait(999.0, 0.0, 999.0, 999.0) == 50.0
    assert PLAIN.wait_us({"n": 2.0}, now({"n": 1.0}, 0.0, 50.0, 1.0, 1.0, 1.0)) == 0.0


def test_a_dwell_is_free_on_its_very_edge() -> None:
    assert DWELL.margin({"n": 1.0}, now({"n": 2.0}, 100.0, 0.0)) == 0.0
    assert DWELL.margin({"n": 1.0}, now({"n": 2.0}, 99.0, 0.0)) == -1e-6
    assert DWELL.margin({"n": 1.0}, now(None)) == inf


def test_moves_leave_their_window_oldest_first_and_keep_their_distance() -> None:
    state = (70.0, 1.0, 40.0, 2.0, 0.0, 4.0)
    assert WINDOW.aged(state, seen(), 29) == (99.0, 1.0, 69.0, 2.0, 29.0, 4.0)
    assert WINDOW.aged(state, seen(), 30) == (70.0, 2.0, 30.0, 4.0)
    with pytest.raises(ValueError, match="zip"):
        WINDOW.aged((1.0, 2.0, 3.0), seen(), 1)


def test_window_counts_distance_moved_and_not_standing_still() -> None:
    assert WINDOW.applied((), {"x": 5.0}, {"x": 7.0}) == (0.0, 2.0)
    assert WINDOW.applied((), {"x": 7.0}, {"x": 5.0}) == (0.0, 2.0)
    assert WINDOW.applied((1.0, 1.0), {"x": 5.0}, {"x": 5.0}) == (1.0, 1.0)
    assert WINDOW.applied((1.0, 1.0), {"x": 5.0}, {}) == (1.0, 1.0)


def test_a_window_nothing_is_remembered_of_is_whole() -> None:
    assert WINDOW.reach(Situation({}, {"x": 0.0}, None, 300.0, {})) == (3.0, 3.0)
    assert WINDOW.reach(now({"x": 0.0}, 5.0, 2.0, 9.0, 9.0)) == (0.0, 0.0)
    assert WINDOW.margin({"x": 1.0}, now(None)) == inf


def test_trip_counts_from_first_sight_and_clears_at_the_edges() -> None:
    assert TRIP.fresh() == (0.0, 0.0)
    assert TRIP.aged((0.0, 0.0), seen(11.0), 60) == (0.0, 1.0)
    assert TRIP.aged((0.0, 1.0), seen(11.0), 60) == (60.0, 1.0)
    for inside in (2.0, 2.5, 9.5, 10.0):
        assert TRIP.aged((60.0, 1.0), seen(inside), 60) == (0.0, 0.0)
        assert TRIP.margin(seen(inside), (0.0, 0.0)) == min(inside - 2.0, 10.0 - inside)
    assert TRIP.aged((0.0, 1.0), seen(1.5), 60) == (60.0, 1.0)
    assert TRIP.margin(seen(1.5), (99.0, 1.0)) == 0.0
    assert TRIP.margin(seen(1.5), (100.0, 1.0)) == -0.5
    assert TRIP.margin(seen(11.0), (100.0, 1.0)) == -1.0
    assert isnan(TRIP.margin(seen(Signal(5.0, Quality.STALE)), (0.0, 0.0)))
    assert isnan(TRIP.margin(seen(inf), (0.0, 0.0)))


def test_a_disagreement_is_forgotten_once_both_agree() -> None:
    def observed(does: float, **more: Any) -> Observation:
        return seen(applied={"x": 1.0}, readback={"x": does}, **more)

    assert BACK.fresh() == (0.0, 0.0)
    assert BACK.aged((0.0, 0.0), observed(2.0), 60) == (0.0, 1.0)
    assert BACK.aged((30.0, 1.0), observed(2.0), 60) == (90.0, 1.0)
    assert BACK.aged((30.0, 1.0), observed(1.5), 60) == (0.0, 0.0)
    assert BACK.aged((30.0, 1.0), seen(), 60) == (0.0, 0.0)
    assert BACK.margin(observed(1.5), (0.0, 1.0)) == 0.0
    assert BACK.margin(observed(1.25), (0.0, 1.0)) == 0.25
    assert BACK.margin(observed(2.0), (99.0, 1.0)) == 0.0
    assert BACK.margin(observed(2.0), (100.0, 1.0)) == -0.5
    assert BACK.margin(observed(0.0), (100.0, 1.0)) == -0.5


@pytest.mark.parametrize("more", [{"readback": {"y": 1.0}}, {"readback": {}}, {"readback": None}])
def test_a_read_back_that_is_missing_is_unknown(more: dict[str, Any]) -> None:
    assert isnan(BACK.margin(seen(applied={"x": 1.0}, **more), (0.0, 0.0)))
    assert isnan(BACK.margin(seen(applied={"y": 1.0}, readback={"x": 1.0}), (0.0, 0.0)))


def test_a_heart_beats_by_changing() -> None:
    assert DOG.fresh() == (0.0, 0.0)
    assert DOG.aged((4.0, 9.0), seen(4.0), 5) == (4.0, 14.0)
    assert DOG.aged((4.0, 9.0), seen(), 5) == (4.0, 14.0)
    assert DOG.aged((4.0, 9.0), seen(5.0), 5) == (5.0, 0.0)
    assert DOG.margin(seen(), (4.0, 1.0 * S)) == 2.0
    assert DOG.margin(seen(), (4.0, 3.0 * S)) == 0.0
    assert DOG.margin(seen(), (4.0, 3.0 * S + 1)) < 0


def test_the_oldest_signal_decides_and_age_is_in_seconds() -> None:
    rule = Staleness(**WHY, signals=("s", "t"), max_age_us=90 * S)
    both = {"s": Signal(1.0, age_us=30 * S), "t": Signal(1.0, age_us=60 * S)}
    assert rule.margin(Observation("p", "p", 0, both), ()) == 30.0
    assert rule.margin(Observation("p", "p", 0, {"s": Signal(1.0), "t": Signal(1.0)}), ()) == 90.0


def test_linear_rise_is_unknown_when_its_signals_are() -> None:
    rule = Recoverability(**WHY, signal="s", rise=Linear((("t", 0.5),), 0.5), horizon_us=2 * S, high=10.0)
    assert rule.margin(Observation("p", "p", 0, {"s": Signal(4.0), "t": Signal(3.0)}), ()) == 2.0
    assert isnan(rule.margin(Observation("p", "p", 0, {"s": Signal(4.0)}), ()))


LEDGER = {"spent": "a", "reserved": "b", "limit": "c", "max_charge": "d"}


@pytest.mark.parametrize(("left", "high"), [(0, inf), (-1, 0.5), (1, inf)])
def test_money_is_exact_to_the_micro_where_floats_are_coarse(left: int, high: float) -> None:
    limit = 2**53 - 1
    signals = {"a": limit - 10 - left, "b": 4, "c": limit, "d": 6}
    here = Situation({name: Signal(float(value)) for name, value in signals.items()}, None, None, 0.0, {})
    rule = Budget(**WHY, setpoint="x", **LEDGER, idle=0.5)
    assert rule.left_micros(here) == left
    assert rule.box({}, here) == (-inf, high)
    assert rule.margin({"x": 0.5}, here) == high - 0.5


def test_a_rate_of_spending_is_rounded_towards_what_is_left() -> None:
    rule = SpendRate(**WHY, setpoint="x", **LEDGER, most_per_mille=1500)

    def left(a: float, c: float) -> int | None:
        return rule.left_micros(
            Situation({n: Signal(v) for n, v in zip("abcd", (a, 1.0, c, 1.0), strict=True)}, None, None, 0, {})
        )

    assert left(148.0, 100.0) == 0
    assert left(149.0, 100.0) == -1
    assert left(149.0, 101.0) == 0
    assert left(0.0, 1_000_001.0) == 1_499_999
    assert isinstance(left(0.0, 1.0), int)


PLAUSIBLE = Plausibility(id="P", signal="a", low=1, high=50, rate_per_s=0.5)
VOTE = Vote(id="V", signal="v", sensors=("a", "b", "c"), deviation=2.0, safe_side="low")


@pytest.mark.parametrize(
    ("value", "state", "good"),
    [(1.0, (), True), (50.0, (), True), (0.5, (), False), (50.5, (), False), (20.0, (15.0, 0.0, 0.0), True),
     (20.5, (15.0, 0.0, 0.0), False), (9.5, (15.0, 0.0, 0.0), False)],
)  # fmt: skip
def test_a_plausible_signal_holds_its_edges(value: float, state: tuple[float, ...], good: bool) -> None:
    signal, after = PLAUSIBLE.managed({"a": Signal(value)}, state, 10 * S)
    assert signal is not None
    assert signal.good is good
    assert after == (value, 0.0, 0.0)


def test_three_sensors_exactly_at_the_permitted_deviation_agree() -> None:
    signals = {"a": Signal(18.0, age_us=3), "b": Signal(20.0, age_us=2), "c": Signal(22.0)}
    assert VOTE.managed(signals, (), 0) == (Signal(20.0, Quality.GOOD, 3), ())


def test_vote_of_two_takes_safe_side_and_older_age() -> None:
    signals = {"a": Signal(18.0, age_us=3), "b": Signal(20.0, age_us=9)}
    assert VOTE.managed(signals, (), 0) == (Signal(18.0, Quality.GOOD, 9), ())
    high = Vote(id="V", signal="v", sensors=("a", "b", "c"), deviation=2.0, safe_side="high")
    assert high.managed(signals, (), 0) == (Signal(20.0, Quality.GOOD, 9), ())


def test_a_vote_without_two_voices_says_nothing() -> None:
    assert VOTE.managed({"a": Signal(18.0)}, (), 0) == (Signal(0.0, Quality.BAD, 0), ())


def test_inputs_remember_by_name_and_time_never_goes_back() -> None:
    raw = {"a": Signal(20.0), "b": Signal(20.5), "c": Signal(21.0)}
    observation = Observation("p", "p", 0, raw)
    states = {"P": (20.0, 5.0, 7.0)}
    after, remembered = managed(observation, (PLAUSIBLE, VOTE), states, 10)
    assert remembered == {"P": (20.0, 0.0, 17.0), "V": ()}
    assert after.signals["v"] == Signal(20.5)
    assert managed(observation, (PLAUSIBLE,), states, -10)[1] == {"P": (20.0, 0.0, 7.0)}
    assert managed(observation, (PLAUSIBLE,), {}, 10)[1] == {"P": (20.0, 0.0, 0.0)}
    gone = Observation("p", "p", 0, {})
    assert managed(gone, (PLAUSIBLE,), states, 10) == (gone, {"P": (20.0, 15.0, 17.0)})
