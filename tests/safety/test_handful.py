"""Every written-out form against the meaning on a handful of judgements: quick, so that each mutant meets it."""

from math import isnan

import numpy as np
import pytest

from safety.decide import judge, judge_plainly
from safety.ramp import Ramped
from safety.values import Rung
from safety.vectorised import accepts, margins
from tests.safety.differential import each
from tests.safety.edges import cases_of, envelope_of_some_kinds

RUNGS = (Rung.CANDIDATE, Rung.INCUMBENT, Rung.HOLD)


def same(one: dict[str, float], other: dict[str, float]) -> bool:
    return list(one) == list(other) and all(
        one[name] == other[name] or (isnan(one[name]) and isnan(other[name])) for name in one
    )


@pytest.mark.parametrize("alone", ["", "last", "reference"])
@pytest.mark.parametrize("seed", range(1, 7))
def test_a_handful_of_judgements_is_the_same_in_every_form(seed: int, alone: str) -> None:
    envelope, rung = envelope_of_some_kinds(seed), RUNGS[(seed + len(alone)) % 3]
    cases = cases_of(envelope, seed, situations=15, per_situation=8, alone=alone)
    forms, many = envelope.compiled[rung], margins(envelope, rung, cases.batch)
    well = accepts(envelope, rung, cases.batch)
    for at, (target, step, now) in enumerate(each(cases)):
        plain = judge_plainly(target, Ramped(step), rung, now, envelope)
        assert repr(judge(target, Ramped(step), rung, now, envelope)) == repr(plain)
        assert well[at] == plain.accepted
        assert same({rule: float(margin[at]) for rule, margin in many.items()}, dict(plain.margins))
        for answer in (forms.margins(target, step, now), forms.arrived(target, step, now) if step == target else None):
            assert answer is None or (same(answer[0], dict(plain.margins)) and answer[1] == plain.accepted)
        for said in (forms.accepts(target, step, now), forms.stands(step, step, now) if step == target else None):
            assert said in (None, plain.accepted)


def test_the_usual_judgement_is_not_left_to_the_plain_way() -> None:
    envelope = envelope_of_some_kinds(1)
    cases = cases_of(envelope, 1, situations=40, per_situation=10)
    known = np.all([np.isfinite(values) for values in cases.batch.signals.values()], axis=0)
    for name in cases.batch.target:
        known &= np.isfinite(cases.batch.target[name]) & np.isfinite(cases.batch.step[name])
        known &= (np.abs(cases.batch.target[name]) < 1e100) & (np.abs(cases.batch.step[name]) < 1e100)
    forms = envelope.compiled[Rung.CANDIDATE]
    for at, (target, step, now) in enumerate(each(cases)):
        if known[at]:
            assert forms.margins(target, step, now) is not None
            assert forms.accepts(target, step, now) is not None
