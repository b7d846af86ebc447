"""An envelope as it is loaded: every kind with every field, what binds which rung, and what a policy is told it may do."""

import tomllib
from dataclasses import replace
from math import inf, nextafter
from typing import Any

import pytest

from safety.command_rules import Bound, Dwell, Interlock, Permissive, RateWindow, Relation, Slew, TrustRegion
from safety.conditions import AllOf, Comparison, Linear
from safety.envelope import BINDS, SetpointSpec, SignalSpec, fresh_memory, permitted
from safety.inputs import Plausibility, Vote
from safety.money_rules import Budget, SpendRate
from safety.ramp import RampGroup
from safety.rules import FailSafe, Situation
from safety.spec import EnvelopeModel, SpecError, build_envelope, envelope_digest, load_envelope, parse_model
from safety.state_rules import Novelty, Readback, Recoverability, Staleness, Trip, Watchdog
from safety.values import Permitted, Rung, Signal, Tier
from safety.when import names_in, parse_when
from tests.safety.golden import CASES, USUAL, model_of

PATH = CASES / "fuzz" / "envelope" / "good-every-kind.toml"
EVERY = load_envelope(PATH)
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
    every = load_envelope(PATH)  # anew, for it is the loading that is looked at
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


def test_what_is_worked_out_once_is_the_same_for_every_decision() -> None:
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


def test_a_policy_is_told_the_box_now_in_force() -> None:
    last = {"a": 20.0, "b": 20.0, "n": 1.0}
    told = permitted(EVERY, now(last, {"D": (100.0 * S, 50.0 * S)}, v=20.0, **LEDGER_NOW))
    assert told == {
        "a": Permitted(12.0, 35.0, None, 0),
        "b": Permitted(5.5, 35.0, None, 0),
        # To go down it must have been up for 300 s, to go up it must have been down for 600 s: the sooner of both.
        "n": Permitted(0.0, 2.0, (0.0, 1.0, 2.0), 200 * S),
    }


def test_a_setpoint_that_has_waited_is_free_and_poor_money_is_idle() -> None:
    told = permitted(EVERY, now({"a": 20.0, "b": 20.0, "n": 0.0}, {"D": (0.0, 700.0 * S)}, v=20.0, s=9.0, l=10.0))
    assert told["n"].wait_us == 0
    assert told["b"] == Permitted(5.5, 6.0, None, 0)
    assert told["a"] == Permitted(5.0, 35.0, None, 0)


def test_without_a_last_command_nothing_waits_and_an_unknown_condition_counts() -> None:
    told = permitted(EVERY, now(None, {}, v=20.0, **LEDGER_NOW))
    assert told["n"].wait_us == 0
    assert told["a"].low == 12.0


def test_an_unknown_limit_gives_the_box_declared_for_it() -> None:
    told = permitted(EVERY, now({"a": 20.0, "b": 20.0, "n": 1.0}, {"D": (0.0, 0.0)}, **LEDGER_NOW))
    assert told["a"] == Permitted(10.0, 30.0, None, 0)
    assert told["n"].wait_us == 300 * S


def test_the_small_plant_is_told_too() -> None:
    told = permitted(SMALL, now(dict(USUAL["targets"]), {}, inlet_c=24.0, dew_point_c=15.0))
    assert told["supply_c"].low == 16.0
    assert told["chillers_on"].values == (1.0, 2.0) or told["chillers_on"].values is not None


def test_every_name_of_a_condition_is_found() -> None:
    assert names_in(parse_when("a > b || !(c + d < e && f == 1)")) == set("abcdef")


def test_a_discrete_setpoint_of_one_value_has_nothing_to_wait_for() -> None:
    text = (
        PATH.read_text().replace("values = [0, 1, 2]", "values = [1]").replace("vector = {a = 20", "vector = {a = 20")
    )
    one = build_envelope(parse_model(text))
    told = permitted(one, now({"a": 20.0, "b": 20.0, "n": 1.0}, {"D": (0.0, 0.0)}, v=20.0, **LEDGER_NOW))
    assert told["n"] == Permitted(0.0, 2.0, (1.0,), 0)


def every_with(was: str, becomes: str) -> Any:
    text = PATH.read_text()
    assert was in text
    return build_envelope(parse_model(text.replace(was, becomes, 1)))


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
    assert str(caught.value) == "plausibility `P`: `low` 41 is above `high` 40: swap them"
    with pytest.raises(SpecError, match=r"^rule `P`: `when`: `x`: a comparison is wanted"):
        every_with('agrees = "x <= y"', 'agrees = "x"')


@pytest.mark.parametrize("given", ["3", '"ab"', "[1]", "[1, 2, 3]", "{}"])
def test_a_pair_is_a_list_of_two_numbers(given: str) -> None:
    with pytest.raises(SpecError, match="if_unknown"):
        every_with("if_unknown = [10, 30]", f"if_unknown = {given}")


@pytest.mark.parametrize("rule", EVERY.rules, ids=lambda rule: type(rule).__name__)
def test_a_rule_of_any_kind_in_a_unit_that_is_not_its_own_is_refused(rule: Any) -> None:
    raw = tomllib.loads(PATH.read_text())
    next(each for each in raw["rule"] if each["id"] == rule.id)["unit"] = "furlong"
    with pytest.raises(SpecError) as caught:
        build_envelope(EnvelopeModel.model_validate(raw))
    assert str(caught.value) == f"rule `{rule.id}`: unit `furlong` where `{rule.unit}` is wanted"


def test_what_is_added_or_compared_in_two_units_is_refused() -> None:
    with pytest.raises(SpecError) as caught:
        every_with("v > 1.5", "v > s")
    assert str(caught.value) == "rule `I`: units `C` and `micros` are added or compared"


DECLARE = "declare it or mend the name"
UNITS = "units `C` and `micros` are added or compared"
FAILSAFE_F = '{id = "F", when = "v > 30", vector = {a = 20, b = 20, n = 1}}'


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ("values = [0, 1, 2]", "values = [0, 1, 3]", "setpoint `n`: value 3 is outside [0, 2]"),
        ("values = [0, 1, 2]", "values = [-1, 0, 1]", "setpoint `n`: value -1 is outside [0, 2]"),
        ("values = [0, 1, 2]", "values = [0, 1, 1]", "setpoint `n`: value 1 is given twice: keep one"),
        ('low = "0.5 * v + 2"', 'low = "s + 2"', f"rule `I`: {UNITS}"),
        ('low = "0.5 * v + 2"', 'high = "2 - s"', f"rule `I`: {UNITS}"),
        ('when = "v > 1.5 && n >= 1"', 'when = "v > 1.5 && v > s"', f"rule `I`: {UNITS}"),
        ('when = "v > 1.5 && n >= 1"', 'when = "v > 1.5 || v > s"', f"rule `I`: {UNITS}"),
        ('when = "v > 1.5 && n >= 1"', 'when = "!(v > s)"', f"rule `I`: {UNITS}"),
        ('require = "v < 30"', 'require = "v < s"', f"rule `Q`: {UNITS}"),
        ('spent = "s"', 'spent = "v"', f"rule `M`: {UNITS}"),
        ('limit = "60 - v"', 'limit = "s - v"', f"rule `R`: {UNITS}"),
        ('when = "v > 30"', 'when = "v > s"', f"rule `F`: {UNITS}"),
        ('agrees = "x <= y"', 'agrees = "x <= s"', f"rule `P`: {UNITS}"),
        ('sensors = ["x", "y", "z"]', 'sensors = ["x", "y", "s"]', "vote `V`: sensors and result share one unit"),
        (
            'sensors = ["x", "y", "z"]',
            'sensors = ["x", "y", "v"]',
            "vote `V`: three sensors, each a signal of its own, and another name for the result",
        ),
        (
            'sensors = ["x", "y", "z"]',
            'sensors = ["x", "y", "y"]',
            "vote `V`: three sensors, each a signal of its own, and another name for the result",
        ),
        (
            '"b", unit = "C", low = 0, high = 40',
            '"b", unit = "C", low = 41, high = 40',
            "setpoint `b`: `low` 41 is above `high` 40: swap them",
        ),
        (
            '"x", unit = "C", low = -10, high = 50',
            '"x", unit = "C", low = 51, high = 50',
            "signal `x`: `low` 51 is above `high` 50: swap them",
        ),
        ('safe_side = "high", unit = "C"', 'safe_side = "high", unit = "kW"', "vote `V`: unit `kW` where `C` is wanted"),
        ('agrees = "x <= y", unit = "C"', 'agrees = "x <= y", unit = "K"', "plausibility `P`: unit `K` where `C` is wanted"),
        ('low = "0.5 * v + 2"', 'high = "q - 2"', f"rule `I`: `q` is no declared signal or discrete setpoint: {DECLARE}"),
        ('low = "0.5 * v + 2"', 'high = "v -"', "rule `I`: `v -`: ends too early"),
        (
            'vote = [{id = "V"',
            'vote = [{id = "V2", signal = "v", sensors = ["x", "y", "z"], deviation = 1, safe_side = "high", unit = "C", '
            'hazard = "h", basis = "b"}, {id = "V"',
            "voted signal `v` is given twice: keep one",
        ),
        ('name = "b", unit = "C"', 'name = "a", unit = "C"', "setpoint `a` is given twice: keep one"),
        ('{name = "y", unit', '{name = "x", unit', "signal `x` is given twice: keep one"),
        ('{id = "G", relinquish', '{id = "F", relinquish', "failsafe `F` is given twice: keep one"),
        (
            '{name = "y", unit',
            '{name = "a", unit',
            "`a` is both a signal and a setpoint: a name has one meaning, rename one",
        ),
        ('id = "V", signal', 'id = "P", signal', "input or rule `P` is given twice: keep one"),
        ('id = "V", signal', 'id = "A", signal', "input or rule `A` is given twice: keep one"),
        (
            'kind = "slew", tier = "T4", setpoint = "a"',
            'kind = "slew", tier = "T4", setpoint = "n"',
            "rule `S`: `n` is discrete and cannot slew: give it a `dwell`",
        ),
        (
            'kind = "rate_window", tier = "T4", setpoint = "b"',
            'kind = "rate_window", tier = "T4", setpoint = "n"',
            "rule `W`: `n` is discrete and cannot slew: give it a `dwell`",
        ),
        (
            'kind = "dwell", tier = "T3", setpoint = "n"',
            'kind = "dwell", tier = "T3", setpoint = "a"',
            "rule `D`: `a` is continuous and has no dwell: give it a `slew`",
        ),
        (
            'kind = "permissive", tier = "T3", setpoint = "n"',
            'kind = "permissive", tier = "T3", setpoint = "a"',
            "rule `Q`: `a` is continuous and has no dwell: give it a `slew`",
        ),
        (
            'name = "b", unit = "C", low = 0, high = 40',
            'name = "b", unit = "C", low = 0, high = 40, group = "other"',
            "rule `R` spans veto groups: a relation stays within one group",
        ),
        ("b = 20, n = 1}}", "b = 20}}", "failsafe `F`: setpoints missing or not known: n"),
        ("b = 20, n = 1}}", "b = 20, n = 1, m = 1, k = 2}}", "failsafe `F`: setpoints missing or not known: k, m"),
        ("b = 20, n = 1}}", "b = 20, n = 1.5}}", "failsafe `F`: `n` 1.5 is outside its range"),
        ("b = 20, n = 1}}", "b = 5.2, n = 1}}", "failsafe `F`: `b` breaks rule `B`: a last resort keeps T1"),
        ("b = 20, n = 1}}", "b = 36, n = 1}}", "failsafe `F`: `b` breaks rule `B`: a last resort keeps T1"),
        (
            FAILSAFE_F,
            FAILSAFE_F.replace('when = "v > 30", ', ""),
            "failsafe `G` can never be taken: `F` before it has no `when`",
        ),
        (
            '{id = "G", relinquish',
            '{id = "E1", relinquish = true}, {id = "G", relinquish',
            "failsafe `G` can never be taken: `E1` before it has no `when`",
        ),
        ('when = "v > 30"', 'when = "q > 30"', f"rule `F`: `q` is no declared signal or discrete setpoint: {DECLARE}"),
        ('agrees = "x <= y"', 'agrees = "x <= q"', f"rule `P`: `q` is no declared signal: {DECLARE}"),
        ('id = "V", signal = "v"', 'id = "V", signal = "q"', f"rule `V`: `q` is no declared signal: {DECLARE}"),
    ],
)  # fmt: skip
def test_the_loader_refuses_in_these_words(was: str, becomes: str, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        every_with(was, becomes)
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("rule", "was", "what"),
    [
        ("E", 'signals = ["x", "v"]', "signal"),
        ("H", 'signal = "y"', "signal"),
        ("K", 'signal = "v", rise', "signal"),
        ("K", "0.01 * x", "signal"),
        ("L", 'kind = "novelty", tier = "T5", signal = "v"', "signal"),
        ("U", 'kind = "trip", tier = "T1", signal = "v"', "signal"),
        ("Y", 'kind = "readback", tier = "T2", setpoint = "a"', "setpoint"),
        ("M", 'reserved = "s"', "signal"),
        ("Q", 'require = "v < 30"', "signal"),
        ("R", 'limit = "60 - v"', "signal"),
        ("R", "terms = {a = 1", "setpoint"),
        ("T", 'kind = "trust_region", tier = "T5", setpoint = "a"', "setpoint"),
    ],
)
def test_a_name_that_nobody_declared_is_refused_wherever_it_stands(rule: str, was: str, what: str) -> None:
    last = max(was.rfind(name) for name in ('"x"', '"y"', '"v"', '"s"', '"a"', " v", " x", "{a", '"v '))
    becomes = was[: last + 1] + "q" + was[last + 2 :]
    kind = "setpoint" if what == "setpoint" else "signal or discrete setpoint"
    with pytest.raises(SpecError) as caught:
        every_with(was, becomes)
    assert str(caught.value) == f"rule `{rule}`: `q` is no declared {kind}: declare it or mend the name"


def test_a_discrete_setpoint_that_need_not_wait_is_told_its_values() -> None:
    free = replace(EVERY, command_rules=tuple(rule for rule in EVERY.command_rules if not isinstance(rule, Dwell)))
    assert permitted(free, now(None, {}, v=20.0, **LEDGER_NOW))["n"] == Permitted(0.0, 2.0, (0.0, 1.0, 2.0), 0)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('"x", unit = "C", low = -10, high = 50', '"x", unit = "C", low = 50, high = 50'),
        ("low = 0, high = 2, values = [0, 1, 2]", "low = 1, high = 1, values = [1]"),
        ("valid_for_s = 600", "valid_for_s = 300"),
        ("guard_period_s = 30", "guard_period_s = 300"),
    ],
)
def test_what_just_fits_is_loaded(was: str, becomes: str) -> None:
    assert every_with(was, becomes).plant == "p"


WHOLE = "whole microseconds are wanted: give at most six decimals"


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ("max_age_s = 90", "max_age_s = 0.0000004", f"rule `E`: `max_age_s`: {WHOLE}, given `4e-07`"),
        ("period_s = 300", "period_s = 300.0000001", f"`period_s`: {WHOLE}, given `300.0000001`"),
        ("hold_max_s = 600", "hold_max_s = 0.12345678", f"`hold_max_s`: {WHOLE}, given `0.12345678`"),
        ("stuck_s = 60", "stuck_s = 1e-7", f"plausibility `P`: `stuck_s`: {WHOLE}, given `1e-07`"),
        ("max_silence_s = 90", "max_silence_s = 9e-7", f"rule `H`: `max_silence_s`: {WHOLE}, given `9e-07`"),
        ("max_silence_s = 90", "max_silence_s = 0", "rule `H`: `max_silence_s`: input should be greater than 0, given `0`"),
        ("delay_s = 60", "delay_s = -1", "rule `Y`: `delay_s`: input should be greater than or equal to 0, given `-1`"),
        ('id = "A", kind = "bound"', 'id = "A", kind = "bund"', "rule `A`: input tag 'bund' found using 'kind'"),
        ('id = "A", kind = "bound", ', 'id = "A", ', "rule `A`: `kind` is missing"),
        ('id = "A", kind = "bound", ', 'kind = "bound", ', "rule number 1: `id`: field required"),
        ("low = 5, high = 35", "low = 5, hihg = 35", "rule `A`: `high`: field required (and 1 more)"),
        ("low = 5, high = 35", "low = 5, high = 35, hihg = 1", "rule `A`: `hihg`: extra inputs are not permitted, given `1`"),
        ('["x", "y", "z"]', '["x", "y", 3]', "vote `V`: `sensors.2`: input should be a valid string, given `3`"),
        ('{name = "y", unit = "C"', '{name = "y", unit = 3', "signal `y`: `unit`: input should be a valid string, given `3`"),
        ('{name = "y", unit = "C"', '{name = 3, unit = "C"', "signal number 2: `name`: input should be a valid string, given `3`"),
        ('basis = "b"}]', 'basis = " "}]', "plausibility `P`: `basis`: a text is wanted, not blanks, given ` ` (and 1 more)"),
        ('plant = "p"', 'plant = ""', "`plant`: string should have at least 1 character, given ``"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_the_rule_it_is_in(was: str, becomes: str, says: str) -> None:
    text = PATH.read_text()
    assert was in text
    count = -1 if "basis" in was else 1
    with pytest.raises(SpecError) as caught:
        parse_model(text.replace(was, becomes, count))
    assert str(caught.value).startswith(f"`envelope.toml`: {says}")
    if "found using" not in says:
        assert str(caught.value) == f"`envelope.toml`: {says}"


def test_an_entry_that_is_no_table_is_named_by_its_place() -> None:
    with pytest.raises(SpecError) as caught:
        parse_model(PATH.read_text().replace("rule = [", "rule = [3, ", 1))
    assert str(caught.value).startswith("`envelope.toml`: rule number 1: ")


def test_times_to_the_microsecond_are_kept() -> None:
    assert every_with("period_s = 300", "period_s = 300.000001").period_us == 300_000_001
    assert every_with("hold_max_s = 600", "hold_max_s = 0").hold_max_us == 0
    assert every_with("hold_max_s = 600", "hold_max_s = 1234567.891234").hold_max_us == 1_234_567_891_234
