"""What rules and loader say, word for word: an operator acts on these sentences, so each is pinned once."""

from pathlib import Path
from typing import Any

import pytest

from safety.loading.spec import SpecError, build_envelope, canonical_of, load_envelope, parse_envelope, parse_model
from safety.loading.when import WhenError, parse_linear, parse_when
from safety.rules.base import CommandRule, Situation, StateRule
from safety.rules.command_rules import Bound, Dwell, Interlock, Permissive, RateWindow, Relation, Slew, TrustRegion
from safety.rules.conditions import Linear
from safety.rules.money_rules import Budget, SpendRate
from safety.rules.state_rules import Novelty, Readback, Recoverability, Staleness, Trip, Watchdog
from safety.values import Command, Judgement, Observation, Rung, Signal, Tier, Verdict
from tests.safety.support.golden import CASES, model_of

WHY = {"id": "R", "tier": Tier.T1, "hazard": "h", "basis": "b", "unit": "C"}
S = 1_000_000
SMALL = CASES / "envelopes" / "small.toml"
TEXT = SMALL.read_text(encoding="utf-8")
LEDGER = {"spent": "a", "reserved": "b", "limit": "c", "max_charge": "d"}
MONEY = {"a": 40.0, "b": 10.0, "c": 100.0, "d": 51.0}


def now(last: dict[str, float] | None = None, **more: Any) -> Situation:
    signals = {name: Signal(value) for name, value in more.pop("signals", {}).items()}
    return Situation(signals, last, more.get("reference"), more.get("dt_s", 10.0), more.get("states", {}))


@pytest.mark.parametrize(
    ("rule", "proposed", "situation", "says"),
    [
        (Bound(**WHY, setpoint="x", low=1, high=2), {"x": 2.5}, now(), "`x` 2.5 C is outside [1, 2]"),
        (
            Interlock(**WHY, setpoint="x", low=Linear((("s", 1.0),)), high=Linear((), 9.0)),
            {"x": 1.0},
            now(signals={"s": 2.0}),
            "`x` 1 C is outside [2, 9] now in force",
        ),
        (
            Interlock(**WHY, setpoint="x", low=Linear((("s", 1.0),))),
            {"x": 1.0},
            now(),
            "the limits of `x` depend on a signal that is not good",
        ),
        (
            Relation(**WHY, terms=(("x", 1.0), ("y", -2.0)), limit=Linear((("s", 1.0),))),
            {"x": 4.0, "y": 1.0},
            now(signals={"s": 1.5}),
            "1 x `x` + -2 x `y` is over its limit by 0.5 C",
        ),
        (
            Relation(**WHY, terms=(("x", 1.0), ("y", -2.0)), limit=Linear((("s", 1.0),))),
            {"x": 4.0, "y": 1.0},
            now(),
            "1 x `x` + -2 x `y` is limited by a signal that is not good",
        ),
        (
            Slew(**WHY, setpoint="x", up_per_s=0.5, down_per_s=0.25),
            {"x": 7.0},
            now({"x": 1.0}),
            "`x` would move by +6 C in 10 s; [-2.5, +5] may be",
        ),
        (
            Slew(**WHY, setpoint="x", up_per_s=0.5, down_per_s=0.25),
            {"x": 7.0},
            now(),
            "`x` would move by +nan C in 10 s; [-2.5, +5] may be",
        ),
        (
            Dwell(**WHY, setpoint="n", min_on_us=90 * S, min_off_us=60 * S),
            {"n": 2.0},
            now({"n": 1.0}, states={"R": (0.0, 20.0 * S)}),
            "`n` must keep its value for another 40 s before it changes to 2",
        ),
        (
            TrustRegion(**WHY, setpoint="x", distance=1),
            {"x": 3.0},
            now(reference={"x": 1.0}),
            "`x` is 2 C away from the incumbent's; at most 1 may be",
        ),
        (
            TrustRegion(**WHY, setpoint="x", distance=1),
            {"x": 3.0},
            now(),
            "`x` has no incumbent's step to be compared with",
        ),
        (
            RateWindow(**WHY, setpoint="x", most=3, window_us=900 * S),
            {"x": 3.0},
            now({"x": 1.0}, states={"R": (5.0, 2.0)}),
            "`x` has 1 C left of the 3 it may move in 900 s",
        ),
        (
            Permissive(**WHY, setpoint="n", require=parse_when("s > 0")),
            {"n": 2.0},
            now({"n": 1.0}),
            "`n` may not be raised to 2: its permissive does not hold",
        ),
        (
            Budget(**WHY, setpoint="x", **LEDGER, idle=0.5),
            {"x": 5.0},
            now(signals=MONEY),
            "`x` 5 C: the budget could be overspent by 1 micros; 0.5 spends nothing",
        ),
        (
            Budget(**WHY, setpoint="x", **LEDGER),
            {"x": 5.0},
            now(),
            "`x` 5 C: what is spent is not known; 0 spends nothing",
        ),
        (
            SpendRate(**WHY, setpoint="x", **LEDGER, most_per_mille=500),
            {"x": 5.0},
            now(signals=MONEY),
            "`x` 5 C: the budget could be overspent by 51 micros; 0 spends nothing",
        ),
    ],
)
def test_a_command_rule_says(rule: CommandRule, proposed: dict[str, float], situation: Situation, says: str) -> None:
    assert rule.explain(proposed, situation) == says


def seen(**more: Any) -> Observation:
    signals = {
        name: each if isinstance(each, Signal) else Signal(each) for name, each in more.pop("signals", {}).items()
    }
    return Observation("p", "p", 0, signals, **more)


@pytest.mark.parametrize(
    ("rule", "observation", "says"),
    [
        (
            Staleness(**WHY, signals=("a", "b", "c", "d"), max_age_us=90 * S),
            seen(
                signals={"a": Signal(1.0, age_us=91 * S), "b": Signal(1.0, age_us=90 * S), "c": Signal(1.0, age_us=0)}
            ),
            "not good or older than 90 s: `a`, `d`",
        ),
        (Trip(**WHY, signal="s", low=0, high=10), seen(signals={"s": 11.0}), "`s` 11 C is outside [0, 10]"),
        (Trip(**WHY, signal="s", low=0, high=10), seen(), "`s` is not good"),
        (
            Readback(**WHY, setpoint="x", tolerance=0.5),
            seen(applied={"x": 1.0}, readback={"x": 2.0}),
            "`x`: commanded 1, read back 2, tolerance 0.5 C",
        ),
        (Readback(**WHY, setpoint="x", tolerance=0.5), seen(applied={"x": 1.0}, readback={}), "no read-back of `x`"),
        (Readback(**WHY, setpoint="x", tolerance=0.5), seen(readback={"x": 1.0}), "no read-back of `x`"),
        (
            Readback(**WHY, setpoint="x", tolerance=0.5),
            seen(applied={"x": 1.0}, readback={"y": 1.0}),
            "no read-back of `x`",
        ),
        (Watchdog(**WHY, signal="s", max_silence_us=90 * S), seen(), "`s` has not changed for more than 90 s"),
        (
            Recoverability(**WHY, signal="s", rise=Linear((), 0.1), horizon_us=60 * S, high=30),
            seen(),
            "`s` could pass 30 C within 60 s",
        ),
        (
            Novelty(**WHY, signal="s", high=3),
            seen(),
            "`s` is above 3 or not good: the policy has not been trained on the like of this",
        ),
    ],
)
def test_a_state_rule_says(rule: StateRule, observation: Observation, says: str) -> None:
    assert rule.explain(observation, ()) == says


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("(a > 1", "`(a > 1`: `)` is wanted"),
        ("2 * 3 > a", "`2 * 3 > a`: a number may only be multiplied by a name"),
        ("a * b > 1", "`a * b > 1`: `b`: only constants may multiply a name, conditions are linear"),
        ("a > 1)", "`a > 1)`: `)` is left over"),
        ("a", "`a`: a comparison is wanted, one of <= < >= > == !="),
        ("a > <", "`a > <`: a number or a name is wanted, not `<`"),
        ("a >", "`a >`: ends too early"),
        (
            "a > 1 ~ and what comes after it",
            "`a > 1 ~ and what comes after it`: not understood from `~ and what comes aft` on",
        ),
        ("a > 1e999", "`1e999` is no finite number"),
        ("a > 0.30000000000000000001", "`0.30000000000000000001` has more digits than a number keeps: write `0.3`"),
        ("x" * 1001, "condition of 1001 characters: at most 1000, name an intermediate signal instead"),
        ("!" * 50 + "a > 1", f"`{'!' * 40}...`: nested deeper than 40: name an intermediate signal instead"),
    ],
)
def test_the_parser_says(text: str, says: str) -> None:
    with pytest.raises(WhenError) as caught:
        parse_when(text)
    assert str(caught.value) == says


def test_a_condition_may_be_as_long_and_as_deep_as_is_said() -> None:
    assert parse_when("!" * 39 + "a > 1") is not None
    assert parse_when("a > 1" + " " * 995) is not None
    with pytest.raises(WhenError, match="nested deeper"):
        parse_when("!" * 40 + "a > 1")
    siblings = " && ".join(["(a > 1)"] * 60)
    assert parse_when(siblings) is not None
    assert parse_linear("1").value is not None


def refused(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        parse_envelope(text, origin="o.toml")
    return str(caught.value)


def test_the_loader_names_the_file_the_place_and_what_was_given() -> None:
    assert refused(TEXT.replace("period_s = 300", 'period_s = "x"', 1)) == (
        "`o.toml`: `period_s`: input should be a valid number, given `x`"
    )
    assert refused("plant = 1") == "`o.toml`: `plant`: input should be a valid string, given `1` (and 6 more)"
    long = "y" * 80
    assert refused(TEXT.replace("period_s = 300", f'period_s = "{long}"', 1)).endswith(f"given `{'y' * 60}`")
    assert (
        refused(TEXT.replace("period_s = 300", "period_s = []", 1))
        == "`o.toml`: `period_s`: input should be a valid number"
    )
    assert refused(TEXT.replace("hold_max_s = ", "surprise = 1\nhold_max_s = ", 1)).startswith("`o.toml`: `surprise`: ")
    assert refused(TEXT.replace("low = 0.2", "low = nan", 1)) == "`o.toml` is not understood: `nan` is no finite number"
    assert refused(TEXT.replace("low = 5", 'low = "5"', 1)) == (
        "`o.toml`: setpoint `supply_c`: `low`: input should be a valid number, given `5`"
    )
    two = TEXT.replace("period_s = 300", 'period_s = "x"', 1).replace("low = 5", 'low = "5"', 1)
    assert refused(two) == "`o.toml`: `period_s`: input should be a valid number, given `x` (and 1 more)"
    assert refused("a = [") == "`o.toml` is not understood: Invalid value (at end of document)"
    assert refused("a = " + "[" * 9000) == "`o.toml` is nested too deeply to be an envelope"
    assert refused("x" * 1_000_001) == "`o.toml` has 1000001 characters: at most 1000000 are read"
    assert "characters" not in refused("#" + "x" * 999_999)


def test_a_text_that_comes_from_no_file_is_called_envelope_toml() -> None:
    for parse in (parse_envelope, parse_model):
        with pytest.raises(SpecError, match=r"^`envelope\.toml` is not understood"):
            parse("a = [")  # type: ignore[operator]


def test_a_file_is_named_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "e.toml"
    with pytest.raises(SpecError) as caught:
        load_envelope(path)
    assert (
        str(caught.value)
        == f"envelope `{path}` cannot be read: No such file or directory: give the path of an envelope.toml"
    )
    path.write_bytes(b"plant = '\xff'")
    with pytest.raises(SpecError) as caught:
        load_envelope(path)
    assert str(caught.value) == f"envelope `{path}` is not UTF-8 text (byte 9): save it as UTF-8"
    path.write_bytes("plant = 'é'".encode())
    for load in (load_envelope, canonical_of):
        with pytest.raises(SpecError) as caught:
            load(path)
        assert str(caught.value).startswith(f"`{path}`: `period_s`: field required")


class Written(type(Path())):  # type: ignore[misc]
    """A path that minds how it is read."""

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        assert (encoding or "the machine's own").lower() == "utf-8"
        return str(super().read_text(encoding, errors))


def test_a_file_is_read_as_utf_8_on_every_machine() -> None:
    assert load_envelope(Written(SMALL)).digest == load_envelope(SMALL).digest
    assert canonical_of(Written(SMALL)) == canonical_of(SMALL)


def refusal(changes: dict[str, Any]) -> str:
    with pytest.raises(SpecError) as caught:
        build_envelope(model_of(changes))
    return str(caught.value)


NEW = {"unit": "C", "hazard": "h", "basis": "b"}


def added(**rule: Any) -> dict[str, Any]:
    return {"add": [{"id": "NEW", **NEW, **rule}]}


def failsafe(**entry: Any) -> dict[str, Any]:
    return {"set": {"failsafe": [{"id": "F", **entry}]}}


MISSING = "failsafe `F`: setpoints missing or not known: chillers_on, fan_frac, flow_a_kg_s, flow_b_kg_s, odd"
VECTOR = {"supply_c": 20, "fan_frac": 1, "chillers_on": 1, "flow_a_kg_s": 5, "flow_b_kg_s": 5}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"set": {"valid_for_s": 299}}, "`valid_for_s` is below `period_s`: a command would expire before the next one is due"),
        ({"set": {"guard_period_s": 301}}, "`guard_period_s` is above `period_s`: the guard looks between decisions"),
        (
            {"change": {"DEW": {"low": "fan_frac * 2"}}},
            "rule `DEW`: `fan_frac` is a continuous setpoint: a limit that depends on one makes the permitted set non-convex; "
            "use a `relation` or a signal",
        ),
        (
            {"change": {"DEW": {"low": "cold_c"}}},
            "rule `DEW`: `cold_c` is no declared signal or discrete setpoint: declare it or mend the name",
        ),
        (
            {"change": {"DEW": {"setpoint": "nowhere"}}},
            "rule `DEW`: `nowhere` is no declared setpoint: declare it or mend the name",
        ),
        ({"change": {"DEW": {"unit": "K"}}}, "rule `DEW`: unit `K` where `C` is wanted"),
        ({"change": {"SUPPLY-SLEW": {"unit": "F"}}}, "rule `SUPPLY-SLEW`: unit `F` where `K` is wanted"),
        ({"change": {"FAN-BOUND": {"id": "SUPPLY-BOUND"}}}, "rule `SUPPLY-BOUND` is given twice: keep one"),
        (
            {"change": {"FAN-BOUND": {"tier": "T4"}}},
            "rule `FAN-BOUND`: tier T4 is not for this kind: give one of T1, T2, T5",
        ),
        (
            {"change": {"FAN-BOUND": {"id": "T0-x"}}},
            "rule `T0-x`: names beginning with `T0-` are the kernel's own: choose another",
        ),
        (
            {"change": {"TRUST": {"applies_to": "any"}}},
            "rule `TRUST`: T5 binds the policy only: leave out `applies_to` or give T1 or T2",
        ),
        ({"change": {"DEW": {"applies_to": "policy"}}}, "rule `DEW`: a rule for the policy alone has tier T5, not T2"),
        (
            {"change": {"FAN-BOUND": {"low": 2}}},
            "rule `FAN-BOUND`: `low` 2 is above `high` 1: swap them in envelope.toml",
        ),
        (
            {"change": {"DEW": {"if_unknown": [30, 16]}}},
            "rule `DEW`: `low` 30 is above `high` 16: swap them in envelope.toml",
        ),
        (
            added(kind="interlock", tier="T2", setpoint="supply_c", low=3, high=2),
            "rule `NEW`: `low` 3 is above `high` 2: swap them in envelope.toml",
        ),
        (
            added(kind="trip", tier="T1", signal="inlet_c", low=3, high=2),
            "rule `NEW`: `low` 3 is above `high` 2: swap them in envelope.toml",
        ),
        (
            added(kind="interlock", tier="T2", setpoint="supply_c"),
            "rule `NEW`: an interlock needs `low`, `high` or both",
        ),
        (
            {"change": {"PUMP-SHARE": {"terms": {"flow_a_kg_s": 1, "flow_b_kg_s": 0}}}},
            "rule `PUMP-SHARE`: the coefficient of `flow_b_kg_s` is 0: leave the setpoint out",
        ),
        (
            {"change": {"FAN-SLEW": {"safe_direction": "down"}}},
            "rule `FAN-SLEW`: `up` may be left out only if `safe_direction` is `up`",
        ),
        (
            {"change": {"CHILLERS-DWELL": {"max_starts": 1, "window_s": 0}}},
            "rule `CHILLERS-DWELL`: give `max_starts` and `window_s` both, or neither",
        ),
        ({"change": {"DEW": {"low": "a b"}}}, "rule `DEW`: `a b`: `b` is left over"),
        ({"change": {"DEW": {"when": "a"}}}, "rule `DEW`: `when`: `a`: a comparison is wanted, one of <= < >= > == !="),
        (
            added(kind="permissive", tier="T3", unit="count", setpoint="chillers_on", require="a"),
            "rule `NEW`: `when`: `a`: a comparison is wanted, one of <= < >= > == !=",
        ),
        (
            added(kind="recoverability", tier="T5", signal="inlet_c", rise_per_s="a b", horizon_s=1, high=2, margin=1),
            "rule `NEW`: `a b`: `b` is left over",
        ),
        ({"change": {"PUMP-SHARE": {"limit": "a b"}}}, "rule `PUMP-SHARE`: `a b`: `b` is left over"),
        (failsafe(vector={"supply_c": 20, "odd": 1}), MISSING),
        (failsafe(vector={**VECTOR, "supply_c": 99}), "failsafe `F`: `supply_c` 99 is outside its range"),
        (failsafe(vector={**VECTOR, "chillers_on": 1.5}), "failsafe `F`: `chillers_on` 1.5 is outside its range"),
        (failsafe(vector={**VECTOR, "fan_frac": 0.1}), "failsafe `F`: `fan_frac` breaks rule `FAN-BOUND`: a last resort keeps T1"),
        (failsafe(when="a", relinquish=True), "rule `F`: `when`: `a`: a comparison is wanted, one of <= < >= > == !="),
        (
            failsafe(when="a > 1", relinquish=True),
            "rule `F`: `a` is no declared signal or discrete setpoint: declare it or mend the name",
        ),
        (failsafe(when="inlet_c > chillers_on", relinquish=True), "rule `F`: units `C` and `count` are added or compared"),
        (
            {"set": {"failsafe": [{"id": "A", "relinquish": True}, {"id": "B", "relinquish": True}]}},
            "failsafe `B` can never be taken: `A` before it has no `when`",
        ),
        (
            {"set": {"failsafe": [{"id": "A", "when": "inlet_c > 1", "relinquish": True}, {"id": "A", "relinquish": True}]}},
            "failsafe `A` is given twice: keep one",
        ),
    ],
)  # fmt: skip
def test_the_checks_say(changes: dict[str, Any], says: str) -> None:
    assert refusal(changes) == says


def test_a_refused_judgement_says_why_it_makes_no_command() -> None:
    judgement = Judgement(Rung.CANDIDATE, {}, {}, Verdict(False, (), {}, "DEW", ""))
    with pytest.raises(ValueError, match=r"^a refused judgement \(DEW\) makes no command: take the next rung$"):
        Command.from_judgement(judgement, valid_for_us=1, epoch=1)
