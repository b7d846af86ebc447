"""`understudy envelope prove`: every obligation of an envelope, and the certificate made of the answers."""

from collections.abc import Iterable
from dataclasses import dataclass

import z3

from safety.envelope import Envelope
from safety.kernel import kernel_digest
from safety.proof.certificate import Certificate, prover_digest
from safety.proof.obligations import OBLIGATIONS
from safety.proof.question import Answer, Obligation
from safety.proof.showing import shown


@dataclass(frozen=True, slots=True)
class Proof:
    """The answers, in the order they were asked."""

    envelope: str
    obligations: tuple[Obligation, ...]
    of: Envelope

    @property
    def holds(self) -> bool:
        return bool(self.obligations) and not any(each.fails for each in self.obligations)

    def certificate(self) -> Certificate:
        answers = {each.name: each.answer.value for each in self.obligations}
        return Certificate(self.envelope, kernel_digest(), prover_digest(), z3.get_version_string(), answers)

    def lines(self) -> Iterable[str]:
        """The proof as text: every answer with how it was come by; what failed and was warned of with its example."""
        for each in self.obligations:
            yield f"{each.answer.value} {each.name}: {each.says}" + _how(each)
            if each.fails or each.answer is Answer.WARNED:
                yield from (f"    {line}" for line in shown(each.example, self.of))
        failed = [each.name for each in self.obligations if each.fails]
        proved = sum(each.answer is Answer.PROVED for each in self.obligations)
        warned = sum(each.answer is Answer.WARNED for each in self.obligations)
        yield f"{proved} of {len(self.obligations)} obligations proved, {warned} warnings, {len(failed)} failed"
        yield from (f"failed: {name}" for name in failed)


def _how(each: Obligation) -> str:
    """What was found; and of a proof that its assumptions can hold, and with which mistake put in it is refuted."""
    found = f": {each.detail}" if each.detail else ""
    if each.answer is not Answer.PROVED:
        return found
    checks = f"; can happen; refuted with {each.seeded}" if each.seeded else ""
    return f"{found} ({each.by}{checks})"


def prove_envelope(envelope: Envelope) -> Proof:
    """Ask everything. Takes seconds."""
    return Proof(envelope.digest, tuple(each for ask in OBLIGATIONS for each in ask(envelope)), envelope)
