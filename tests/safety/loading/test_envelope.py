"""An envelope as it is loaded: every kind with every field, the rules of each rung, and the permitted ranges."""

from dataclasses import replace
from math import inf, nextafter
from typing import Any

import pytest

from safety.envelope import BINDS, SetpointSpec, SignalSpec, fresh_memory, permitted
from safety.inputs import Plausibility, Vote
from safety.loading.spec import SpecError, build_envelope, envelope_digest, load_envelope, parse_model
from safety.loading.when import names_in, parse_when
from safety.ramp import RampGroup
from safety.rules.base import FailSafe, Situation
from safety.rules.command_rules import Bound, Dwell, Interlock, Permissive, RateWindow, Relation, Slew, TrustRegion
from safety.rules.conditions import AllOf, Comparison, Linear
from safety.rules.money_rules import Budget, SpendRate
from safety.rules.state_rules import Novelty, Readback, Recoverability, Staleness, Trip, Watchdog
from safety.values import Permitted, Rung, Signal, Tier
from tests.safety.support.every_kind import EVERY, PATH, every_with
from tests.safety.support.golden import USUAL, model_of

SMALL = build_envelope(model_of({}))
S = 1_000_000
LEDGER = {"spent": "s", "reserved": "s", "limit": "l", "max_charge": "s"}


def made(kind: type, name: str, tier: Tier, unit: str, **fields: Any) -> Any:
    applies_to = "policy" if tier is Tier.T5 else "any"
    return kind(id=name, tier=tier, applies_to=applies_to, hazard="h", basis="b", unit=unit, **fields)


COMMAND = (
    made(Bound, "A", Tier.T1, "C", setpoint="a", low=5.0, high=35.0),
    made(Bound, "B", Tier.T1, "C", setpoint="b", low=5.5, high=35.0),
    made(Dwell, "D", Tier.T3, "s", setpoint="n", min_on_us=300 * S, min_off_us=600 * S, max_starts=2, window_us=3600 * S),
    made(
        Interlock, "I", Tier.T2, "C", setpoint="a",
        when=AllOf((
            Comparison(Linear((("v", 1.0),)), ">", Linear((), 1.5)),
            Comparison(Linear((("n", 1.0),)), ">=", Linear((), 1.0)),
        )),
        low=Linear((("v", 0.5),), 2.0), high=None, if_unknown=(10.0, 30.0),
    ),
    made(Budget, "M", Tier.T1, "C", setpoint="b", **LEDGER, idle=6.0),
    made(Bound, "N", Tier.T1, "count", setpoint="n", low=0.0, high=2.0),
    made(SpendRate, "O", Tier.T1, "C", setpoint="b", **LEDGER, idle=6.0, most_per_mille=1500),
    made(Permissive, "Q", Tier.T3, "count", setpoint="n", require=Comparison(Linear((("v", 1.0),)), "<", Linear((), 30.0))),
    made(Relation, "R", Tier.T1, "C", terms=(("a", 1.0), ("b", 1.0)), limit=Linear((("v", -1.0),), 60.0)),
    made(Slew, "S", Tier.T4, "K", setpoint="a", up_per_s=1 / 300, down_per_s=inf),
    made(TrustRegion, "T", Tier.T5, "K", setpoint="a", distance=2.0),
    made(RateWindow, "W", Tier.T4, "K", setpoint="b", most=3.0, window_us=900 * S),
)  # fmt: skip
STATE = (
    made(Staleness, "E", Tier.T1, "s", signals=("x", "v"), max_age_us=90 * S),
    made(Watchdog, "H", Tier.T2, "s", signal="y", max_silence_us=90 * S),
    made(Recoverability, "K", Tier.T5, "C", signal="v", rise=Linear((("x", 0.01),)), horizon_us=60 * S, high=44.0),
    made(Novelty, "L", Tier.T5, "C", signal="v", high=45.0),
    made(Trip, "U", Tier.T1, "C", signal="v", low=-5.0, high=45.0, on_delay_us=30 * S, critical=True),
    made(Readback, "Y", Tier.T2, "K", setpoint="a", tolerance=0.5, delay_us=60 * S),
)


def test_every_kind_is_loaded_as_it_is_written() -> None:
    every = load_envelope(PATH)  # not EVERY, for this test is about the loading
    assert every.command_rules == COMMAND
    assert every.state_rules == STATE
    assert every.inputs == (
        Plausibility(id="P", signal="x", low=0, high=40, rate_per_s=1, stuck_us=60 * S, agrees=parse_when("x <= y")),
        Vote(id="V", signal="v", sensors=("x", "y", "z"), deviation=1, safe_side="high"),
    )
    assert every.failsafe == (
        FailSafe("F", parse_when("v > 30"), {"a": 20, "b": 20, "n": 1}),
        FailSafe("G", None, None),
    )
    assert every.setpoints[0] == SetpointSpec("a", "C", 0, 40, None, "plant")
    assert every.setpoints[2] == SetpointSpec("n", "count", 0, 2, (0, 1, 2), "plant")
    assert every.signals[0] == SignalSpec("x", "C", -10, 50)
    assert (every.plant, every.period_us, every.guard_period_us) == ("p", 300 * S, 30 * S)
    assert (every.valid_for_us, every.hold_max_us) == (600 * S, 600 * S)
    assert every.digest == envelope_digest(parse_model(PATH.read_text()))


def test_what_may_be_left_out_has_its_plain_meaning() -> None:
    text = PATH.read_text().replace(', rate_per_s = 1, stuck_s = 60, agrees = "x <= y"', "")
    envelope = build_envelope(parse_model(text))
    assert envelope.inputs[0] == Plausibility(id="P", signal="x", low=0, high=40)


def test_an_envelope_derives_its_lists_once() -> None:
    every = load_envelope(PATH)
    assert every.names == {"a", "b", "n"}
    assert every.rules == (*COMMAND, *STATE)
    assert [rule.id for rule, _ in every.stateful] == ["D", "W", "H", "U", "Y"]
    assert fresh_memory(every).rules == {"D": (0.0, 0.0), "W": (), "H": (0.0, 0.0), "U": (0.0, 0.0), "Y": (0.0, 0.0)}
    assert every.failsafe_ids == {"F", "G"}
    named = {rule.id: rule for rule in COMMAND}
    assert every.ramp_plan.discrete == ("n",)
    assert every.ramp_plan.groups == (
        RampGroup(("a", "b"), (named["S"], named["W"]), tuple(named[each] for each in "ABIMOR")),
    )
    assert every.ramp_plan.by_setpoint["n"] == tuple(named[each] for each in "DNQ")


def test_the_matrix_of_tiers_and_rungs_is_this_one() -> None:
    ids = {rung: "".join(rule.id for rule in rules) for rung, rules in load_envelope(PATH).binding.items()}
    assert ids == {
        Rung.CANDIDATE: "ABDIMNOQRSTW",
        Rung.OPERATOR: "ABDIMNOQRSW",
        Rung.INCUMBENT: "ABDIMNOQRSW",
        Rung.HOLD: "ABIMNOR",
        Rung.FAILSAFE: "ABMNOR",
        Rung.RELINQUISH: "",
    }
    assert [len(BINDS[rung]) for rung in Rung] == [6, 5, 5, 3, 2, 0]


@pytest.mark.parametrize(("value", "fits"), [(0.0, True), (2.0, True), (1.5, False), (3.0, False), (-1.0, False)])
def test_a_discrete_value_is_one_of_its_own(value: float, fits: bool) -> None:
    assert EVERY.setpoints[2].fits(value) is fits


@pytest.mark.parametrize(
    ("value", "fits"),
    [(0.0, True), (40.0, True), (nextafter(40.0, inf), False), (-5e-324, False), (float("nan"), False)],
)
def test_a_range_holds_its_edges(value: float, fits: bool) -> None:
    assert EVERY.setpoints[0].fits(value) is fits


def now(last: dict[str, float] | None, states: dict[str, tuple[float, ...]], **signals: float) -> Situation:
    return Situation({name: Signal(value) for name, value in signals.items()}, last, None, 300.0, states)


LEDGER_NOW = {"s": 1.0, "l": 10.0}


def test_the_permitted_box_is_the_one_now_in_force() -> None:
    last = {"a": 20.0, "b": 20.0, "n": 1.0}
    boxes = permitted(EVERY, now(last, {"D": (100.0 * S, 50.0 * S)}, v=20.0, **LEDGER_NOW))
    assert boxes == {
        "a": Permitted(12.0, 35.0, None, 0),
        "b": Permitted(5.5, 35.0, None, 0),
        # To go down it must have been up for 300 s, to go up it must have been down for 600 s: the sooner of both.
        "n": Permitted(0.0, 2.0, (0.0, 1.0, 2.0), 200 * S),
    }


def test_a_setpoint_that_waited_is_free_and_overspending_is_idle() -> None:
    boxes = permitted(EVERY, now({"a": 20.0, "b": 20.0, "n": 0.0}, {"D": (0.0, 700.0 * S)}, v=20.0, s=9.0, l=10.0))
    assert boxes["n"].wait_us == 0
    assert boxes["b"] == Permitted(5.5, 6.0, None, 0)
    assert boxes["a"] == Permitted(5.0, 35.0, None, 0)


def test_without_a_last_command_an_unknown_condition_applies() -> None:
    boxes = permitted(EVERY, now(None, {}, v=20.0, **LEDGER_NOW))
    assert boxes["n"].wait_us == 0
    assert boxes["a"].low == 12.0


def test_an_unknown_limit_gives_the_box_declared_for_it() -> None:
    boxes = permitted(EVERY, now({"a": 20.0, "b": 20.0, "n": 1.0}, {"D": (0.0, 0.0)}, **LEDGER_NOW))
    assert boxes["a"] == Permitted(10.0, 30.0, None, 0)
    assert boxes["n"].wait_us == 300 * S


def test_the_small_plant_has_a_permitted_box() -> None:
    boxes = permitted(SMALL, now(dict(USUAL["targets"]), {}, inlet_c=24.0, dew_point_c=15.0))
    assert boxes["supply_c"].low == 16.0
    assert boxes["chillers_on"].values == (1.0, 2.0) or boxes["chillers_on"].values is not None


def test_every_name_of_a_condition_is_found() -> None:
    assert names_in(parse_when("a > b || !(c + d < e && f == 1)")) == set("abcdef")


def test_a_discrete_setpoint_of_one_value_never_waits() -> None:
    text = (
        PATH.read_text().replace("values = [0, 1, 2]", "values = [1]").replace("vector = {a = 20", "vector = {a = 20")
    )
    one = build_envelope(parse_model(text))
    boxes = permitted(one, now({"a": 20.0, "b": 20.0, "n": 1.0}, {"D": (0.0, 0.0)}, v=20.0, **LEDGER_NOW))
    assert boxes["n"] == Permitted(0.0, 2.0, (1.0,), 0)


def test_starts_are_counted_where_they_are_limited_and_nowhere_else() -> None:
    limits = ", max_starts = 2, window_s = 3600"
    free = next(rule for rule in every_with(limits, "").command_rules if isinstance(rule, Dwell))
    assert (free.max_starts, free.window_us) == (0, 0)
    short = next(r for r in every_with(limits, ", max_starts = 1, window_s = 1").command_rules if isinstance(r, Dwell))
    assert (short.max_starts, short.window_us) == (1, S)


def test_a_range_of_one_value_is_a_range() -> None:
    one = every_with("low = 0, high = 40, rate", "low = 40, high = 40, rate").inputs[0]
    assert isinstance(one, Plausibility)
    assert (one.low, one.high) == (40.0, 40.0)
    with pytest.raises(SpecError) as caught:
        every_with("low = 0, high = 40, rate", "low = 41, high = 40, rate")
    assert (caught.value.id, caught.value.path) == ("reversed-range", "plausibility.P")
    assert caught.value.values == {"low": 41.0, "high": 40.0}
    with pytest.raises(SpecError) as caught:
        every_with('agrees = "x <= y"', 'agrees = "x"')
    assert (caught.value.id, caught.value.path) == ("condition-without-comparison", "plausibility.P.agrees")


def test_a_discrete_setpoint_without_dwell_permits_all_values() -> None:
    free = replace(EVERY, command_rules=tuple(rule for rule in EVERY.command_rules if not isinstance(rule, Dwell)))
    assert permitted(free, now(None, {}, v=20.0, **LEDGER_NOW))["n"] == Permitted(0.0, 2.0, (0.0, 1.0, 2.0), 0)
