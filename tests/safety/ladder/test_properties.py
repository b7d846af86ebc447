"""What holds whatever the signals, the proposals and the memory are. Each property is a sentence."""

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from math import inf, nan, nextafter
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from controller.records.codec import ruling_digest
from safety.decide import decide, judge, observe, situation
from safety.envelope import Envelope, fresh_memory
from safety.guard import guard
from safety.loading.spec import build_envelope
from safety.ramp import Ramped
from safety.rules.base import CommandRule, Situation
from safety.rules.command_rules import Bound
from safety.values import (
    Authority,
    Command,
    Memory,
    Observation,
    Outcome,
    Proposal,
    Quality,
    Ruling,
    Rung,
    Signal,
    Source,
    Status,
    Tier,
)
from tests.safety.support.broken import Broken, BrokenState
from tests.safety.support.golden import model_of
from tests.safety.support.seeded import seeded

ENVELOPE = build_envelope(model_of({}))
STATIC = [rule for rule in ENVELOPE.command_rules if isinstance(rule, Bound)]
EDGES = sorted({edge for rule in STATIC for edge in (rule.low, rule.high)} | {14.0, 20.0, 9.0})
NEAR = [near for edge in EDGES for near in (edge, nextafter(edge, inf), nextafter(edge, -inf))]
ANY_FLOAT = st.sampled_from([*NEAR, nan, inf, -inf, -0.0, 5e-324, 1e308]) | st.floats(-50, 50)
INSIDE = {
    "supply_c": st.floats(10, 30),
    "fan_frac": st.floats(0.2, 1),
    "chillers_on": st.sampled_from([1.0, 2.0]),
    "flow_a_kg_s": st.floats(1, 10),
    "flow_b_kg_s": st.floats(1, 10),
}
TIMES = st.integers(0, 10_000_000_000)
usual = seeded(120)


@st.composite
def vectors(draw: st.DrawFn) -> dict[str, float]:
    """Mostly near-feasible vectors, with now and then one value that is not."""
    vector = {name: draw(values) for name, values in INSIDE.items()}
    if draw(st.integers(0, 7)) == 0:
        vector[draw(st.sampled_from(list(vector)))] = draw(ANY_FLOAT)
    return vector


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    signals = {}
    all_good = draw(st.integers(0, 3)) > 0
    for name, values in (("inlet_c", st.floats(15, 33)), ("dew_point_c", st.floats(0, 15))):
        fate = "good" if all_good else draw(st.sampled_from(["good", "bad", "stale", "odd", "gone"]))
        value = draw(ANY_FLOAT if fate == "odd" else values)
        quality = Quality(fate) if fate in ("bad", "stale") else Quality.GOOD
        if fate != "gone":
            signals[name] = Signal(value, quality, 0 if all_good else draw(st.sampled_from([0, 10**8, 10**9, -1])))
    applied = draw(st.none() | vectors())
    return Observation(
        "small",
        "plant",
        0,
        signals,
        applied=applied,
        readback=applied if all_good else draw(st.none() | vectors()),
        authority=Authority.LOCAL if draw(st.integers(0, 15)) == 0 else Authority.OURS,
    )


@st.composite
def memories(draw: st.DrawFn) -> Memory:
    last = {name: draw(values) for name, values in INSIDE.items()}
    rung = draw(st.sampled_from([None, *Rung]))
    dwell = tuple(float(draw(TIMES)) for _ in range(draw(st.integers(2, 4))))
    return Memory(
        last=draw(st.sampled_from([last, last, None])),
        rung=rung,
        since_us=draw(st.integers(0, 10**9)),
        rules={**fresh_memory(ENVELOPE).rules, "CHILLERS-DWELL": dwell},
        held_us=draw(TIMES),
        failsafe=draw(st.sampled_from([None, None, "COLD-HALL", "FULL-COOLING", "OF-ANOTHER-ENVELOPE"])),
    )


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    """Everything `decide` is called with, but for the envelope."""
    proposals = {
        source: Proposal(source, draw(vectors()), draw(st.sampled_from([Status.OK] * 20 + list(Status))))
        for source in draw(st.sampled_from([tuple(Source), tuple(Source), (Source.INCUMBENT,), ()]))
    }
    return {
        "observation": draw(observations()),
        "proposals": proposals,
        "assigned": draw(st.sampled_from([Source.CANDIDATE, Source.OPERATOR] * 3 + [Source.INCUMBENT])),
        "memory": draw(memories()),
        "elapsed_us": draw(st.sampled_from([0, 1, -1, 30_000_000, 300_000_000, 10**11])),
        "epoch": 1,
        "without": frozenset({draw(st.sampled_from(list(Source)))} if draw(st.integers(0, 7)) == 0 else ()),
    }


def ruled(call: dict[str, Any], envelope: Envelope = ENVELOPE) -> Ruling:
    return decide(envelope=envelope, **call)


def binding(ruling: Ruling) -> list[CommandRule]:
    return [rule for rule in ENVELOPE.binding[ruling.command.rung] if ruling.command.rung is not Rung.FAILSAFE]


@usual
@given(calls())
def test_no_exception_escapes_and_there_is_always_a_command(call: dict[str, Any]) -> None:
    ruling = ruled(call)
    assert ruling.command.rung is ruling.chosen.rung
    assert ruling.chosen.verdict.accepted


@usual
@given(calls())
def test_what_is_commanded_satisfies_every_rule_that_binds_its_rung(call: dict[str, Any]) -> None:
    ruling = ruled(call)
    waived = {f.rule for f in ruling.chosen.verdict.findings if f.outcome in (Outcome.WAIVED, Outcome.SKIPPED)}
    assert {f.tier for f in ruling.chosen.verdict.findings if f.rule in waived} <= {Tier.T2, Tier.T3, Tier.T4}
    for rule in STATIC:
        if ruling.command.setpoints:
            assert rule.low <= ruling.command.setpoints[rule.setpoint] <= rule.high
    now = Situation(call["observation"].signals, None, None, 0.0, {})
    for rule in binding(ruling):
        if not rule.step_only:
            assert rule.margin(ruling.command.setpoints, now) >= 0, rule.id


@usual
@given(calls())
def test_a_source_without_authority_never_acts(call: dict[str, Any]) -> None:
    ruling = ruled(call)
    assert ruling.command.rung.value not in {source.value for source in ruling.removed}


@usual
@given(calls())
def test_a_latch_is_never_lost_and_keeps_the_candidate_out(call: dict[str, Any]) -> None:
    ruling = ruled(call)
    after = ruled({**call, "memory": ruling.memory, "proposals": call["proposals"]})
    before = [latch.rule for latch in ruling.memory.latches]
    assert [latch.rule for latch in after.memory.latches][: len(before)] == before
    assert not before or after.command.rung is not Rung.CANDIDATE


@usual
@given(calls(), st.randoms(use_true_random=False))
def test_the_order_of_rules_changes_nothing(call: dict[str, Any], random: Any) -> None:
    shuffled = list(ENVELOPE.command_rules)
    random.shuffle(shuffled)
    states = list(ENVELOPE.state_rules)
    random.shuffle(states)
    other = replace(ENVELOPE, command_rules=tuple(shuffled), state_rules=tuple(states))
    one, two = ruled(call), ruled(call, other)
    assert one.command == two.command
    assert repr(one.state) == repr(two.state)
    assert [j.verdict.findings.__repr__() for j in one.judgements] == [
        j.verdict.findings.__repr__() for j in two.judgements
    ]


@usual
@given(calls(), st.sampled_from(list(INSIDE)), st.floats(0, 30), st.floats(0, 10))
def test_adding_a_command_rule_never_accepts_more(call: dict[str, Any], name: str, low: float, width: float) -> None:
    """Said of one vector before one envelope, where the theorem lives: the ramp may lead elsewhere under another one."""
    extra = Bound(id="X", tier=Tier.T1, hazard="h", basis="b", setpoint=name, low=low, high=low + width)
    more = replace(ENVELOPE, command_rules=(*ENVELOPE.command_rules, extra))
    now = Situation(call["observation"].signals, call["memory"].last, None, 300.0, call["memory"].rules)
    for proposal in call["proposals"].values():
        for rung in (Rung.CANDIDATE, Rung.INCUMBENT, Rung.HOLD):
            ramped = Ramped(proposal.targets)
            if judge(proposal.targets, ramped, rung, now, more).accepted:
                assert judge(proposal.targets, ramped, rung, now, ENVELOPE).accepted


@usual
@given(calls())
def test_an_erroring_rule_refuses_and_raises_nothing(call: dict[str, Any]) -> None:
    broken = Broken(id="BROKEN", tier=Tier.T1, hazard="h", basis="b")
    failing = BrokenState(id="FAILING", tier=Tier.T2, hazard="h", basis="b", signal="inlet_c", high=1.0)
    ruling = ruled(call, replace(ENVELOPE, command_rules=(*ENVELOPE.command_rules, broken)))
    assert ruling.command.rung in (Rung.FAILSAFE, Rung.RELINQUISH)
    ruling = ruled(call, replace(ENVELOPE, state_rules=(*ENVELOPE.state_rules, failing)))
    assert ruling.command.rung not in (Rung.CANDIDATE, Rung.OPERATOR, Rung.INCUMBENT)
    assert "FAILING" in {finding.rule for finding in ruling.state}


@usual
@given(calls())
def test_a_refused_judgement_makes_no_command(call: dict[str, Any]) -> None:
    for judgement in ruled(call).judgements:
        if not judgement.verdict.accepted:
            with pytest.raises(ValueError, match="a refused judgement"):
                Command.from_judgement(judgement, valid_for_us=1, epoch=1)


@usual
@given(calls())
def test_the_explanation_is_complete(call: dict[str, Any]) -> None:
    """Lift every named cause, and the same judgement accepts; leave one, and it does not."""
    ruling = ruled(call)
    for judgement in ruling.judgements:
        causes = {f.rule for f in judgement.verdict.findings if f.refuses}
        assert bool(causes) != judgement.verdict.accepted
        if not causes or any(cause.startswith("T0-") for cause in causes):
            continue
        now = situation_of(call, ruling)
        lifted = replace(ENVELOPE, command_rules=tuple(r for r in ENVELOPE.command_rules if r.id not in causes))
        waived = frozenset(
            name for f in judgement.verdict.findings if f.outcome is Outcome.WAIVED for name in waives(f.rule)
        )
        again = judge(judgement.target, Ramped(judgement.step, (), waived), judgement.rung, now, lifted)
        assert again.accepted
        for left in causes:
            others = tuple(r for r in ENVELOPE.command_rules if r.id == left or r.id not in causes)
            ramped = Ramped(judgement.step, (), waived)
            still = judge(judgement.target, ramped, judgement.rung, now, replace(ENVELOPE, command_rules=others))
            assert (still.accepted, still.first_out) == (False, left)


@usual
@given(calls())
def test_what_took_authority_away_is_named_whole(call: dict[str, Any]) -> None:
    """Lift every named state rule, latch, guard and local system, and every source may act; leave one, and some may not."""
    ruling = ruled(call)
    named = {finding.rule for finding in ruling.state}
    regained = replace(call["observation"], authority=Authority.OURS)
    lifted = replace(ENVELOPE, state_rules=tuple(r for r in ENVELOPE.state_rules if r.id not in named))
    free = {**call, "observation": regained, "without": frozenset(), "memory": replace(call["memory"], latches=())}
    assert ruled(free, lifted).removed == ()
    for left in named:
        kept = tuple(r for r in ENVELOPE.state_rules if r.id == left or r.id not in named)
        assert ruled(free, replace(ENVELOPE, state_rules=kept)).removed != ()


def waives(rule_id: str) -> tuple[str, ...]:
    return next(rule.setpoints for rule in ENVELOPE.command_rules if rule.id == rule_id)


def situation_of(call: dict[str, Any], ruling: Ruling) -> Situation:
    _, memory, _ = observe(call["observation"], ENVELOPE, call["memory"], call["elapsed_us"])
    reference = next((j.step for j in ruling.judgements if j.rung is Rung.INCUMBENT and j.verdict.accepted), None)
    return replace(situation(call["observation"], memory, ENVELOPE), reference=reference)


@usual
@given(calls())
def test_the_same_inputs_give_the_same_bits_also_after_pickling(call: dict[str, Any]) -> None:
    copied, envelope = pickle.loads(pickle.dumps((call, ENVELOPE)))
    assert ruling_digest(ruled(call)) == ruling_digest(ruled(copied, envelope)) == ruling_digest(ruled(call))


def test_the_same_inputs_give_the_same_bits_in_every_process() -> None:
    code = (
        "from tests.safety.support.golden import paths, read\n"
        "from tests.records.record_corpus import decision_of\n"
        "print([decision_of(read(path)).ruling_digest for path in paths()])"
    )
    digests = set()
    for seed in ("0", "1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout)
    assert len(digests) == 1


@usual
@given(calls())
def test_every_accepted_step_keeps_its_rates_or_records_a_waiver(call: dict[str, Any]) -> None:
    ruling = ruled(call)
    now = situation_of(call, ruling)
    for judgement in ruling.judgements:
        if not judgement.verdict.accepted:
            continue
        named = {f.rule for f in judgement.verdict.findings}
        for rule in ENVELOPE.binding[judgement.rung]:
            if rule.step_only and rule.id not in named:
                assert rule.margin(judgement.step, now) >= 0


@usual
@given(calls())
def test_the_guard_raises_nothing_and_only_takes_away(call: dict[str, Any]) -> None:
    memory = call["memory"]
    guarded = guard(call["observation"], memory.last, ENVELOPE, memory, elapsed_us=call["elapsed_us"])
    assert guarded.memory.last == memory.last
    assert guarded.memory.rung == memory.rung
    assert set(memory.latches) <= set(guarded.memory.latches)
    ruling = ruled({**call, "memory": guarded.memory, "elapsed_us": 0, "without": guarded.removed})
    assert guarded.removed <= set(ruling.removed)


@usual
@given(calls())
def test_what_was_commanded_may_be_held_while_nothing_changes(call: dict[str, Any]) -> None:
    ruling = ruled(call)
    assume(ruling.command.rung in (Rung.CANDIDATE, Rung.INCUMBENT, Rung.OPERATOR, Rung.HOLD))
    silent = {**call, "memory": replace(ruling.memory, held_us=0), "proposals": {}, "elapsed_us": 0}
    assert ruled(silent).command.setpoints == ruling.command.setpoints


def test_the_calls_above_reach_every_rung_and_every_outcome() -> None:
    """A generator that only ever vetoes would prove the properties above of nothing."""
    rungs: dict[Rung, int] = dict.fromkeys(Rung, 0)
    outcomes: dict[Outcome, int] = dict.fromkeys(Outcome, 0)

    @seeded(800)
    @given(calls())
    def count(call: dict[str, Any]) -> None:
        ruling = ruled(call)
        rungs[ruling.command.rung] += 1
        for judgement in ruling.judgements:
            for finding in judgement.verdict.findings:
                outcomes[finding.outcome] += 1

    count()
    assert all(rungs[rung] >= 3 for rung in Rung), rungs
    assert all(outcomes[o] for o in (Outcome.VETO, Outcome.WAIVED, Outcome.SKIPPED)), outcomes
