"""The findings of every kind of rule: rule id, outcome, margin, and the names and numbers with units that a message holds."""

import re
from dataclasses import replace
from math import inf, nan
from typing import Any

import pytest

from safety.decide import judge_rule, observe_plainly
from safety.envelope import fresh_memory
from safety.loading.spec import load_envelope
from safety.loading.when import parse_when
from safety.rules.base import CommandRule, Situation, StateRule
from safety.rules.command_rules import Bound, Dwell, Interlock, Permissive, RateWindow, Relation, Slew, TrustRegion
from safety.rules.conditions import Linear
from safety.rules.money_rules import Budget, SpendRate
from safety.rules.state_rules import Novelty, Readback, Recoverability, Staleness, Trip, Watchdog
from safety.values import Command, Judgement, Observation, Outcome, Rung, Signal, Tier, Verdict
from tests.safety.support.golden import CASES

WHY = {"id": "R", "tier": Tier.T1, "hazard": "h", "basis": "b", "unit": "C"}
S = 1_000_000
SMALL = load_envelope(CASES / "envelopes" / "small.toml")
LEDGER = {"spent": "a", "reserved": "b", "limit": "c", "max_charge": "d"}
MONEY = {"a": 40.0, "b": 10.0, "c": 100.0, "d": 51.0}
VETO, SKIPPED = Outcome.VETO, Outcome.SKIPPED
SHARE = Relation(**WHY, terms=(("x", 1.0), ("y", -2.0)), limit=Linear((("s", 1.0),)))
SLEW = Slew(**WHY, setpoint="x", up_per_s=0.5, down_per_s=0.25)
NEAR = TrustRegion(**WHY, setpoint="x", distance=1)
FOLLOWS = Readback(**WHY, setpoint="x", tolerance=0.5)
WARM = Trip(**WHY, signal="s", low=0, high=10)


def now(last: dict[str, float] | None = None, **more: Any) -> Situation:
    signals = {name: Signal(value) for name, value in more.pop("signals", {}).items()}
    return Situation(signals, last, more.get("reference"), more.get("dt_s", 10.0), more.get("states", {}))


def assert_holds(text: str, parts: tuple[str, ...]) -> None:
    """The message is one line that holds every part as a whole word or number."""
    assert text.isprintable()
    for part in parts:
        assert re.search(rf"(?<![\w.]){re.escape(part)}(?![\w]|\.\d)", text), f"`{part}` is not in `{text}`"


@pytest.mark.parametrize(
    ("rule", "proposed", "situation", "outcome", "margin", "parts"),
    [
        (Bound(**WHY, setpoint="x", low=1, high=2), {"x": 2.5}, now(), VETO, -0.5, ("x", "2.5 C", "1", "2")),
        (
            Interlock(**WHY, setpoint="x", low=Linear((("s", 1.0),)), high=Linear((), 9.0)),
            {"x": 1.0}, now(signals={"s": 2.0}), VETO, -1.0, ("x", "1 C", "2", "9"),
        ),
        (Interlock(**WHY, setpoint="x", low=Linear((("s", 1.0),))), {"x": 1.0}, now(), VETO, nan, ("x",)),
        (SHARE, {"x": 4.0, "y": 1.0}, now(signals={"s": 1.5}), VETO, -0.5, ("1", "x", "-2", "y", "0.5 C")),
        (SHARE, {"x": 4.0, "y": 1.0}, now(), VETO, nan, ("1", "x", "-2", "y")),
        (SLEW, {"x": 7.0}, now({"x": 1.0}), VETO, -1.0, ("x", "6 C", "10 s", "-2.5", "5")),
        (SLEW, {"x": 7.0}, now(), SKIPPED, inf, ("x", "10 s", "-2.5", "5")),
        (
            Dwell(**WHY, setpoint="n", min_on_us=90 * S, min_off_us=60 * S),
            {"n": 2.0}, now({"n": 1.0}, states={"R": (0.0, 20.0 * S)}), VETO, -40.0, ("n", "40 s", "2"),
        ),
        (NEAR, {"x": 3.0}, now(reference={"x": 1.0}), VETO, -1.0, ("x", "2 C", "1")),
        (NEAR, {"x": 3.0}, now(), VETO, nan, ("x",)),
        (
            RateWindow(**WHY, setpoint="x", most=3, window_us=900 * S),
            {"x": 3.0}, now({"x": 1.0}, states={"R": (5.0, 2.0)}), VETO, -1.0, ("x", "1 C", "3", "900 s"),
        ),
        (
            Permissive(**WHY, setpoint="n", require=parse_when("s > 0")),
            {"n": 2.0}, now({"n": 1.0}), VETO, -1.0, ("n", "2"),
        ),
        (
            Budget(**WHY, setpoint="x", **LEDGER, idle=0.5),
            {"x": 5.0}, now(signals=MONEY), VETO, -4.5, ("x", "5 C", "1 micros", "0.5"),
        ),
        (Budget(**WHY, setpoint="x", **LEDGER), {"x": 5.0}, now(), VETO, -5.0, ("x", "5 C", "0")),
        (
            SpendRate(**WHY, setpoint="x", **LEDGER, most_per_mille=500),
            {"x": 5.0}, now(signals=MONEY), VETO, -5.0, ("x", "5 C", "51 micros", "0"),
        ),
    ],
)  # fmt: skip
def test_a_command_rule_names_its_numbers(
    rule: CommandRule,
    proposed: dict[str, float],
    situation: Situation,
    outcome: Outcome,
    margin: float,
    parts: tuple[str, ...],
) -> None:
    _, finding = judge_rule(rule, proposed, situation, "step", frozenset())
    assert finding is not None
    assert (finding.rule, finding.outcome) == ("R", outcome)
    assert finding.margin == pytest.approx(margin, nan_ok=True)
    assert outcome is SKIPPED or finding.detail == rule.explain(proposed, situation)
    assert_holds(rule.explain(proposed, situation), parts)


def seen(**more: Any) -> Observation:
    signals = {
        name: each if isinstance(each, Signal) else Signal(each) for name, each in more.pop("signals", {}).items()
    }
    return Observation("p", "p", 0, signals, **more)


@pytest.mark.parametrize(
    ("rule", "observation", "margin", "parts"),
    [
        (
            Staleness(**WHY, signals=("a", "b", "c", "d"), max_age_us=90 * S),
            seen(signals={"a": Signal(1.0, age_us=91 * S), "b": Signal(1.0, age_us=90 * S), "c": Signal(1.0)}),
            nan, ("90 s", "a", "d"),
        ),
        (WARM, seen(signals={"s": 11.0}), -1.0, ("s", "11 C", "0", "10")),
        (WARM, seen(), nan, ("s",)),
        (FOLLOWS, seen(applied={"x": 1.0}, readback={"x": 2.0}), -0.5, ("x", "1", "2", "0.5 C")),
        (FOLLOWS, seen(applied={"x": 1.0}, readback={}), nan, ("x",)),
        (FOLLOWS, seen(readback={"x": 1.0}), inf, ("x",)),
        (FOLLOWS, seen(applied={"x": 1.0}, readback={"y": 1.0}), nan, ("x",)),
        (Watchdog(**WHY, signal="s", max_silence_us=90 * S), seen(), -1.0, ("s", "90 s")),
        (
            Recoverability(**WHY, signal="s", rise=Linear((), 0.1), horizon_us=60 * S, high=30),
            seen(signals={"s": 25.0}), -1.0, ("s", "30 C", "60 s"),
        ),
        (Novelty(**WHY, signal="s", high=3), seen(signals={"s": 5.0}), -2.0, ("s", "3")),
        (Novelty(**WHY, signal="s", high=3), seen(), nan, ("s", "3")),
    ],
)  # fmt: skip
def test_a_state_rule_names_its_numbers(
    rule: StateRule, observation: Observation, margin: float, parts: tuple[str, ...]
) -> None:
    """Judged 91 s after the last decision; a margin of `inf` makes none."""
    envelope = replace(SMALL, state_rules=(rule,))
    _, findings = observe_plainly(observation, envelope, fresh_memory(envelope), 91 * S)
    assert [(finding.rule, finding.outcome) for finding in findings] == ([] if margin == inf else [("R", VETO)])
    for finding in findings:
        assert finding.margin == pytest.approx(margin, nan_ok=True)
        assert finding.detail == rule.explain(observation, ())
    assert_holds(rule.explain(observation, ()), parts)


def test_staleness_names_only_the_stale_signals() -> None:
    rule = Staleness(**WHY, signals=("a", "b"), max_age_us=90 * S)
    text = rule.explain(seen(signals={"a": Signal(1.0, age_us=91 * S), "b": Signal(1.0, age_us=90 * S)}), ())
    assert re.findall("`(.)`", text) == ["a"]


def test_a_refused_judgement_names_the_rule_and_makes_no_command() -> None:
    judgement = Judgement(Rung.CANDIDATE, {}, {}, Verdict(False, (), {}, "DEW", ""))
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        Command.from_judgement(judgement, valid_for_us=1, epoch=1)
    assert_holds(str(caught.value), ("DEW",))
