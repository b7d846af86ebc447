"""`understudy envelope prove`: every obligation of an envelope, and the certificate made of the answers."""

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context

import z3

from safety.envelope import Envelope
from safety.kernel import kernel_digest
from safety.proof.certificate import Certificate, prover_digest
from safety.proof.counterexample_text import shown, shown_exactly
from safety.proof.obligations import OBLIGATIONS
from safety.proof.solver import QF_FP, Answer, Obligation


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
                lines = shown_exactly(each.example) if each.by == QF_FP else shown(each.example, self.of)
                yield from (f"    {line}" for line in lines)
        failed = [each.name for each in self.obligations if each.fails]
        proved = sum(each.answer is Answer.PROVED for each in self.obligations)
        warned, computed = (
            sum(each.answer is answer for each in self.obligations) for answer in (Answer.WARNED, Answer.COMPUTED)
        )
        yield (
            f"{len(self.obligations)} obligations: {proved} proved, {computed} computed, {warned} warned of, "
            f"{len(failed)} failed"
        )
        yield from (f"failed: {name}" for name in failed)


def _how(each: Obligation) -> str:
    """The finding; of a proof also that its assumptions can hold, and with which seeded mistake it is refuted."""
    found = f": {each.detail}" if each.detail else ""
    if each.answer is not Answer.PROVED:
        return found
    checks = f"; can happen; refuted with {each.seeded}" if each.seeded else ""
    return f"{found} ({each.by}{checks})"


def prove_envelope(envelope: Envelope, processes: int = 1) -> Proof:
    """Ask everything, which takes seconds; in several processes if wished. The answers and their order are the same."""
    parts = range(len(OBLIGATIONS))
    if processes == 1:
        answers = [_part(envelope, part) for part in parts]
    else:
        # Spawned, not forked: a new process starts with a z3 that has not been used.
        with ProcessPoolExecutor(min(processes, len(parts)), get_context("spawn")) as pool:
            answers = list(pool.map(_part, repeat(envelope), parts))
    return Proof(envelope.digest, tuple(each for part in answers for each in part), envelope)


def _part(envelope: Envelope, part: int) -> tuple[Obligation, ...]:
    return tuple(OBLIGATIONS[part](envelope))
