"""`understudy envelope prove`: every obligation of an envelope, and the certificate made of the answers."""

from collections.abc import Iterable
from dataclasses import dataclass

import z3

from safety.envelope import Envelope
from safety.kernel import kernel_digest
from safety.proof.certificate import Certificate, prover_digest
from safety.proof.obligations import OBLIGATIONS
from safety.proof.question import Answer, Obligation


@dataclass(frozen=True, slots=True)
class Proof:
    """The answers, in the order they were asked."""

    envelope: str
    obligations: tuple[Obligation, ...]

    @property
    def holds(self) -> bool:
        return bool(self.obligations) and not any(each.fails for each in self.obligations)

    def certificate(self) -> Certificate:
        answers = {each.name: each.answer.value for each in self.obligations}
        return Certificate(self.envelope, kernel_digest(), prover_digest(), z3.get_version_string(), answers)

    def lines(self) -> Iterable[str]:
        """The proof as text: what failed in full, warnings, and how much was proved."""
        for each in self.obligations:
            if each.fails or each.answer in (Answer.WARNED, Answer.COMPUTED):
                yield f"{each.answer.value}: {each.says}" + (f": {each.detail}" if each.detail else "")
                if each.fails:
                    yield from (f"    {name} = {value:g}" for name, value in each.example.items())
        proved = sum(each.answer is Answer.PROVED for each in self.obligations)
        yield f"{proved} of {len(self.obligations)} obligations proved"


def prove_envelope(envelope: Envelope) -> Proof:
    """Ask everything. Takes seconds."""
    return Proof(envelope.digest, tuple(each for ask in OBLIGATIONS for each in ask(envelope)))
