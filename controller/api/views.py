"""Decisions, events and acts as the API and the console show them."""

from collections.abc import Iterable, Mapping
from typing import cast

import msgspec

from controller.api.backend import IntentOutcome
from controller.api.models import (
    DecisionLine,
    DecisionView,
    EventView,
    FindingView,
    IntentView,
    JudgedView,
    ProposalView,
    SignalView,
)
from controller.ports import Event
from controller.protocol.status import number
from controller.records.decision import Decision, Judged
from controller.records.operator_queue import IntentState
from safety.values import Finding, Proposal


def line(decision: Decision) -> DecisionLine:
    """A decision in a line."""
    seen, command = decision.observation, decision.command
    return DecisionLine(
        id=decision.id,
        plant=seen.plant,
        subject=seen.subject,
        taken_at=seen.taken_at,
        rung=command.rung.value,
        assigned=decision.assignment.source.value,
        why=decision.assignment.why,
        setpoints=dict(command.setpoints),
        reason=first_reason(decision),
    )


def first_reason(decision: Decision) -> str:
    """The first refusal in words: of the assigned source, then of any other, then what removed authority."""
    ordered = sorted(decision.judged, key=lambda judged: judged.rung.value != decision.assignment.source.value)
    for judged in ordered:
        for finding in judged.findings:
            if finding.refuses:
                return f"{judged.rung.value}: {finding.detail} ({finding.rule})"
    return f"{decision.state[0].detail} ({decision.state[0].rule})" if decision.state else ""


def whole(decision: Decision) -> DecisionView:
    """One decision with everything that is stored of it."""
    seen = decision.observation
    return DecisionView(
        **line(decision).model_dump(),
        signals={
            name: SignalView(value=number(s.value), quality=s.quality.value, age_us=s.age_us)
            for name, s in decision.signals.items()
        },
        applied=None if seen.applied is None else dict(seen.applied),
        readback=None if seen.readback is None else dict(seen.readback),
        proposals=[_proposal(proposal) for proposal in decision.proposals],
        judged=[_judged(judged) for judged in decision.judged],
        chosen=_judged(decision.chosen),
        removed=[source.value for source in decision.removed],
        state=findings(decision.state),
        latches=[latch.rule for latch in decision.memory_after.latches],
        propensity=decision.assignment.propensity,
        valid_for_us=decision.command.valid_for_us,
        epoch=decision.command.epoch,
        latencies_us=dict(decision.latencies_us),
        digests={
            "policy": decision.digests.policy,
            "envelope": decision.digests.envelope,
            "kernel": decision.digests.kernel,
            "site": decision.digests.site,
        },
    )


def findings(found: Iterable[Finding]) -> list[FindingView]:
    """Findings in the order they were recorded."""
    return [
        FindingView(
            rule=f.rule,
            tier=f.tier.name,
            outcome=f.outcome.value,
            margin=number(f.margin),
            about=f.about,
            detail=f.detail,
        )
        for f in found
    ]


def finite(setpoints: Mapping[str, float]) -> dict[str, float | None]:
    """Setpoints with null for what is not a finite number."""
    return {name: number(value) for name, value in setpoints.items()}


def event(place: int, happened: Event) -> EventView:
    """An event with its place in the order."""
    return EventView(
        number=place,
        id=happened.id,
        at=happened.at,
        kind=happened.kind,
        actor=happened.actor,
        text=happened.text,
        detail=msgspec.to_builtins(happened.detail),
    )


def intent(state: IntentState) -> IntentView:
    """An act and its outcome."""
    act = state.intent
    return IntentView(
        id=act.id,
        plant=act.plant,
        kind=act.kind,
        payload=dict(act.payload),
        actor=act.actor,
        role=act.role,
        expected_version=act.expected_version,
        created_us=act.created_us,
        outcome=cast(IntentOutcome, state.outcome),
        detail=state.detail,
        version=state.version,
    )


def _proposal(proposal: Proposal) -> ProposalView:
    return ProposalView(
        source=proposal.source.value,
        status=proposal.status.value,
        targets=finite(proposal.targets),
        detail=proposal.detail,
    )


def _judged(judged: Judged) -> JudgedView:
    return JudgedView(
        rung=judged.rung.value,
        accepted=judged.accepted,
        first_out=judged.first_out,
        findings=findings(judged.findings),
        waiting=list(judged.waiting),
    )
