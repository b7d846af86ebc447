"""The kinds of rule, one by one: NaN refuses, edges belong to the inside, timers count."""

from dataclasses import fields, replace
from math import inf, isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety.loading.when import parse_when
from safety.rules.base import CommandRule, Rule, Situation, StateRule
from safety.rules.command_rules import Bound, Dwell, Interlock, Permissive, RateWindow, Relation, Slew, TrustRegion
from safety.rules.conditions import Linear
from safety.rules.money_rules import Budget, SpendRate
from safety.rules.state_rules import Novelty, Readback, Recoverability, Staleness, Trip, Watchdog
from safety.values import Observation, Quality, Signal, Source, Tier
from tests.safety.support.seeded import seeded

WHY = {"id": "R", "tier": Tier.T1, "hazard": "h", "basis": "b", "unit": "C"}
BOUND = Bound(**WHY, setpoint="x", low=1.0, high=2.0)
RELATION = Relation(**WHY, terms=(("x", 1.0), ("y", 2.0)), limit=Linear((("s", 1.0),)))
SLEW = Slew(**WHY, setpoint="x", up_per_s=0.5, down_per_s=inf)
DWELL = Dwell(**WHY, setpoint="n", min_on_us=100, min_off_us=50, max_starts=2, window_us=1000)
TRUST = TrustRegion(**WHY, setpoint="x", distance=1.0)
INTERLOCK = Interlock(**WHY, setpoint="x", when=parse_when("s > 0"), low=Linear((("s", 1.0),), 1.0))


def now(
    last: dict[str, float] | None = None,
    *,
    s: Signal | None = None,
    reference: dict[str, float] | None = None,
    dt_s: float = 10.0,
    states: dict[str, tuple[float, ...]] | None = None,
) -> Situation:
    return Situation({} if s is None else {"s": s}, last, reference, dt_s, states or {})


def seen(s: Signal | None = None, **more: dict[str, float]) -> Observation:
    return Observation("p", "p", 0, {} if s is None else {"s": s}, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("value", "margin"), [(1.0, 0.0), (2.0, 0.0), (1.25, 0.25), (0.5, -0.5), (2.5, -0.5)])
def test_a_bound_holds_its_edges(value: float, margin: float) -> None:
    assert BOUND.margin({"x": value}, now()) == margin


@pytest.mark.parametrize("rule", [BOUND, RELATION, SLEW, TRUST, INTERLOCK])
@seeded(20)
@given(value=st.sampled_from([nan, inf, -inf]))
def test_no_command_rule_accepts_what_is_not_finite(rule: CommandRule, value: float) -> None:
    situation = now({"x": 1.0, "y": 1.0}, s=Signal(1.0), reference={"x": 1.0})
    margin = rule.margin({"x": value, "y": value}, situation)
    unlimited = (
        (rule is SLEW and value == -inf) or (rule is RELATION and value == -inf) or (rule is INTERLOCK and value == inf)
    )
    assert unlimited or not margin >= 0


def test_an_interlock_sleeps_until_its_condition_holds() -> None:
    assert INTERLOCK.margin({"x": 0.0}, now(s=Signal(-1.0))) == inf
    assert INTERLOCK.margin({"x": 4.0}, now(s=Signal(2.0))) == 1.0
    assert "now in force" in INTERLOCK.explain({"x": 1.0}, now(s=Signal(2.0)))


def test_interlock_on_an_unknown_signal_refuses_or_uses_if_unknown() -> None:
    bad = now(s=Signal(2.0, Quality.BAD))
    assert isnan(INTERLOCK.margin({"x": 4.0}, bad))
    assert "not good" in INTERLOCK.explain({"x": 4.0}, bad)
    declared = Interlock(**WHY, setpoint="x", low=Linear((("s", 1.0),)), if_unknown=(3.0, 5.0))
    assert declared.margin({"x": 4.0}, bad) == 1.0


@pytest.mark.parametrize("value", [inf, -inf, nan])
def test_interlock_with_one_end_accepts_only_finite_values(value: float) -> None:
    for ends in ({"low": Linear((), 3.0)}, {"high": Linear((), 3.0)}):
        assert isnan(Interlock(**WHY, setpoint="x", **ends).margin({"x": value}, now()))


def test_direction_without_a_rate_is_free_in_zero_time() -> None:
    assert Slew(**WHY, setpoint="x", up_per_s=inf, down_per_s=0.5).reach(now(dt_s=0.0)) == (inf, 0.0)
    assert SLEW.reach(now(dt_s=0.0)) == (0.0, inf)


def test_an_unknown_condition_counts_as_active() -> None:
    rule = Interlock(**WHY, setpoint="x", when=parse_when("s > 0"), high=Linear((), 5.0))
    assert rule.margin({"x": 6.0}, now()) == -1.0


def test_relation_on_a_bad_signal_refuses_or_uses_if_unknown() -> None:
    assert isnan(RELATION.margin({"x": 0.0, "y": 0.0}, now(s=Signal(9.0, Quality.STALE))))
    assert "not good" in RELATION.explain({"x": 0.0, "y": 0.0}, now())
    declared = replace(RELATION, if_unknown=4.0)
    assert declared.margin({"x": 1.0, "y": 1.0}, now()) == pytest.approx(1.0)
    assert declared.margin({"x": 1.0, "y": 1.0}, now(s=Signal(2.0))) < 0, (
        "a known limit counts, also where it is tighter"
    )
    assert isnan(declared.margin({"x": nan, "y": 1.0}, now()))
    assert "over its limit by 1" in declared.explain({"x": 1.0, "y": 2.0}, now())
    assert "over its limit by 1" in RELATION.explain({"x": 1.0, "y": 1.0}, now(s=Signal(2.0)))


def test_a_relation_forgives_its_last_bit_and_no_more() -> None:
    rule = Relation(**WHY, terms=(("x", 1.0), ("y", 1.0)), limit=Linear((), 0.3))
    assert rule.margin({"x": 0.1, "y": 0.2}, now()) >= 0
    assert rule.margin({"x": 0.1, "y": 0.2 + 1e-13}, now()) < 0


def test_slew_is_per_direction() -> None:
    last = {"x": 1.0}
    assert SLEW.margin({"x": 6.0}, now(last)) == 0.0
    assert SLEW.margin({"x": 7.0}, now(last)) == -1.0
    assert SLEW.margin({"x": -100.0}, now(last)) == inf
    assert "[-inf, +5]" in SLEW.explain({"x": 7.0}, now(last))


def test_dwell_waits_since_the_last_change_of_the_other_kind() -> None:
    def wait(n: float, last: float, state: tuple[float, ...]) -> float:
        return DWELL.wait_us({"n": n}, now({"n": last}, states={"R": state}))

    assert wait(1.0, 2.0, (40.0, 999.0)) == 60
    assert wait(2.0, 1.0, (999.0, 40.0)) == 10
    assert wait(2.0, 2.0, (0.0, 0.0)) == -inf
    assert wait(2.0, 1.0, (999.0, 999.0, 900.0, 300.0)) == 100
    assert DWELL.wait_us({"n": 2.0}, now({"n": 1.0})) == 50
    assert "another 0 s" in DWELL.explain({"n": 2.0}, now({"n": 1.0}))


def test_dwell_remembers_changes_and_forgets_starts_that_left_the_window() -> None:
    state = DWELL.applied((500.0, 500.0), {"n": 1.0}, {"n": 2.0})
    assert state == (0.0, 500.0, 0.0)
    state = DWELL.aged(state, seen(), 600)
    assert state == (600.0, 1100.0, 600.0)
    assert DWELL.applied(state, {"n": 2.0}, {"n": 1.0}) == (600.0, 0.0, 600.0)
    assert DWELL.aged(state, seen(), 600) == (1200.0, 1700.0)


def test_dwell_counts_local_system_control_as_a_change() -> None:
    assert DWELL.applied((500.0, 500.0, 7.0), {"n": 1.0}, {}) == (0.0, 0.0, 7.0)
    assert DWELL.applied((500.0, 500.0), None, {"n": 1.0}) == (0.0, 0.0)


def test_the_trust_region_needs_something_to_compare_with() -> None:
    assert isnan(TRUST.margin({"x": 1.0}, now()))
    assert "no incumbent" in TRUST.explain({"x": 1.0}, now())
    assert TRUST.margin({"x": 1.5}, now(reference={"x": 1.0})) == 0.5
    assert "at most 1" in TRUST.explain({"x": 3.0}, now(reference={"x": 1.0}))


STALE = Staleness(**WHY, signals=("s",), max_age_us=1_000_000)
TRIP = Trip(**WHY, signal="s", low=0.0, high=10.0, on_delay_us=100)
BACK = Readback(**WHY, setpoint="x", tolerance=0.5, delay_us=100)


@pytest.mark.parametrize(
    ("signal", "satisfied"),
    [
        (Signal(1.0, age_us=1_000_000), True),
        (Signal(1.0, age_us=1_000_001), False),
        (Signal(1.0, age_us=-1), False),
        (Signal(1.0, Quality.BAD), False),
        (Signal(nan), False),
        (None, False),
    ],
)
def test_staleness(signal: Signal | None, satisfied: bool) -> None:
    assert (STALE.margin(seen(signal), ()) >= 0) is satisfied
    assert satisfied or "`s`" in STALE.explain(seen(signal), ())


def test_a_trip_counts_its_delay_from_the_first_sight() -> None:
    hot = seen(Signal(11.0))
    state = TRIP.aged(TRIP.fresh(), hot, 1000)
    assert TRIP.margin(hot, state) == 0.0
    state = TRIP.aged(state, hot, 99)
    assert TRIP.margin(hot, state) == 0.0
    state = TRIP.aged(state, hot, 1)
    assert TRIP.margin(hot, state) == -1.0
    assert "outside [0, 10]" in TRIP.explain(hot, state)
    assert TRIP.aged(state, seen(Signal(5.0)), 1) == TRIP.fresh()


def test_an_unknown_trip_signal_stops_the_delay_and_refuses() -> None:
    state = (60.0, 1.0)
    assert TRIP.aged(state, seen(), 1000) == state
    assert isnan(TRIP.margin(seen(), state))
    assert "not good" in TRIP.explain(seen(), state)


def test_readback_waits_and_then_refuses() -> None:
    differing = {"applied": {"x": 1.0}, "readback": {"x": 2.0}}
    state = BACK.aged(BACK.fresh(), seen(**differing), 0)
    assert BACK.margin(seen(**differing), state) == 0.0
    state = BACK.aged(state, seen(**differing), 100)
    assert BACK.margin(seen(**differing), state) == -0.5
    assert "read back 2" in BACK.explain(seen(**differing), state)
    assert BACK.margin(seen(applied={"x": 1.0}, readback={"x": 1.25}), state) == 0.25


def test_readback_is_unknown_without_values_and_satisfied_without_a_command() -> None:
    assert isnan(BACK.margin(seen(applied={"x": 1.0}), BACK.fresh()))
    assert "no read-back" in BACK.explain(seen(applied={"x": 1.0}), ())
    assert BACK.margin(seen(), BACK.fresh()) == inf


def test_policy_rules_remove_the_candidate_and_others_everybody() -> None:
    assert STALE.removes == tuple(Source)
    assert Staleness(**{**WHY, "applies_to": "policy"}, signals=("s",), max_age_us=1).removes == (Source.CANDIDATE,)


def test_every_rule_carries_its_reason() -> None:
    assert {"id", "tier", "hazard", "basis", "unit", "applies_to"} <= {field.name for field in fields(Rule)}


def test_kind_without_a_margin_raises() -> None:
    for kind in (CommandRule(**WHY), StateRule(**WHY)):
        with pytest.raises(NotImplementedError):
            kind.margin({}, now())  # type: ignore[arg-type, call-arg]


def test_a_rate_window_counts_all_movement_both_ways() -> None:
    rule = RateWindow(**WHY, setpoint="x", most=3.0, window_us=100)
    state = rule.applied(rule.applied((), {"x": 0.0}, {"x": 1.0}), {"x": 1.0}, {"x": 0.0})
    assert state == (0.0, 1.0, 0.0, 1.0)
    situation = now({"x": 0.0}, states={"R": state})
    assert rule.reach(situation) == (1.0, 1.0)
    assert rule.margin({"x": -1.0}, situation) == 0.0
    assert rule.margin({"x": 1.5}, situation) == -0.5
    assert "has 1 C left of the 3" in rule.explain({"x": 1.5}, situation)
    assert rule.aged(state, seen(), 100) == ()
    assert rule.applied(state, None, {"x": 9.0}) == state


def test_standing_still_is_permitted_in_a_used_up_window() -> None:
    rule = RateWindow(**WHY, setpoint="x", most=3.0, window_us=100)
    assert rule.margin({"x": 0.0}, now({"x": 0.0}, states={"R": (0.0, 9.0)})) == inf


def test_permissive_must_hold_to_start_and_not_to_continue() -> None:
    rule = Permissive(**WHY, setpoint="n", require=parse_when("s > 0"))
    assert rule.margin({"n": 2.0}, now({"n": 1.0}, s=Signal(1.0))) == 0.0
    assert rule.margin({"n": 2.0}, now({"n": 1.0}, s=Signal(-1.0))) == -1.0
    assert rule.margin({"n": 2.0}, now({"n": 1.0})) == -1.0
    assert rule.margin({"n": 2.0}, now({"n": 2.0})) == inf
    assert rule.margin({"n": 2.0}, now(s=Signal(1.0))) == 0.0
    assert "permissive" in rule.explain({"n": 2.0}, now())


LEDGER = {"spent": "a", "reserved": "b", "limit": "c", "max_charge": "d"}
BUDGET = Budget(**WHY, setpoint="x", **LEDGER, idle=0.0)
RATE = SpendRate(**WHY, setpoint="x", **LEDGER, idle=0.0, most_per_mille=1500)


def money(a: float, b: float, c: float, d: float) -> Situation:
    return Situation({n: Signal(v) for n, v in zip("abcd", (a, b, c, d), strict=True)}, None, None, 0.0, {})


def test_a_budget_is_kept_to_the_micro() -> None:
    assert BUDGET.margin({"x": 5.0}, money(40, 10, 100, 50)) == inf
    assert BUDGET.margin({"x": 5.0}, money(40, 10, 100, 51)) == -5.0
    assert BUDGET.margin({"x": 0.0}, money(40, 10, 100, 51)) == 0.0
    assert "overspent by 1 micros" in BUDGET.explain({"x": 5.0}, money(40, 10, 100, 51))


def test_a_spend_rate_is_kept_to_the_micro() -> None:
    assert RATE.margin({"x": 5.0}, money(100, 0, 101, 51)) == inf
    assert RATE.margin({"x": 5.0}, money(100, 0, 101, 52)) == -5.0


@pytest.mark.parametrize("odd", [nan, inf, -1.0, 0.5, 2.0**53])
def test_money_that_is_not_known_is_spent(odd: float) -> None:
    assert BUDGET.margin({"x": 5.0}, money(odd, 0, 100, 1)) == -5.0
    assert "not known" in BUDGET.explain({"x": 5.0}, money(odd, 0, 100, 1))


def test_a_watchdog_requires_a_beat_that_changes() -> None:
    dog = Watchdog(**WHY, signal="s", max_silence_us=100)
    state = dog.aged(dog.fresh(), seen(Signal(1.0)), 60)
    assert state == (1.0, 0.0)
    state = dog.aged(dog.aged(state, seen(Signal(1.0)), 60), seen(), 60)
    assert dog.margin(seen(), state) < 0
    assert "has not changed" in dog.explain(seen(), state)
    assert dog.margin(seen(), dog.aged(state, seen(Signal(2.0)), 60)) > 0


def test_recoverability_looks_ahead() -> None:
    rule = Recoverability(**WHY, signal="s", rise=Linear((), 0.1), horizon_us=60_000_000, high=30.0)
    assert rule.margin(seen(Signal(24.0)), ()) == 0.0
    assert rule.margin(seen(Signal(25.0)), ()) == -1.0
    assert isnan(rule.margin(seen(), ()))
    assert "could pass 30" in rule.explain(seen(Signal(25.0)), ())


def test_novelty_is_a_bound_on_a_given_measure() -> None:
    rule = Novelty(**WHY, signal="s", high=3.0)
    assert rule.margin(seen(Signal(2.0)), ()) == 1.0
    assert isnan(rule.margin(seen(Signal(2.0, Quality.BAD)), ()))
    assert "not been trained" in rule.explain(seen(Signal(4.0)), ())
