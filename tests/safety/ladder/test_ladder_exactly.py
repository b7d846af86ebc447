"""What `decide` returns where it has nothing to judge, or where a rule fails: to the last field."""

from dataclasses import replace
from math import nan

from safety.decide import RUNG, decide, judge_proposal, situation
from safety.envelope import Envelope, fresh_memory
from safety.loading.spec import build_envelope
from safety.rules.base import FailSafe
from safety.rules.command_rules import Bound
from safety.rules.state_rules import Novelty
from safety.values import (
    Authority,
    Finding,
    Judgement,
    Memory,
    Observation,
    Outcome,
    Proposal,
    RuleState,
    Ruling,
    Rung,
    Signal,
    Source,
    Status,
    Tier,
    Verdict,
)
from tests.safety.support.broken import Broken, BrokenState
from tests.safety.support.golden import USUAL, model_of

ENVELOPE = build_envelope(model_of({}))
LAST = dict(USUAL["targets"])
SEEN = Observation(
    "small", "plant", 0, {"inlet_c": Signal(24.0), "dew_point_c": Signal(8.0)}, applied=LAST, readback=LAST
)
S = 1_000_000


def ruled(**more: object) -> Ruling:
    call: dict[str, object] = {
        "observation": SEEN,
        "proposals": {},
        "assigned": Source.CANDIDATE,
        "envelope": ENVELOPE,
        "memory": replace(fresh_memory(ENVELOPE), last=LAST, rung=Rung.INCUMBENT),
        "elapsed_us": 300 * S,
        "epoch": 7,
    }
    return decide(**{**call, **more})  # type: ignore[arg-type]


FAILED = "the rule failed: ZeroDivisionError: made to fail"


def test_a_relinquished_plant_gets_an_empty_command() -> None:
    ruling = ruled(observation=replace(SEEN, authority=Authority.LOCAL))
    assert ruling.chosen == Judgement(Rung.RELINQUISH, {}, {}, Verdict(True, (), {}, "", ENVELOPE.digest), ())
    assert (ruling.command.setpoints, ruling.command.rung) == ({}, Rung.RELINQUISH)
    assert (ruling.command.valid_for_us, ruling.command.epoch) == (900 * S, 7)
    assert ruling.removed == tuple(sorted(Source))
    assert ruling.memory.last is None
    assert ruling.memory.failsafe is None
    assert ruling.judgements == ()


def test_failing_rule_is_reported_with_its_tier_and_error() -> None:
    broken = Broken(id="BROKEN", tier=Tier.T2, hazard="h", basis="b")
    envelope = replace(ENVELOPE, command_rules=(*ENVELOPE.command_rules, broken))
    now = situation(SEEN, Memory(last=LAST, since_us=300 * S, rules=fresh_memory(ENVELOPE).rules), envelope)
    proposal = Proposal(Source.INCUMBENT, {**LAST, "fan_frac": 0.8, "supply_c": 20.0})
    judgement = judge_proposal(proposal, Rung.INCUMBENT, now, envelope)
    # The ramp asks it first, and cannot go on without an answer.
    fault = Finding("T0-ramp", Tier.T0, Outcome.ERROR, nan, "step", FAILED)
    refused = Verdict(False, (fault,), {"T0-ramp": nan}, "T0-ramp", envelope.digest)
    assert repr(judgement) == repr(Judgement(Rung.INCUMBENT, {**LAST, "fan_frac": 0.8, "supply_c": 20.0}, {}, refused))
    still = replace(now, last=None)
    judgement = judge_proposal(proposal, Rung.INCUMBENT, still, envelope)
    (found,) = (finding for finding in judgement.verdict.findings if finding.rule == "BROKEN")
    assert repr(found) == repr(Finding("BROKEN", Tier.T2, Outcome.ERROR, nan, "target", FAILED))
    assert not judgement.verdict.accepted


def test_failing_state_rule_is_reported_twice_and_refuses() -> None:
    failing = BrokenState(
        id="FAILING", tier=Tier.T5, applies_to="policy", hazard="h", basis="b", signal="inlet_c", high=1.0
    )
    envelope = replace(ENVELOPE, state_rules=(failing,))
    ruling = ruled(envelope=envelope)
    assert sorted(map(repr, ruling.state)) == sorted(
        repr(Finding("FAILING", Tier.T5, Outcome.ERROR, nan, "state", detail)) for detail in (FAILED, f"{FAILED} twice")
    )
    assert ruling.removed == (Source.CANDIDATE,)


def test_source_without_an_answer_is_reported_by_its_status() -> None:
    for status in Status:
        if status is Status.OK:
            continue
        for detail in ("", "it said why"):
            ruling = ruled(proposals={Source.CANDIDATE: Proposal(Source.CANDIDATE, {}, status, detail)})
            reason = detail or f"the candidate gave no answer: {status}"
            finding = Finding(f"T0-{status}", Tier.T0, Outcome.VETO, nan, "target", reason)
            verdict = Verdict(False, (finding,), {finding.rule: nan}, finding.rule, ENVELOPE.digest)
            assert repr(ruling.judgements) == repr((Judgement(Rung.CANDIDATE, {}, {}, verdict),))


def test_malformed_setpoints_are_named_with_their_values() -> None:
    def refusal(targets: dict[str, object]) -> str:
        (judgement,) = ruled(proposals={Source.CANDIDATE: Proposal(Source.CANDIDATE, targets)}).judgements  # type: ignore[arg-type]
        (finding,) = judgement.verdict.findings
        assert (finding.tier, finding.outcome, finding.about) == (Tier.T0, Outcome.VETO, "target")
        return f"{finding.rule}: {finding.detail}"

    assert refusal({**LAST, "odd": 1.0}) == "T0-schema: setpoints missing or not known: odd"
    assert refusal({"supply_c": 1.0}) == (
        "T0-schema: setpoints missing or not known: chillers_on, fan_frac, flow_a_kg_s, flow_b_kg_s"
    )
    both = refusal({**LAST, "supply_c": nan, "fan_frac": 2.0})
    assert both.startswith("T0-range: `supply_c` = nan ")
    assert "`fan_frac` = 2.0 " in both
    assert refusal({**LAST, "supply_c": "warm"}).startswith("T0-range: `supply_c` = 'warm' ")
    assert refusal({**LAST, "chillers_on": 1.5}).startswith("T0-range: `chillers_on` = 1.5 ")


def test_value_that_does_not_fit_is_named_with_what_fits() -> None:
    supply, chillers = (
        next(spec for spec in ENVELOPE.setpoints if spec.name == name) for name in ("supply_c", "chillers_on")
    )
    assert supply.misfit(99.0) == f"`supply_c` = 99.0 is outside its range {supply.low:g} to {supply.high:g} C"
    values = ", ".join(f"{value:g}" for value in chillers.values or ())
    assert chillers.misfit(1.5) == f"`chillers_on` = 1.5 is not one of its values {values}"


def test_whole_numbers_are_numbers() -> None:
    ruling = ruled(proposals={Source.CANDIDATE: Proposal(Source.CANDIDATE, {**LAST, "chillers_on": 1, "supply_c": 18})},
                   assigned=Source.CANDIDATE)  # fmt: skip
    (judgement,) = ruling.judgements
    assert judgement.target["supply_c"] == 18.0
    assert isinstance(judgement.target["supply_c"], float)


def test_each_source_has_its_rung() -> None:
    assert RUNG == {
        Source.CANDIDATE: Rung.CANDIDATE,
        Source.OPERATOR: Rung.OPERATOR,
        Source.INCUMBENT: Rung.INCUMBENT,
    }


def test_step_lasts_at_most_a_period_and_command_precedes_readback() -> None:
    other = {**LAST, "supply_c": 19.0}
    memory = Memory(last=LAST, since_us=900 * S)
    assert situation(SEEN, memory, ENVELOPE).dt_s == 300.0
    assert situation(SEEN, replace(memory, since_us=30 * S), ENVELOPE).dt_s == 30.0
    read = replace(SEEN, readback=other)
    assert situation(read, memory, ENVELOPE).last == LAST
    assert situation(read, replace(memory, last=None), ENVELOPE).last == other
    assert situation(read, replace(memory, last={"supply_c": 1.0}), ENVELOPE).last == other
    for gone in (None, {}, {**other, "fan_frac": nan}, {"supply_c": 1.0}):
        assert situation(replace(SEEN, readback=gone), replace(memory, last=None), ENVELOPE).last is None


def test_last_resort_records_all_but_static_limits_as_waived() -> None:
    wet = replace(SEEN, signals={"inlet_c": Signal(24.0), "dew_point_c": Signal(20.0)})
    ruling = ruled(observation=wet)
    assert ruling.command.rung is Rung.FAILSAFE
    assert ruling.memory.failsafe == "FULL-COOLING"
    waived = {finding.rule for finding in ruling.chosen.verdict.findings if finding.outcome is Outcome.WAIVED}
    assert "DEW" in waived
    assert waived <= {"DEW", "SUPPLY-SLEW", "CHILLERS-DWELL", "FLOW-A-SLEW", "FLOW-B-SLEW", "FAN-SLEW"}
    bounds = [rule.id for rule in ENVELOPE.command_rules if isinstance(rule, Bound)]
    assert all(ruling.chosen.verdict.margins[rule] >= 0 for rule in bounds)
    moved = next(finding for finding in ruling.chosen.verdict.findings if finding.rule == "SUPPLY-SLEW")
    assert moved.detail == "`supply_c` would move by -4 K in 300 s; [-2, +1] may be"
    assert ruling.chosen.verdict.margins["SUPPLY-SLEW"] == -2.0


def with_failsafe(**vector: float) -> Envelope:
    """What no loader would let in: a last resort of which nobody has looked whether it keeps T1."""
    return replace(ENVELOPE, failsafe=(FailSafe("ONLY", None, {**LAST, **vector}),))


def test_a_last_resort_outside_a_static_limit_is_never_commanded() -> None:
    wet = replace(SEEN, signals={"inlet_c": Signal(24.0), "dew_point_c": Signal(20.0)})
    assert ruled(observation=wet, envelope=with_failsafe()).command.rung is Rung.FAILSAFE
    assert ruled(observation=wet, envelope=with_failsafe(fan_frac=0.1)).command.rung is Rung.RELINQUISH
    # Only what is static binds: a relation of T1 that it breaks is recorded, for there is nothing better.
    ruling = ruled(observation=wet, envelope=with_failsafe(flow_a_kg_s=12.0, flow_b_kg_s=12.0))
    assert ruling.command.rung is Rung.FAILSAFE
    assert "PUMP-SHARE" in {finding.rule for finding in ruling.chosen.verdict.findings}


def test_last_resort_of_another_envelope_is_chosen_again() -> None:
    memory = replace(fresh_memory(ENVELOPE), last=LAST, rung=Rung.FAILSAFE, failsafe="OF-ANOTHER")
    ruling = ruled(memory=memory)
    assert (ruling.command.rung, ruling.memory.failsafe) == (Rung.FAILSAFE, "FULL-COOLING")


class Counting(Novelty):
    """A rule without memory that minds what it is given for one."""

    def margin(self, observation: Observation, state: RuleState) -> float:
        return len(state) - self.high

    def explain(self, observation: Observation, state: RuleState) -> str:
        return f"asked with {state!r}"


def test_rule_without_memory_gets_an_empty_state() -> None:
    counting = Counting(id="COUNTING", tier=Tier.T5, applies_to="policy", hazard="h", basis="b", signal="x", high=0.0)
    assert ruled(envelope=replace(ENVELOPE, state_rules=(counting,))).state == ()
    refusing = replace(counting, high=1.0)
    finding = Finding("COUNTING", Tier.T5, Outcome.VETO, -1.0, "state", "asked with ()")
    assert ruled(envelope=replace(ENVELOPE, state_rules=(refusing,))).state == (finding,)


def test_a_target_that_is_refused_makes_no_discrete_value_wait() -> None:
    memory = Memory(last=LAST, rules={**fresh_memory(ENVELOPE).rules, "CHILLERS-DWELL": (7200.0 * S, 7200.0 * S)})
    targets = {**LAST, "chillers_on": 2.0, "supply_c": 31.0}
    (judgement,) = ruled(memory=memory, proposals={Source.INCUMBENT: Proposal(Source.INCUMBENT, targets)}).judgements
    assert [finding.about for finding in judgement.verdict.findings if finding.rule == "SUPPLY-BOUND"] == ["target"]
    assert judgement.waiting == ()
    assert judgement.step["chillers_on"] == 2.0
