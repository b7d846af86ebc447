"""Judge a stored decision again: verdict and command must come out the same to the last bit."""

from dataclasses import dataclass, replace

from controller.ports import Candidate
from controller.records.codec import ruling_digest
from controller.records.decision import Decision, proposers_view, redecide
from safety.decide import situation
from safety.envelope import Envelope, permitted
from safety.values import Ruling, Source, Status

TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of judging a decision again. `differences` is empty when everything agrees."""

    decision: Decision
    ruling: Ruling
    differences: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        return not self.differences


def replay(decision: Decision, envelope: Envelope, kernel_digest: str) -> Replay:
    """Re-judge from the stored proposals, and name everything that differs."""
    ruling = redecide(decision, envelope)
    differences = []
    if envelope.digest != decision.digests.envelope:
        differences.append(
            f"envelope {envelope.digest[:12]} is not the {decision.digests.envelope[:12]} it was judged by"
        )
    if kernel_digest != decision.digests.kernel:
        differences.append(f"kernel {kernel_digest[:12]} is not the {decision.digests.kernel[:12]} that judged it")
    if ruling.command != decision.command:
        differences.append(f"command: stored {_short(decision.command)}, now {_short(ruling.command)}")
    if ruling_digest(ruling) != decision.ruling_digest:
        differences.append("ruling: verdict, margins or memory differ from those recorded")
    if ruling.memory != decision.memory_after:
        differences.append("memory after the decision differs")
    return Replay(decision, ruling, tuple(differences))


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


def _short(command: object) -> str:
    return repr(command)[:200]
