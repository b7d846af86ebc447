"""The ramp on plans of two or three rules, where what must come out can be worked out by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety.loading.when import parse_linear, parse_when
from safety.ramp import Ramped, plan_ramp, ramp
from safety.rules.base import CommandRule, Situation
from safety.rules.command_rules import Bound, Dwell, Interlock, RateWindow, Relation, Slew
from safety.rules.conditions import Linear
from safety.values import Setpoints, Signal, Tier
from tests.safety.support.seeded import seeded


def made(kind: type, name: str, tier: Tier = Tier.T2, **fields: Any) -> Any:
    return kind(id=name, tier=tier, hazard="h", basis="b", **fields)


@dataclass(frozen=True)
class Spec:
    name: str
    values: tuple[float, ...] | None = None
    low: float = -1e300
    high: float = 1e300


X, Y, N, M = Spec("x"), Spec("y"), Spec("n", (0.0, 1.0, 2.0)), Spec("m", (0.0, 1.0, 2.0))
SLOW = made(Slew, "SLOW", Tier.T4, setpoint="x", up_per_s=0.1, down_per_s=0.1)
STILL = made(Dwell, "STILL", Tier.T3, setpoint="n", min_on_us=100, min_off_us=100)


def moved(
    specs: Sequence[Spec], rules: Sequence[CommandRule], last: Setpoints, target: Setpoints, **more: Any
) -> Ramped:
    """The step of ten seconds: SLOW goes a whole unit."""
    signals = {name: Signal(value) for name, value in more.get("signals", {}).items()}
    now = Situation(signals, last, None, 10.0, more.get("states", {}))
    return ramp(target, now, plan_ramp(specs, rules), keep_discrete=more.get("keep", False))


def low(name: str, edge: float, **more: Any) -> Any:
    return made(Interlock, name, setpoint="x", low=Linear((), edge), **more)


def test_setpoints_share_a_ramp_only_where_a_relation_joins_them() -> None:
    """In the order in which they are declared, which is not the one of the alphabet."""
    specs = [Spec("z"), Spec("c"), N, Spec("y"), Spec("b"), Spec("a"), Spec("x")]
    rules = [relation("R", z=1.0, b=1.0), relation("S", y=1.0, x=-1.0), relation("T", b=2.0, a=1.0, n=1.0), SLOW]
    groups = plan_ramp(specs, rules).groups
    assert [group.setpoints for group in groups] == [("z", "b", "a"), ("c",), ("y", "x")]
    assert [[rule.id for rule in group.slews] for group in groups] == [[], [], ["SLOW"]]


def relation(name: str, **terms: float) -> Any:
    return made(Relation, name, terms=tuple(terms.items()), limit=Linear((), 9.0))


def test_what_no_rule_slows_goes_straight_to_its_target() -> None:
    assert moved([X, Y], [], {"x": 0.0, "y": 0.0}, {"x": 9.0, "y": -9.0}).step == {"x": 9.0, "y": -9.0}


def test_what_no_rule_demands_keeps_its_rate() -> None:
    ramped = moved([X], [SLOW], {"x": 0.0}, {"x": 10.0})
    assert 1.0 - 1e-8 < ramped.step["x"] <= 1.0
    assert ramped.waived == frozenset()


def test_forbidden_last_value_moves_to_the_edge_with_slew_waived() -> None:
    ramped = moved([X], [SLOW, low("FLOOR", 5.0)], {"x": 0.0}, {"x": 10.0})
    assert ramped.step == {"x": 5.0}
    assert ramped.waived == {"x"}


def test_a_target_on_the_very_edge_is_entered_too() -> None:
    assert moved([X], [SLOW, low("FLOOR", 5.0)], {"x": 0.0}, {"x": 5.0}).step == {"x": 5.0}


def test_forbidden_target_is_approached_at_rate_and_never_repaired() -> None:
    ramped = moved([X], [SLOW, low("HIGH", 20.0)], {"x": 0.0}, {"x": 10.0})
    assert 1.0 - 1e-8 < ramped.step["x"] <= 1.0
    assert ramped.waived == frozenset()


def test_one_rule_is_entered_without_repairing_another() -> None:
    assert moved([X], [SLOW, low("FLOOR", 5.0), low("HIGH", 20.0)], {"x": 0.0}, {"x": 10.0}).step == {"x": 5.0}


@seeded(300)
@given(last=st.floats(-50, 0), edge=st.floats(2, 40), further=st.floats(0.001, 40))
def test_an_edge_is_met_but_for_rounding_and_never_missed(last: float, edge: float, further: float) -> None:
    ramped = moved([X], [SLOW, low("FLOOR", edge)], {"x": last}, {"x": edge + further})
    assert edge <= ramped.step["x"] <= edge * (1 + 1e-12)


@seeded(300)
@given(last=st.floats(-50, 50), target=st.floats(-50, 50))
def test_a_target_in_reach_is_met_to_the_bit(last: float, target: float) -> None:
    fast = made(Slew, "FAST", Tier.T4, setpoint="x", up_per_s=99, down_per_s=99)
    assert moved([X], [fast], {"x": last}, {"x": target}).step == {"x": target}


SHARE = made(Relation, "SHARE", Tier.T1, terms=(("x", 1.0), ("y", 1.0)), limit=Linear((), 8.0))
SLOW_TOO = made(Slew, "SLOW-TOO", Tier.T4, setpoint="y", up_per_s=0.1, down_per_s=0.1)


def test_relation_is_entered_within_rates_where_they_suffice() -> None:
    ramped = moved([X, Y], [SLOW, SHARE], {"x": 6.0, "y": 6.0}, {"x": 2.0, "y": 2.0})
    assert (ramped.step["x"], ramped.step["y"]) == (pytest.approx(5.0), pytest.approx(3.0))
    assert ramped.waived == frozenset()


def test_relation_is_entered_beyond_rates_no_further_than_rounding_needs() -> None:
    ramped = moved([X, Y], [SLOW, SLOW_TOO, SHARE], {"x": 6.0, "y": 6.0}, {"x": 2.0, "y": 2.0})
    assert ramped.step["x"] + ramped.step["y"] == pytest.approx(8.0, abs=1e-9)
    assert ramped.waived == {"x", "y"}


def test_setpoint_joined_to_one_that_enters_keeps_its_rate() -> None:
    ramped = moved([X, Y], [SLOW, SLOW_TOO, SHARE, low("FLOOR", 0.5)], {"x": 0.4, "y": 0.0}, {"x": 0.5, "y": 7.0})
    assert ramped.step == {"x": 0.5, "y": pytest.approx(1.0)}
    assert ramped.waived == frozenset()


def test_setpoint_gives_way_only_as_far_as_its_relation_needs() -> None:
    ramped = moved([X, Y], [SLOW, SLOW_TOO, SHARE, low("FLOOR", 5.0)], {"x": 0.0, "y": 7.0}, {"x": 8.0, "y": 0.0})
    assert ramped.step == {"x": 5.0, "y": pytest.approx(3.0)}
    assert ramped.waived == {"x", "y"}


class Strict(CommandRule):
    """A rule the ramp has no box for: at least 0.7, without a word for rounding."""

    @property
    def setpoints(self) -> tuple[str, ...]:
        return ("x",)

    def margin(self, proposed: Setpoints, now: Situation) -> float:
        return (proposed["x"] * 3.0 - 2.1) / 3.0


class Island(Strict):
    """A rule whose permitted set is the target alone, which no loader would let in."""

    def margin(self, proposed: Setpoints, now: Situation) -> float:
        return 1.0 if proposed["x"] == 30.0 else -1.0


@seeded(300)
@given(last=st.floats(-20, -5), target=st.floats(1.0, 20.0))
def test_where_rounding_misses_the_edge_a_little_more_is_tried(last: float, target: float) -> None:
    rule = made(Strict, "STRICT")
    ramped = moved([X], [SLOW, rule], {"x": last}, {"x": target})
    assert rule.margin(ramped.step, None) >= 0
    assert ramped.step["x"] == pytest.approx(0.7, abs=1e-9)


def test_rule_not_entered_on_the_way_is_entered_at_end() -> None:
    assert moved([X], [SLOW, made(Island, "ISLAND")], {"x": 0.0}, {"x": 30.0}).step == {"x": 30.0}


def test_a_discrete_value_waits_to_the_last_microsecond() -> None:
    def step(since: float) -> Ramped:
        return moved([M, N], [STILL], {"m": 1.0, "n": 1.0}, {"m": 1.0, "n": 2.0}, states={"STILL": (0.0, since)})

    assert step(99.0) == Ramped({"m": 1.0, "n": 1.0}, ("n",))
    assert step(100.0) == Ramped({"m": 1.0, "n": 2.0})


def test_only_a_hard_rule_makes_a_timer_give_way() -> None:
    def step(tier: Tier) -> Ramped:
        must = made(Interlock, "MUST", tier, setpoint="n", low=Linear((), 2.0))
        return moved([N], [STILL, must], {"n": 1.0}, {"n": 2.0}, states={"STILL": (0.0, 0.0)})

    assert step(Tier.T2) == Ramped({"n": 2.0}, (), frozenset({"n"}))
    assert step(Tier.T5) == Ramped({"n": 1.0}, ("n",))


def test_a_discrete_value_on_its_edge_is_not_forbidden() -> None:
    edge = made(Interlock, "EDGE", setpoint="n", low=Linear((), 1.0))
    ramped = moved([N], [STILL, edge], {"n": 1.0}, {"n": 2.0}, states={"STILL": (0.0, 0.0)})
    assert ramped == Ramped({"n": 1.0}, ("n",))


def test_kept_discrete_values_change_only_where_forbidden() -> None:
    must = made(Interlock, "MUST", setpoint="n", low=Linear((), 2.0))
    target = {"m": 2.0, "n": 2.0}
    assert moved([M, N], [must], {"m": 1.0, "n": 1.0}, target, keep=True) == Ramped({"m": 1.0, "n": 2.0}, ("m",))


# While n is 2 the setpoint x is at most 5.
COUPLED = made(Interlock, "COUPLED", setpoint="x", when=parse_when("n >= 2"), high=Linear((), 5.0))


def test_what_a_demanded_value_forbids_is_entered_at_once() -> None:
    must = made(Interlock, "MUST", setpoint="n", low=parse_linear("s"))
    for others in ([N, M, X], [M, N, X]):
        ramped = moved(
            others,
            [SLOW, must, COUPLED],
            {"n": 1.0, "m": 0.0, "x": 10.0},
            {"n": 2.0, "m": 1.0, "x": 4.0},
            signals={"s": 2.0},
        )
        assert ramped.step == {"n": 2.0, "m": 1.0, "x": 5.0}
        assert ramped.waived == {"x"}


def test_wanted_value_waives_nothing_beside_a_demanded_one() -> None:
    must = made(Interlock, "MUST", setpoint="m", low=Linear((), 1.0))
    ramped = moved([M, N, X], [SLOW, must, COUPLED], {"m": 0.0, "n": 1.0, "x": 10.0}, {"m": 1.0, "n": 2.0, "x": 4.0})
    assert (ramped.step["m"], ramped.step["n"], ramped.waived) == (1.0, 2.0, frozenset())
    assert 9.0 <= ramped.step["x"] < 9.0 + 1e-8


def test_what_a_wanted_value_forbids_waives_nothing() -> None:
    ramped = moved([N, X], [SLOW, COUPLED], {"n": 1.0, "x": 10.0}, {"n": 2.0, "x": 4.0})
    assert ramped.step["n"] == 2.0
    assert 9.0 <= ramped.step["x"] < 9.0 + 1e-8
    assert ramped.waived == frozenset()


def test_a_last_value_on_the_edge_is_not_forbidden() -> None:
    floor = made(Interlock, "FLOOR", setpoint="x", low=parse_linear("n * 2"))
    ramped = moved([N, X], [SLOW, floor], {"n": 1.0, "x": 2.0}, {"n": 2.0, "x": 9.0})
    assert 3.0 - 1e-8 < ramped.step["x"] <= 3.0
    assert ramped.waived == frozenset()


def between(name: str, condition: str, lowest: float, highest: float) -> Any:
    return made(
        Interlock, name, setpoint="x", when=parse_when(condition), low=Linear((), lowest), high=Linear((), highest)
    )


def test_rule_satisfied_by_new_discrete_value_need_not_be_entered() -> None:
    rules = [SLOW, between("ONE", "n == 1", 6.0, 9.0), between("TWO", "n == 2", 3.0, 4.0)]
    both = made(Interlock, "BOTH", setpoint="x", low=parse_linear("9 - 3 * n"), high=parse_linear("10 - 3 * n"))
    assert moved([N, X], rules, {"n": 1.0, "x": 3.0}, {"n": 2.0, "x": 4.0}).step["x"] == pytest.approx(4.0)
    # On one edge now, on the other at the end: neither is a reason to hurry, nor to divide by nothing.
    ramped = moved([N, X], [SLOW, both], {"n": 1.0, "x": 3.0}, {"n": 2.0, "x": 4.0})
    assert ramped.step["x"] == pytest.approx(4.0)
    assert ramped.waived == frozenset()


def test_shrinking_margin_waives_no_slew() -> None:
    wide = made(Interlock, "WIDE", setpoint="x", low=parse_linear("20 - 10 * n"), high=Linear((), 30.2))
    slow = made(Slew, "SLOW", Tier.T4, setpoint="x", up_per_s=0.1, down_per_s=inf)
    ramped = moved([N, X], [slow, wide], {"n": 1.0, "x": 0.5}, {"n": 2.0, "x": 30.0})
    assert 1.5 - 1e-7 < ramped.step["x"] <= 1.5
    assert ramped.waived == frozenset()


def test_relation_satisfied_by_a_new_discrete_value_waives_no_slew() -> None:
    share = made(Relation, "SHARE", Tier.T1, terms=(("x", 1.0), ("y", 1.0)), limit=parse_linear("n * 2 + 8.5"))
    ramped = moved([N, X, Y], [SLOW, share], {"n": 1.0, "x": 6.0, "y": 6.0}, {"n": 2.0, "x": 8.0, "y": 4.3})
    assert 7.0 - 1e-7 < ramped.step["x"] <= 7.0
    assert ramped.waived == frozenset()


def test_a_window_gives_way_as_a_slew_does() -> None:
    window = made(RateWindow, "WINDOW", Tier.T4, setpoint="x", most=1.0, window_us=100)
    ramped = moved([X], [window, low("FLOOR", 5.0)], {"x": 0.0}, {"x": 10.0})
    assert ramped == Ramped({"x": 5.0}, (), frozenset({"x"}))


def test_a_bound_is_entered_as_an_interlock_is() -> None:
    bound = made(Bound, "BOUND", Tier.T1, setpoint="x", low=-99.0, high=50.0)
    assert moved([X], [SLOW, bound], {"x": 99.0}, {"x": 7.0}).step == {"x": 50.0}
