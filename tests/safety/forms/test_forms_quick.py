"""Every written-out form against the meaning on a handful of judgements: quick, so that each mutant meets it."""

from collections import Counter
from dataclasses import replace
from itertools import product
from math import hypot, inf, isnan, nan
from typing import Any

import numpy as np
import pytest

from safety.decide import decide, judge, judge_plainly, observe
from safety.envelope import Envelope, fresh_memory
from safety.forms.compiled import Compiled
from safety.forms.vectorised import accepts, margins
from safety.forms.written import finite
from safety.guard import guard
from safety.loading.spec import EnvelopeModel, build_envelope
from safety.ramp import Ramped
from safety.rules.base import CommandRule, Situation
from safety.rules.command_rules import Bound, Dwell, Interlock, Relation, Slew
from safety.rules.conditions import Linear
from safety.rules.money_rules import SpendRate
from safety.values import Memory, Observation, Proposal, Rung, Setpoints, Signal, Source, Tier
from tests.safety.campaigns.differential import each
from tests.safety.support.boundary_cases import cases_of, envelope_of_some_kinds
from tests.safety.support.golden import USUAL, model_of

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
    accepted = accepts(envelope, rung, cases.batch)
    for at, (target, step, now) in enumerate(each(cases)):
        plain = judge_plainly(target, Ramped(step), rung, now, envelope)
        assert repr(judge(target, Ramped(step), rung, now, envelope)) == repr(plain)
        assert accepted[at] == plain.accepted
        assert same({rule: float(margin[at]) for rule, margin in many.items()}, dict(plain.margins))
        for answer in (forms.margins(target, step, now), forms.arrived(target, step, now) if step == target else None):
            assert answer is None or (same(answer[0], dict(plain.margins)) and answer[1] == plain.accepted)
        for answer in (forms.accepts(target, step, now), forms.stands(step, step, now) if step == target else None):
            assert answer in (None, plain.accepted)


class Asked(CommandRule):
    """A kind that is not written out: only its own `margin` can judge."""

    @property
    def setpoints(self) -> tuple[str, ...]:
        return ("air",)

    def margin(self, proposed: Setpoints, now: Situation) -> float:
        return nan if abs(proposed["air"]) < 1.0 else 3.0 - proposed["air"]

    def explain(self, proposed: Setpoints, now: Situation) -> str:
        return f"air is {proposed['air']}"


class AskedOfSteps(Asked):
    step_only = True


class AskedOfWater(Asked):
    """Another one."""

    def margin(self, proposed: Setpoints, now: Situation) -> float:
        return proposed["water"] + 2.0


@pytest.mark.parametrize("kind", [Asked, AskedOfSteps])
def test_kind_that_is_not_written_out_judges_itself(kind: type[CommandRule]) -> None:
    envelope = envelope_of_some_kinds(2)
    bounds = tuple(rule for rule in envelope.command_rules if isinstance(rule, Bound))
    envelope = replace(envelope, command_rules=(*bounds, kind(id="Z", tier=Tier.T2, hazard="h", basis="b")))
    cases = cases_of(envelope_of_some_kinds(2), 2, situations=20, per_situation=10)
    forms = envelope.compiled[Rung.HOLD]
    left = 0
    for target, step, now in each(cases):
        plain = judge_plainly(target, Ramped(step), Rung.HOLD, now, envelope)
        assert repr(judge(target, Ramped(step), Rung.HOLD, now, envelope)) == repr(plain)
        answer = forms.margins(target, step, now)
        left += answer is None
        assert answer is None or (same(answer[0], dict(plain.margins)) and answer[1] == plain.accepted)
        assert forms.accepts(target, step, now) in (None, plain.accepted)
        plain = judge_plainly(step, Ramped(step), Rung.HOLD, now, envelope)
        answer = forms.arrived(step, step, now)
        assert answer is None or (same(answer[0], dict(plain.margins)) and answer[1] == plain.accepted)
        assert forms.stands(step, step, now) in (None, plain.accepted)
    assert left < 10


def test_several_kinds_that_judge_themselves_are_all_kept() -> None:
    some = envelope_of_some_kinds(2)
    why: dict[str, Any] = {"tier": Tier.T2, "hazard": "h", "basis": "b"}
    near = Interlock(id="X", **why, setpoint="air", when=None, low=Linear((), -4.0), high=None)
    envelope = replace(some, command_rules=(Asked(id="Y", **why), AskedOfWater(id="Z", **why), near))
    alone: Counter[str] = Counter()
    for target, step, now in each(cases_of(some, 3, situations=40, per_situation=12)):
        plain = judge_plainly(target, Ramped(step), Rung.HOLD, now, envelope)
        assert envelope.compiled[Rung.HOLD].accepts(target, step, now) in (None, plain.accepted)
        refusing = [rule for rule, margin in plain.margins.items() if not margin >= 0]
        alone.update(refusing if len(refusing) == 1 else [])
    assert min(alone[rule] for rule in "XYZ") > 5, alone


@pytest.mark.parametrize("rung", RUNGS)
def test_limit_may_depend_on_a_discrete_value_that_changes(rung: Rung) -> None:
    share = {"id": "SHARE", "kind": "relation", "tier": "T1", "unit": "kg_s", "hazard": "h", "basis": "b"}
    share |= {"terms": {"flow_a_kg_s": 1, "flow_b_kg_s": 1}, "limit": "5 * chillers_on + 2.5"}
    envelope = build_envelope(model_of({"add": [share]}))
    signals = {"inlet_c": Signal(24.0), "dew_point_c": Signal(8.0)}
    last = dict(USUAL["targets"])
    now = Situation(signals, last, last, 300.0, {"CHILLERS-DWELL": (7.2e9, 7.2e9)})
    for one, other in ((1.0, 2.0), (2.0, 1.0)):
        target, step = {**last, "chillers_on": one}, {**last, "chillers_on": other}
        plain = judge_plainly(target, Ramped(step), rung, now, envelope)
        assert plain.margins["SHARE"] < 0
        assert repr(judge(target, Ramped(step), rung, now, envelope)) == repr(plain)
        assert envelope.compiled[rung].accepts(target, step, now) in (None, plain.accepted)


def test_the_text_of_the_forms_can_be_read() -> None:
    with pytest.raises(AttributeError) as caught:
        envelope_of_some_kinds(1).compiled[Rung.CANDIDATE].loud  # type: ignore[attr-defined]  # noqa: B018
    assert str(caught.value) == "a compiled envelope has no `loud`"
    assert envelope_of_some_kinds(1).compiled[Rung.CANDIDATE].margins.__code__.co_filename == "<compiled envelope>"


@pytest.mark.parametrize("count", [1, 27, 28, 29, 56, 57, 90])
def test_one_nonfinite_number_is_seen_among_any_number(count: int) -> None:
    names = [f"x{at}" for at in range(count)]
    text = "\n    ".join([f"def seen({', '.join(names)}):", *finite(names), "return True"])
    scope: dict[str, Any] = {"hypot": hypot}
    exec(text, scope)
    calm = [1e140] * count
    assert scope["seen"](*calm) is True
    for at in range(count):
        for odd in (nan, inf, -inf, 1e151):
            assert scope["seen"](*calm[:at], odd, *calm[at + 1 :]) is None
    assert finite([]) == []


def test_no_rules_at_all_accept() -> None:
    free = Compiled(())
    now = Situation({}, None, None, 300.0, {})
    assert free.accepts({}, {}, now) is True
    assert free.stands({}, {}, now) is True
    assert free.margins({}, {}, now) == ({}, True)
    assert free.arrived({}, {}, now) == ({}, True)


@pytest.mark.parametrize("form", ["margins", "accepts"])
def test_what_is_not_there_is_left_to_the_plain_way(form: str) -> None:
    """No signal at all, a time that is missing: an answer of None, and not an error."""
    envelope, _, given, memory = usual()
    target = given[Source.INCUMBENT].targets
    signals = {"inlet_c": Signal(24.0), "dew_point_c": Signal(8.0)}
    judged = getattr(replace(envelope).compiled[Rung.CANDIDATE], form)
    now = Situation(signals, memory.last, memory.last, 300.0, memory.rules)
    assert judged(target, target, now) is not None
    missing = [{"signals": {}}, {"last": None}, {"reference": None}, {"dt_s": nan}, {"dt_s": -1.0}]
    assert [judged(target, target, replace(now, **each)) for each in missing] == [None] * len(missing)
    text = envelope_of_some_kinds(1).compiled[Rung.CANDIDATE].source()
    assert text.startswith("def compiled(target, step, now):")


TWO = {
    "plant": "two", "period_s": 300, "guard_period_s": 30, "valid_for_s": 900, "hold_max_s": 600,
    "setpoint": [{"name": name, "unit": "count", "low": 0, "high": 3, "values": [0, 1, 2, 3]} for name in "ab"],
    "signal": [{"name": "s", "unit": "count", "low": 0, "high": 9}],
    "rule": [
        {"unit": "count", "hazard": "h", "basis": "b", **rule}
        for rule in (
            {"id": "A", "kind": "bound", "tier": "T1", "setpoint": "a", "low": 0, "high": 3},
            {"id": "B", "kind": "bound", "tier": "T1", "setpoint": "b", "low": 0, "high": 3},
            {"id": "FEW", "kind": "interlock", "tier": "T2", "setpoint": "a", "low": "b - 2 + s", "high": "b + 1"},
            {"id": "WHEN", "kind": "interlock", "tier": "T2", "setpoint": "a", "when": "b >= 2 && s < 1", "high": "b"},
            {"id": "RIGHT", "kind": "interlock", "tier": "T2", "setpoint": "a", "when": "2 <= b && !(b > 2)", "low": 1},
            {"id": "BACK", "kind": "interlock", "tier": "T2", "setpoint": "b", "when": "a >= 3", "high": 2},
            {"id": "SUM", "kind": "relation", "tier": "T1", "terms": {"a": 1, "b": 2}, "limit": "5 + b - s"},
            {"id": "START", "kind": "permissive", "tier": "T3", "setpoint": "a", "require": "b >= 1 && s <= 1"},
        )
    ],
}  # fmt: skip


@pytest.mark.parametrize("rung", RUNGS)
def test_limits_and_conditions_may_look_up_discrete_values(rung: Rung) -> None:
    envelope = build_envelope(EnvelopeModel.model_validate(TWO))
    forms, accepted = envelope.compiled[rung], set()
    for a, b, c, d, s in product((0.0, 1.0, 3.0), (0.0, 1.0, 2.0), (0.0, 2.0), (0.0, 1.0, 2.0, 3.0), (0.0, 1.0)):
        target, step = {"a": a, "b": b}, {"a": c, "b": d}
        now = Situation({"s": Signal(s)}, {"a": 1.0, "b": 1.0}, None, 300.0, {})
        plain = judge_plainly(target, Ramped(step), rung, now, envelope)
        accepted.add(plain.accepted)
        assert repr(judge(target, Ramped(step), rung, now, envelope)) == repr(plain)
        answer = forms.margins(target, step, now)
        assert answer is not None
        assert same(answer[0], dict(plain.margins))
        assert forms.accepts(target, step, now) is plain.accepted
        plain = judge_plainly(step, Ramped(step), rung, now, envelope)
        answer = forms.arrived(step, step, now)
        assert answer is not None
        assert same(answer[0], dict(plain.margins))
        assert forms.stands(step, step, now) is plain.accepted
    assert accepted == {True, False}


def agree(envelope: Envelope, rung: Rung, target: Setpoints, step: Setpoints, now: Situation) -> bool:
    """Every form answers, and says what the rules say. Returns the verdict."""
    forms = envelope.compiled[rung]
    for one, other in ((target, step), (step, step)):
        plain = judge_plainly(one, Ramped(other), rung, now, envelope)
        answer = (forms.arrived if one == other else forms.margins)(one, other, now)
        assert answer is not None
        assert same(answer[0], dict(plain.margins))
        assert answer[1] is plain.accepted
        assert (forms.stands if one == other else forms.accepts)(one, other, now) is plain.accepted
    return plain.accepted


def of_rules(*rules: CommandRule) -> Envelope:
    """An envelope of nothing but these rules: no setpoint is declared, so T0 asks nothing."""
    return replace(envelope_of_some_kinds(2), setpoints=(), command_rules=rules)


@pytest.mark.parametrize("number", [1e200, -0.0, 5.0])
def test_rule_with_an_odd_number_judges_itself(number: float) -> None:
    wide = Bound(id="WIDE", tier=Tier.T1, hazard="h", basis="b", setpoint="air", low=-abs(number) - 1.0, high=number)
    slew = Slew(id="SLEW", tier=Tier.T4, hazard="h", basis="b", setpoint="air", up_per_s=abs(number), down_per_s=1.0)
    envelope = of_rules(slew, wide)
    now = Situation({}, {"air": 0.5}, None, 300.0, {})
    verdicts = {
        agree(envelope, Rung.CANDIDATE, {"air": air, "water": 0.0}, {"air": other, "water": 0.0}, now)
        for air in (-0.5, 0.5, 4.0, 9.0)
        for other in (-0.5, 0.25, 9.0, -700.0)
    }
    assert verdicts == {True, False}


def test_relation_of_huge_coefficients_judges_itself() -> None:
    why: dict[str, Any] = {"tier": Tier.T1, "hazard": "h", "basis": "b"}
    huge = Relation(id="HUGE", **why, terms=(("air", 1e300), ("water", -1e300)), limit=Linear((), 1e301))
    envelope = of_rules(huge)
    assert envelope.compiled[Rung.HOLD].source().count("rule0.margin(") == 2
    now = Situation({}, None, None, 300.0, {})
    verdicts = {
        agree(envelope, Rung.HOLD, {"air": air, "water": water}, {"air": 0.0, "water": water}, now)
        for air in (0.0, 5.0, 20.0, 1e9, -1e9)
        for water in (0.0, 1e9, -1e9)
    }
    assert verdicts == {True, False}


def test_interlock_of_a_huge_factor_judges_itself() -> None:
    """The product is beyond every float, so the limit is not known, and what is not known refuses."""
    limit = Linear((("s0", 1e200),))
    huge = Interlock(id="HUGE", tier=Tier.T2, hazard="h", basis="b", setpoint="air", when=None, low=None, high=limit)
    envelope = of_rules(huge)
    verdicts = {
        agree(envelope, Rung.HOLD, {"air": 1.0}, {"air": 0.5}, Situation({"s0": Signal(value)}, None, None, 300.0, {}))
        for value in (1.0, 1e-201, 1e149, -1e149)
    }
    assert verdicts == {True, False}
    unknown = Situation({"s0": Signal(1e149)}, None, None, 300.0, {})
    assert envelope.compiled[Rung.HOLD].accepts({"air": 1.0}, {"air": 0.5}, unknown) is not True


def test_money_beyond_float_precision_is_judged_exactly() -> None:
    ledger = {"spent": "a", "reserved": "b", "limit": "c", "max_charge": "d", "idle": 1.0}
    why: dict[str, Any] = {"tier": Tier.T1, "hazard": "h", "basis": "b", "setpoint": "x"}
    rates = tuple(
        SpendRate(id=f"R{at}", **why, **ledger, most_per_mille=per) for at, per in enumerate((1500, 1500, 999))
    )
    envelope = of_rules(*rates)
    most = 2**53 - 1
    verdicts = set()
    for spent in (0, most // 3, most - 7, most):
        for plan in (1, 2**52, 2**52 + 1, most):
            for charge in (0, 1, 5):
                money = {"a": spent, "b": charge, "c": plan, "d": 3 - charge if charge < 3 else 0}
                now = Situation({name: Signal(float(value)) for name, value in money.items()}, None, None, 300.0, {})
                verdicts.add(agree(envelope, Rung.HOLD, {"x": 0.5}, {"x": 2.0}, now))
    assert verdicts == {True, False}


@pytest.mark.parametrize("seed", range(1, 9))
def test_the_usual_judgement_is_not_left_to_the_plain_way(seed: int) -> None:
    envelope = envelope_of_some_kinds(seed)
    cases = cases_of(envelope, seed, situations=20, per_situation=5)
    known = np.all([np.isfinite(values) for values in cases.batch.signals.values()], axis=0)
    for name in cases.batch.target:
        known &= np.isfinite(cases.batch.target[name]) & np.isfinite(cases.batch.step[name])
        known &= (np.abs(cases.batch.target[name]) < 1e100) & (np.abs(cases.batch.step[name]) < 1e100)
    forms = envelope.compiled[Rung.CANDIDATE]
    for at, (target, step, now) in enumerate(each(cases)):
        if known[at]:
            assert forms.margins(target, step, now) is not None
            assert forms.accepts(target, step, now) is not None


def never(*_: Any, **__: Any) -> Any:
    raise AssertionError("an accepted case is not judged rule by rule")


def usual() -> tuple[Envelope, Observation, dict[Source, Proposal], Memory]:
    """A plant whose rules are all satisfied, and two sources that propose a little more air."""
    envelope = build_envelope(model_of({}))
    last = dict(USUAL["targets"])
    signals = {"inlet_c": Signal(24.0), "dew_point_c": Signal(8.0)}
    seen = Observation("small", "plant", 0, signals, applied=last, readback=last)
    given = {
        source: Proposal(source, {**last, "supply_c": 18.0 + more})
        for source, more in ((Source.INCUMBENT, 0.25), (Source.CANDIDATE, 2.5))
    }
    rules = {**fresh_memory(envelope).rules, "CHILLERS-DWELL": (7.2e9, 7.2e9)}
    return envelope, seen, given, Memory(last=last, rung=Rung.CANDIDATE, rules=rules)


def test_accepted_proposals_are_decided_without_judging_rule_by_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "safety.decide.judge_plainly",
        "safety.decide.judge_rule",
        "safety.ramp._permitted",
        "safety.ramp._entry",
    ):
        monkeypatch.setattr(name, never)
    envelope, seen, given, memory = usual()
    ruling = decide(seen, given, Source.CANDIDATE, envelope, memory, elapsed_us=300_000_000, epoch=1)
    assert ruling.command.rung is Rung.CANDIDATE
    assert ruling.command.setpoints["supply_c"] == pytest.approx(19.0)
    assert [judgement.verdict.findings for judgement in ruling.judgements] == [(), ()]


def test_satisfied_state_rules_are_observed_without_judging_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safety.decide.observe_plainly", never)
    envelope, seen, _, memory = usual()
    _, later, findings = observe(seen, envelope, memory, 30_000_000)
    assert (later.since_us, findings) == (memory.since_us + 30_000_000, ())
    assert later.rules["CHILLERS-DWELL"] == (7.23e9, 7.23e9)


def test_a_command_that_stands_is_guarded_without_judging_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safety.guard.judge", never)
    envelope, seen, _, memory = usual()
    guarded = guard(seen, memory.last, envelope, memory, elapsed_us=30_000_000)
    assert (guarded.decide_now, guarded.findings) == (False, ())


def test_where_target_and_step_are_one_the_shorter_form_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    envelope, _, given, memory = usual()
    signals = {"inlet_c": Signal(24.0), "dew_point_c": Signal(8.0)}
    now = Situation(signals, memory.last, memory.last, 300.0, memory.rules)
    target = given[Source.INCUMBENT].targets
    envelope.compiled[Rung.CANDIDATE].margins = never
    with monkeypatch.context() as patched:
        patched.setattr("safety.decide.judge_plainly", never)
        assert judge(target, Ramped(dict(target)), Rung.CANDIDATE, now, envelope).accepted
    envelope.compiled[Rung.CANDIDATE].arrived = never
    assert judge(target, Ramped(target), Rung.CANDIDATE, now, envelope).accepted  # by the meaning


def test_written_forms_call_only_timers_and_money() -> None:
    for seed in range(1, 9):
        envelope = envelope_of_some_kinds(seed)
        still = tuple(rule for rule in envelope.command_rules if not isinstance(rule, Dwell))
        assert ".margin(" not in replace(envelope, command_rules=still).compiled[Rung.CANDIDATE].source()
