"""From a decision and the outcome of the interval before it to one tick of evidence."""

from controller.loop.checkpoint import LoopState
from controller.loop.parts import Observed
from controller.records.decision import Decision
from safety.values import Judgement, Proposal, Ruling, Rung, Source, Status, Tier
from shadow.evidence import TickEvidence

HARD_VETO, ENVELOPE_TRIP, AUDIT_FAILURE = "hard_veto", "envelope_trip", "audit_failure"
STATUS = {
    Status.OK: "ok",
    Status.LATE: "late",
    Status.FAILED: "failed",
    Status.OVER_MEMORY: "failed",
    Status.NOT_FINITE: "nan",
    Status.WRONG_SHAPE: "shape",
    Status.ABSENT: "absent",
}


def evidence_of(observed: Observed, decision: Decision, ruling: Ruling) -> TickEvidence:
    """The tick of evidence. The assignment is the drawn one even where an operator overrode it: intention to treat."""
    before, drawn, outcome = observed.before, observed.drawn, observed.outcome
    proposal = next(p for p in decision.proposals if p.source is Source.CANDIDATE)
    judgement = next(j for j in ruling.judgements if j.rung is Rung.CANDIDATE)
    refused = proposal.status is Status.OK and not judgement.verdict.accepted
    hard = HARD_VETO in before.causes or (refused and _hard(judgement))
    return TickEvidence(
        at_us=decision.observation.taken_at,
        stage=drawn.stage,
        block=drawn.block,
        assigned=drawn.who,
        in_control=ruling.command.rung.value,
        candidate_status=STATUS[proposal.status],
        candidate_refused=refused,
        hard_veto=hard and drawn.who == "candidate",
        cost=outcome.cost,
        covariates=tuple(outcome.covariates.values()),
        guards=outcome.guards,
        breach_s=outcome.breach_s,
        entry=drawn.entry,
        group=drawn.group,
        share=drawn.share,
        targets=tuple(proposal.targets.values()),
        causes=_causes(before, ruling, proposal),
    )


def _causes(before: LoopState, ruling: Ruling, proposal: Proposal) -> tuple[str, ...]:
    """Return the causes from outside the proposal's verdict.

    They are those found since the last tick, an envelope's latch while it is set, and `memory_over_limit` for a child killed
    for its memory, which has a breaker of its own beside `candidate_failed`.
    """
    found = [cause for cause in before.causes if cause != HARD_VETO]
    if ruling.memory.latches:
        found.append(ENVELOPE_TRIP)
    if proposal.status is Status.OVER_MEMORY:
        found.append("memory_over_limit")
    return tuple(found)


def _hard(judgement: Judgement) -> bool:
    """Whether a tier that protects equipment or people refused."""
    return any(f.refuses and f.tier in (Tier.T1, Tier.T2) for f in judgement.verdict.findings)
