"""Deciding on what is observed and proposed, and what follows from it. Values only: nothing is saved, sent or changed here."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from controller.loop.checkpoint import Checkpoints, Counters, LoopState
from controller.loop.evidence import AUDIT_FAILURE, evidence_of
from controller.loop.operator_commands import events_of, remaining_override
from controller.loop.parts import Observed, Parts, Proposed, Tick
from controller.ports import Event
from controller.records.codec import ruling_digest
from controller.records.decision import Decision, assemble
from controller.records.tick_entry import TickEntry
from controller.rollout.advance import advance
from controller.rollout.gates import judge_once
from safety.values import Receipt, Ruling, Rung, Source
from safety.verify import escaped
from shadow.comparison import Comparison, compare
from shadow.evidence import observe_tick


def decide(parts: Parts, observed: Observed, proposed: Proposed, without: frozenset[Source]) -> tuple[Decision, Ruling]:
    """The ruling and its decision. `without` names sources that may not act; after an audit failure the candidate may not."""
    if AUDIT_FAILURE in observed.before.causes:
        without |= {Source.CANDIDATE}
    began_us = parts.wall_us()
    ruling = parts.pilot.decide(
        observed.managed,
        proposed.proposals,
        observed.assignment.source,
        epoch=parts.epoch,
        without=without,
        measured=proposed.measured,
    )
    decision = assemble(
        observed.reported,
        proposed.proposals,
        observed.assignment,
        observed.before.memory,
        ruling,
        without=without,
        elapsed_us=observed.managed.elapsed_us,
        digests=parts.digests,
        ruling_digest=ruling_digest(ruling),
        latencies_us={**proposed.latencies_us, "decide": parts.wall_us() - began_us},
        measured=proposed.measured,
    )
    return decision, ruling


def settle(
    parts: Parts,
    observed: Observed,
    proposed: Proposed,
    decision: Decision,
    ruling: Ruling,
    *,
    news: tuple[Event, ...],
    receipt: Receipt | None,
    checkpoints: Checkpoints,
) -> Tick:
    """All that follows from a decision: evidence, rollout, the state after it, and the entry to be recorded.

    `news` are events to be recorded with it; `receipt` is what the plant did with the command before.
    """
    before, at_us = observed.before, observed.reported.taken_at
    evidence = observe_tick(before.evidence, evidence_of(observed, decision, ruling))
    gate = judge_once(parts.spec, before.rollout, evidence, at_us)
    rollout, effects = advance(parts.spec, before.rollout, evidence, at_us, gate)
    if rollout is not before.rollout:
        gate = judge_once(parts.spec, rollout, evidence, at_us)
    state = replace(
        before,
        memory=ruling.memory,
        incumbent=parts.pilot.track(proposed.incumbent_memory, ruling),
        rollout=rollout,
        evidence=evidence,
        override=remaining_override(before.override, at_us),
        counters=_counted(parts, decision, ruling, before),
        causes=(),
    )
    comparison = _compared(parts, decision, ruling)
    events = (*news, *events_of(effects, before, state, at_us))
    entry = TickEntry(
        decision=decision,
        receipt=receipt,
        comparison=_plain(comparison),
        events=events,
        checkpoint=checkpoints.encode(state),
        durable=bool(events) or ruling.memory.latches != before.memory.latches,
    )
    return Tick(decision, ruling, comparison, state, gate, entry)


def _counted(parts: Parts, decision: Decision, ruling: Ruling, before: LoopState) -> Counters:
    regular = decision.observation.taken_at % parts.envelope.period_us == 0
    counters = before.counters.with_decision(ruling.command.rung.value, regular=regular)
    candidate = decision.judged_by(Rung.CANDIDATE)
    refusing = {finding.rule for finding in candidate.findings if finding.refuses} if candidate is not None else set()
    if refusing:
        counters = counters.with_veto(sorted(refusing))
    if escaped(parts.envelope, ruling, before.memory.last):
        counters = replace(counters, escapes=counters.escapes + 1)
    return counters


def _compared(parts: Parts, decision: Decision, ruling: Ruling) -> Comparison:
    by_rung = {judgement.rung: judgement for judgement in ruling.judgements}
    seen = decision.observation
    return compare(
        seen.plant,
        seen.subject,
        seen.taken_at,
        by_rung.get(Rung.INCUMBENT),
        by_rung.get(Rung.CANDIDATE),
        decision.memory_before.last,
        ruling.command.rung,
        parts.deadbands,
    )


def _plain(comparison: Comparison) -> Mapping[str, Any]:
    return {
        "plant": comparison.plant,
        "subject": comparison.subject,
        "taken_at": comparison.taken_at,
        "klass": comparison.comparison_class.value,
        "channels": dict(comparison.channels),
        "flips": list(comparison.flips),
        "in_control": comparison.in_control.value,
        "version": comparison.version,
    }
