"""Why a decision came out as it did: the ladder in plain words, and every rule's margin, made again from the record."""

from collections.abc import Iterator

from controller.api.models import ExplainedProposal, Explanation, MarginView
from controller.api.views import finite, whole
from controller.protocol.status import number
from controller.records.decision import Decision, redecide
from controller.records.replay import ruled_differently
from safety.envelope import Envelope
from safety.rules.base import Rule
from safety.values import Judgement, Rung, Status

LAST = {
    Rung.HOLD: "No source could act, so the last command was held.",
    Rung.FAILSAFE: "No source could act and the last command could not be held, so a fail-safe was commanded.",
    Rung.RELINQUISH: "Nothing could be commanded, so the plant was left to its own local system.",
}


def explain(decision: Decision, envelope: Envelope | None) -> Explanation:
    """The explanation; without the envelope the recorded reasons stand alone, and that is said."""
    if envelope is None or envelope.digest != decision.digests.envelope:
        note = f"envelope `{decision.digests.envelope[:12]}` is not held here: recorded reasons only, no margins"
        return Explanation(
            decision=whole(decision),
            story=list(story(decision)),
            replayed=False,
            identical=None,
            note=note,
            judgements=[],
        )
    ruling = redecide(decision, envelope)
    differences = ruled_differently(decision, ruling)
    judged = [*ruling.judgements, *([] if ruling.chosen in ruling.judgements else [ruling.chosen])]
    return Explanation(
        decision=whole(decision),
        story=list(story(decision)),
        replayed=True,
        identical=not differences,
        note=f"made again it differs from the record: {'; '.join(differences)}" if differences else "",
        judgements=[_explained(judgement, envelope) for judgement in judged],
    )


def story(decision: Decision) -> Iterator[str]:
    """The ladder from the top, a sentence each."""
    assigned = decision.assignment
    yield f"This tick was assigned to the {assigned.source.value}: {assigned.why or 'no reason was given'}."
    for proposal in decision.proposals:
        if proposal.status is not Status.OK:
            yield f"The {proposal.source.value} gave no usable answer ({proposal.status.value}) {proposal.detail}".rstrip()
    for finding in decision.state:
        yield f"{finding.rule}: {finding.detail}."
    for latch in decision.memory_after.latches:
        yield f"{latch.rule} is latched, first by: {latch.first_out.detail}; the candidate is out until an operator resets it."
    if decision.without:
        held = ", ".join(source.value for source in decision.without)
        yield f"Kept out of this decision by guard, STOP, a breach or a failing record: {held}."
    if decision.removed:
        yield f"Without authority: {', '.join(source.value for source in decision.removed)}."
    for judged in decision.judged:
        # Target and step are judged apart and often refused in the same words.
        refused = dict.fromkeys(f"{f.detail} ({f.rule})" for f in judged.findings if f.refuses)
        yield f"The {judged.rung.value} was " + (f"refused: {'; '.join(refused)}." if refused else "accepted.")
    rung = decision.command.rung
    yield LAST.get(rung, f"The {rung.value} was in control.")


def _explained(judgement: Judgement, envelope: Envelope) -> ExplainedProposal:
    rules = {rule.id: rule for rule in envelope.rules}
    return ExplainedProposal(
        rung=judgement.rung.value,
        target=finite(judgement.target),
        step=finite(judgement.step),
        accepted=judgement.verdict.accepted,
        first_out=judgement.verdict.first_out,
        margins=[_margin(name, margin, rules.get(name)) for name, margin in sorted(judgement.verdict.margins.items())],
    )


def _margin(name: str, margin: float, rule: Rule | None) -> MarginView:
    if rule is None:  # the kernel's own T0 checks are not among the envelope's rules
        return MarginView(rule=name, tier="T0", margin=number(margin), unit="", hazard="", basis="")
    return MarginView(
        rule=name, tier=rule.tier.name, margin=number(margin), unit=rule.unit, hazard=rule.hazard, basis=rule.basis
    )
