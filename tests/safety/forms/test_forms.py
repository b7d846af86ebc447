"""Three forms, one meaning: rule by rule, compiled, and vectorised agree to the bit."""

import pickle
from collections import Counter
from dataclasses import replace
from itertools import product
from math import inf, isnan, nan
from typing import Any

import numpy as np
import pytest

from safety.decide import judge, judge_plainly
from safety.envelope import Envelope
from safety.forms.compiled import Compiled
from safety.forms.vectorised import accepts, margins
from safety.loading.spec import load_envelope
from safety.ramp import Ramped
from safety.rules.base import CommandRule, Situation
from safety.rules.command_rules import Bound, Interlock, RateWindow, Relation, Slew
from safety.rules.conditions import Comparison, Linear
from safety.rules.money_rules import Budget, SpendRate
from safety.values import Rung, Signal, Tier
from tests.safety.support.golden import CASES
from tests.safety.support.random_envelopes import MIXED, SHIPPED, batch_of, envelope_of, situation_of

WHY: dict[str, Any] = {"hazard": "made up", "basis": "made up"}
RUNGS = (Rung.CANDIDATE, Rung.INCUMBENT, Rung.HOLD)


def same(one: float, other: float) -> bool:
    return one == other or (isnan(one) and isnan(other))


def without_shadowed(envelope: Envelope) -> Envelope:
    """One rule of a kind for each setpoint: of two trust regions the looser one can never be a sole cause."""
    kept = {
        (type(rule).__name__.replace("SpendRate", "Budget"), rule.setpoints): rule for rule in envelope.command_rules
    }
    return replace(envelope, command_rules=tuple(kept.values()))


@pytest.mark.parametrize("seed", range(6))
def test_the_three_forms_agree_to_the_bit(seed: int) -> None:
    envelope = envelope_of(seed, setpoints=6, signals=8, rules=40)
    batch = batch_of(envelope, seed, 300)
    for rung in RUNGS:
        many, accepted = margins(envelope, rung, batch), accepts(envelope, rung, batch)
        for at in range(batch.size):
            target, step, now = situation_of(batch, at, envelope)
            plain = judge_plainly(target, Ramped(step), rung, now, envelope)
            fast = judge(target, Ramped(step), rung, now, envelope)
            assert repr(fast) == repr(plain)
            assert accepted[at] == plain.accepted
            for rule, margin in plain.margins.items():
                assert same(float(many[rule][at]), margin), (rule, margin, many[rule][at])


def test_every_rule_was_the_sole_cause_of_a_refusal() -> None:
    """Otherwise the forms would have been compared on too little."""
    envelope = without_shadowed(envelope_of(1, setpoints=6, signals=8, rules=40))
    batch = batch_of(envelope, 1, 200_000, wild=0.005)
    refusing = np.array([~(margin >= 0) for margin in margins(envelope, Rung.CANDIDATE, batch).values()])
    alone = refusing[:, refusing.sum(axis=0) == 1].sum(axis=1)
    causes = Counter(dict(zip((rule.id for rule in envelope.binding[Rung.CANDIDATE]), alone.tolist(), strict=True)))
    assert min(causes.values()) > 0, causes
    accepted = (refusing.sum(axis=0) == 0).mean()
    assert 0.02 < accepted < 0.95


def test_the_usual_case_is_compiled_and_the_unusual_is_not() -> None:
    envelope = envelope_of(2, setpoints=6, signals=8, rules=40)
    batch = batch_of(envelope, 2, 50, wild=0.0)
    target, step, now = situation_of(batch, 0, envelope)
    compiled = envelope.compiled[Rung.CANDIDATE]
    plain = judge_plainly(target, Ramped(step), Rung.CANDIDATE, now, envelope)
    assert compiled.margins(target, step, now) == (plain.margins, plain.accepted)
    assert compiled.accepts(target, step, now) in (True, False)
    assert compiled.margins(target, step, type(now)({}, now.last, now.reference, 1.0, now.states)) is None
    assert compiled.margins(target, step, type(now)(now.signals, None, now.reference, 1.0, now.states)) is None
    assert compiled.margins(target, step, type(now)(now.signals, now.last, None, 1.0, now.states)) is None


@pytest.mark.parametrize(("seed", "mix"), [(3, MIXED), (5, MIXED), (3, SHIPPED)])
def test_the_accept_only_forms_agree_with_rule_by_rule(seed: int, mix: dict[str, float]) -> None:
    envelope = envelope_of(seed, setpoints=6, signals=8, rules=40, mix=mix)
    batch = batch_of(envelope, seed, 300)
    answers: Counter[bool | None] = Counter()
    for rung in RUNGS:
        compiled = envelope.compiled[rung]
        for at in range(batch.size):
            target, step, now = situation_of(batch, at, envelope)
            answer, standing = compiled.accepts(target, step, now), compiled.stands(step, step, now)
            answers[answer] += 1
            answers[standing] += 1
            assert answer in (None, judge_plainly(target, Ramped(step), rung, now, envelope).accepted)
            assert standing in (None, judge_plainly(step, Ramped(step), rung, now, envelope).accepted)
    assert min(answers[True], answers[False]) > 100


@pytest.mark.parametrize("seed", range(4))
def test_shorter_form_agrees_to_the_bit_where_step_equals_target(seed: int) -> None:
    envelope = envelope_of(seed, setpoints=6, signals=8, rules=40)
    batch = batch_of(envelope, seed, 200)
    for rung in RUNGS:
        for at in range(batch.size):
            _, step, now = situation_of(batch, at, envelope)
            plain = judge_plainly(step, Ramped(step), rung, now, envelope)
            assert repr(judge(step, Ramped(step), rung, now, envelope)) == repr(plain)


def test_target_and_step_limits_may_differ_with_a_discrete_setpoint() -> None:
    when = Comparison(Linear((("on", 1.0),)), ">=", Linear((), 1.0))
    rules: tuple[CommandRule, ...] = (
        Interlock(
            id="I", tier=Tier.T2, setpoint="s", when=when, low=Linear((), 5.0), high=Linear((("on", 3.0),), 4.0), **WHY
        ),
        Relation(id="R", tier=Tier.T1, terms=(("s", 1.0),), limit=Linear((("on", 2.0),), 5.0), **WHY),
        Interlock(id="J", tier=Tier.T2, setpoint="s", high=Linear((("on", 2.0),), 5.0), **WHY),
    )
    rules = (*rules, Bound(id="B", tier=Tier.T1, setpoint="on", low=0.0, high=2.0, **WHY))
    compiled, now = Compiled(rules), Situation({}, None, None, 1.0, {})
    for t, s, before, after in product((4.0, 5.0, 6.0, 7.0, 9.0), (4.0, 5.0, 7.0), (0.0, 1.0, 2.0), (0.0, 1.0, 2.0)):
        target, step = {"s": t, "on": after}, {"s": s, "on": before}
        plain = {rule.id: smaller(rule.margin(target, now), rule.margin(step, now)) for rule in rules}
        accepted = min(plain.values()) >= 0
        assert compiled.margins(target, step, now) == (plain, accepted)
        assert compiled.accepts(target, step, now) == accepted


ODD = (0.0, -0.0, -1.0, 1e120, 5e-324)


@pytest.mark.parametrize("low", ODD)
@pytest.mark.parametrize("high", ODD)
def test_limits_that_are_zero_or_huge_keep_their_bits(low: float, high: float) -> None:
    rules = (
        Bound(id="B", tier=Tier.T1, setpoint="s", low=low, high=high, **WHY),
        Interlock(id="I", tier=Tier.T2, setpoint="s", low=Linear((("x", low),)), high=Linear((), high), **WHY),
        Relation(id="R", tier=Tier.T1, terms=(("s", low), ("o", high)), limit=Linear((("x", 1.0),)), **WHY),
    )
    compiled = Compiled(rules)
    for t, s, o, x in product((0.0, -0.0, 1.0, -1.0, 5e-324), (0.0, -0.0, 2.0), (0.0, -0.0), (0.0, -0.0, 1.0, 1e200)):
        target, step = {"s": t, "o": o}, {"s": s, "o": o}
        now = Situation({"x": Signal(x)}, None, None, 1.0, {})
        answer = compiled.margins(target, step, now)
        if answer is None:
            assert x == 1e200
            continue
        plain = {rule.id: smaller(rule.margin(target, now), rule.margin(step, now)) for rule in rules}
        assert answer[0] == plain
        if "-0.0" not in repr((t, s)):  # or the sign of a zero depends on which of two limits is looked at first
            assert repr(answer[0]) == repr(plain)
        accepted = all(margin >= 0 for margin in plain.values())
        assert (answer[1], compiled.accepts(target, step, now)) == (accepted, accepted)


def smaller(of_target: float, of_step: float) -> float:
    """As the judge takes it: an unknown margin is the smallest there is."""
    return of_step if of_step != of_step or of_step < of_target else of_target


@pytest.mark.parametrize("plan", [0.0, 999.0, 2.0**43, 2.0**44, 2.0**53 - 1])
@pytest.mark.parametrize("spent", [0.0, -1.0, 0.5, 998.0, 999.0, 2.0**52, 2.0**53 - 1, 2.0**53])
def test_money_is_compared_exactly_however_large_it_is(plan: float, spent: float) -> None:
    ledger: dict[str, Any] = {
        "spent": "spent",
        "reserved": "reserved",
        "limit": "plan",
        "max_charge": "charge",
        "idle": 0.0,
    }
    rules = (
        Budget(id="B", tier=Tier.T1, setpoint="s", **WHY, **ledger),
        SpendRate(id="S", tier=Tier.T1, setpoint="s", **WHY, most_per_mille=1001, **ledger),
    )
    compiled = Compiled(rules)
    for reserved, charge in product((0.0, 1.0, 2.0**53 - 1), repeat=2):
        values = {"spent": spent, "reserved": reserved, "plan": plan, "charge": charge}
        now = Situation({name: Signal(value) for name, value in values.items()}, None, None, 1.0, {})
        for bid in (0.0, 1.0):
            plain = {rule.id: rule.margin({"s": bid}, now) for rule in rules}
            assert compiled.arrived({"s": bid}, {"s": bid}, now) == (plain, min(plain.values()) >= 0)
            assert compiled.stands({"s": bid}, {"s": bid}, now) == (min(plain.values()) >= 0)


@pytest.mark.parametrize("moves", [(), (0.0, 1.0), (0.0, 0.1, 1.0, 0.2, 2.0, 0.3), (0.0, 9.0)])
def test_window_of_any_number_of_moves_sums_as_the_rule(moves: tuple[float, ...]) -> None:
    rule = RateWindow(id="W", tier=Tier.T4, setpoint="s", most=2.0, window_us=10, **WHY)
    compiled = Compiled((rule,))
    for value in (0.0, 0.5, 1.4, 1.0, 3.0):
        now = Situation({}, {"s": 0.0}, None, 1.0, {"W": moves})
        step, margin = {"s": value}, rule.margin({"s": value}, now)
        assert compiled.margins(step, step, now) == ({"W": margin}, margin >= 0)
        assert compiled.accepts(step, step, now) == (margin >= 0)


def test_a_rate_without_limit_still_refuses_a_step_from_nowhere() -> None:
    rule = Slew(id="S", tier=Tier.T4, setpoint="s", up_per_s=inf, down_per_s=inf, **WHY)
    for last in (inf, -inf, nan):
        now = Situation({}, {"s": last}, None, 1.0, {})
        assert not rule.margin({"s": 1.0}, now) >= 0
        assert Compiled((rule,)).accepts({"s": 1.0}, {"s": 1.0}, now) is False


def test_a_compiled_envelope_survives_pickling_and_can_be_read() -> None:
    envelope = load_envelope(CASES / "envelopes" / "small.toml")
    copied = pickle.loads(pickle.dumps(envelope))
    assert copied.compiled[Rung.HOLD].source() == envelope.compiled[Rung.HOLD].source()
    assert "def compiled(target, step, now):" in copied.compiled[Rung.HOLD].source()


def test_without_a_last_command_nothing_slews_and_nothing_is_trusted() -> None:
    envelope = envelope_of(4, setpoints=6, signals=8, rules=40)
    batch = batch_of(envelope, 4, 20)
    alone = type(batch)(batch.target, batch.step, batch.signals, batch.dt_s)
    found = margins(envelope, Rung.CANDIDATE, alone)
    kinds = {rule.id: type(rule).__name__ for rule in envelope.command_rules}
    for rule, margin in found.items():
        if kinds[rule] in ("Slew", "Dwell", "RateWindow"):
            assert np.all(margin == np.inf)
        if kinds[rule] == "TrustRegion":
            assert np.all(np.isnan(margin))


@pytest.mark.parametrize("declared", [None, 12.0])
def test_relation_with_an_unknown_limit_agrees_in_all_forms(declared: float | None) -> None:
    envelope = envelope_of(5, setpoints=6, signals=8, rules=40)
    rules = tuple(replace(r, if_unknown=declared) if isinstance(r, Relation) else r for r in envelope.command_rules)
    relations = {rule.id for rule in rules if isinstance(rule, Relation)}
    envelope = replace(envelope, command_rules=rules)
    batch = batch_of(envelope, 5, 400, wild=0.3)
    many = margins(envelope, Rung.CANDIDATE, batch)
    unknown = 0
    for at in range(batch.size):
        target, step, now = situation_of(batch, at, envelope)
        plain = judge_plainly(target, Ramped(step), Rung.CANDIDATE, now, envelope)
        assert repr(judge(target, Ramped(step), Rung.CANDIDATE, now, envelope)) == repr(plain)
        for rule in relations:
            assert same(float(many[rule][at]), plain.margins[rule])
            unknown += isnan(plain.margins[rule])
    assert relations
    assert unknown > (0 if declared else 400 * len(relations) // 10)
