"""Judge a stored decision again: its ids and values must come out the same to the last bit. Wording is not compared."""

from dataclasses import dataclass, replace

from controller.ports import Candidate
from controller.records.codec import canonical, decode, encode, ruled_values, ruling_digest
from controller.records.decision import Decision, Judged, proposers_view, redecide
from safety.decide import situation
from safety.envelope import Envelope, permitted
from safety.values import Ruling, Source, Status

TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class Replay:
    """The outcome of judging a decision again. `differences` is empty when everything agrees; `notes` say how far that goes."""

    decision: Decision
    ruling: Ruling
    differences: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        return not self.differences


def replay(decision: Decision, envelope: Envelope, kernel_digest: str) -> Replay:
    """Re-judge from the stored proposals, and name everything that differs.

    Another kernel is a note: its files may have been moved or its messages reworded, and what it decides is compared here.
    """
    ruling = redecide(decision, envelope)
    differences, notes = [], []
    if envelope.digest != decision.digests.envelope:
        differences.append(
            f"envelope {envelope.digest[:12]} is not the {decision.digests.envelope[:12]} it was judged by"
        )
    if kernel_digest != decision.digests.kernel:
        notes.append(f"kernel {kernel_digest[:12]} is not the {decision.digests.kernel[:12]} that judged it")
    if decision.version == 1:
        notes.append("record version 1: margins of rules that passed are not compared")
    differences += ruled_differently(decision, ruling)
    return Replay(decision, ruling, tuple(differences), tuple(notes))


def ruled_differently(decision: Decision, ruling: Ruling) -> tuple[str, ...]:
    """Every recorded id or value of a decision's ruling that this ruling has otherwise, with both."""
    again = replace(
        decision,
        command=ruling.command,
        judged=tuple(Judged.of(judgement) for judgement in ruling.judgements),
        chosen=Judged.of(ruling.chosen),
        removed=ruling.removed,
        state=ruling.state,
        memory_after=ruling.memory,
        ruling_digest=ruling_digest(ruling),
    )
    # Through a record, so that both sides have had their numbers made floats.
    stored, now = ruled_values(decision), ruled_values(decode(encode(again)))
    return tuple(
        f"{name}: stored {_short(stored.get(name))}, now {_short(now.get(name))}"
        for name in {**stored, **now}
        if canonical(stored.get(name)) != canonical(now.get(name))
    )


def reinfer(decision: Decision, envelope: Envelope, candidate: Candidate) -> tuple[str, ...]:
    """Ask the policy again; name every target that is further away than 1e-5 of its magnitude (at least 1)."""
    if candidate.digest != decision.digests.policy:
        return (f"bundle {candidate.digest[:12]} is not the {decision.digests.policy[:12]} that proposed",)
    stored = next((p for p in decision.proposals if p.source is Source.CANDIDATE), None)
    if stored is None or stored.status is not Status.OK:
        return ()
    seen = proposers_view(decision, envelope)
    now = situation(seen, decision.memory_before, envelope)
    seen = replace(seen, permitted=permitted(envelope, now))
    again = candidate.propose([seen])[0]
    if again.status is not Status.OK:
        return (f"the policy now answers `{again.status}`: {again.detail}",)
    return tuple(
        f"`{name}`: stored {value!r}, now {again.targets[name]!r}"
        for name, value in stored.targets.items()
        if not abs(again.targets[name] - value) <= TOLERANCE * max(1.0, abs(value))
    )


def _short(value: object) -> str:
    return repr(value)[:200]
