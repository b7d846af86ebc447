"""Three forms, one meaning: rule by rule, compiled, and vectorised agree to the bit."""

import pickle
from collections import Counter
from dataclasses import replace
from math import isnan

import numpy as np
import pytest

from safety.command_rules import Relation
from safety.decide import judge, judge_plainly
from safety.envelope import Envelope
from safety.ramp import Ramped
from safety.spec import load_envelope
from safety.values import Rung
from safety.vectorised import accepts, margins
from tests.safety.golden import CASES
from tests.safety.many import batch_of, envelope_of, situation_of

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
        many, well = margins(envelope, rung, batch), accepts(envelope, rung, batch)
        for at in range(batch.size):
            target, step, now = situation_of(batch, at, envelope)
            plain = judge_plainly(target, Ramped(step), rung, now, envelope)
            fast = judge(target, Ramped(step), rung, now, envelope)
            assert repr(fast) == repr(plain)
            assert well[at] == plain.accepted
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


def test_the_accept_only_form_agrees_with_the_margins() -> None:
    envelope = envelope_of(3, setpoints=6, signals=8, rules=40)
    batch = batch_of(envelope, 3, 400)
    compiled = envelope.compiled[Rung.CANDIDATE]
    for at in range(batch.size):
        target, step, now = situation_of(batch, at, envelope)
        answer = compiled.accepts(target, step, now)
        assert answer is None or answer == judge_plainly(target, Ramped(step), Rung.CANDIDATE, now, envelope).accepted


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
def test_a_relation_with_an_unknown_limit_has_one_meaning_in_all_forms(declared: float | None) -> None:
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
