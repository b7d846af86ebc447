"""One question to z3, and what is made of the answer. `unknown` is a failure, never a pass.

Every proof is asked twice more: are its assumptions satisfiable at all (or anything would follow from them), and does a
version with a known mistake in it fail (or the proof could not have found one).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import z3

# Steps of the solver, not seconds: a busy machine must not change what is proved.
_STEPS = 20_000_000


class Answer(StrEnum):
    PROVED = "proved"
    REFUTED = "refuted"
    UNKNOWN = "unknown"
    WARNED = "warned"
    COMPUTED = "computed"


@dataclass(frozen=True, slots=True)
class Obligation:
    """One thing that must hold: its sentence, the answer, and an example in engineering units where it does not."""

    name: str
    says: str
    answer: Answer
    detail: str = ""
    example: Mapping[str, float | bool] = field(default_factory=dict)

    @property
    def fails(self) -> bool:
        return self.answer in (Answer.REFUTED, Answer.UNKNOWN)


def prove(name: str, says: str, assumed: Sequence[z3.BoolRef], claim: z3.BoolRef, mistaken: z3.BoolRef) -> Obligation:
    """Whether `claim` follows from what is assumed. `mistaken` is the claim with a seeded mistake; it must not follow."""
    vacuous, _ = ask(assumed)
    if vacuous != z3.sat:
        return Obligation(name, says, Answer.REFUTED, f"its assumptions are {vacuous}: anything would follow from them")
    result, example = ask([*assumed, z3.Not(claim)])
    if result == z3.sat:
        return Obligation(name, says, Answer.REFUTED, "there is a counterexample", example)
    if result != z3.unsat:
        return Obligation(name, says, Answer.UNKNOWN, f"z3 did not decide it within {_STEPS} of its steps")
    seeded, _ = ask([*assumed, z3.Not(mistaken)])
    if seeded != z3.sat:
        return Obligation(name, says, Answer.REFUTED, "a seeded mistake was not found: the proof says nothing")
    return Obligation(name, says, Answer.PROVED)


def ask(facts: Sequence[z3.BoolRef]) -> tuple[z3.CheckSatResult, dict[str, float | bool]]:
    """Whether the facts can hold together, and an example if they can."""
    solver = z3.Solver()
    solver.set("rlimit", _STEPS)
    solver.add(*facts)
    result = solver.check()
    return result, _example(solver.model()) if result == z3.sat else {}


def _example(model: z3.ModelRef) -> dict[str, float | bool]:
    found: dict[str, float | bool] = {}
    for symbol in model.decls():
        value = model[symbol]
        if z3.is_bool(value):
            found[symbol.name()] = z3.is_true(value)
        elif z3.is_rational_value(value) or z3.is_int_value(value):
            found[symbol.name()] = float(value.as_fraction())
        elif z3.is_algebraic_value(value):
            found[symbol.name()] = float(value.approx(20).as_fraction())
    return dict(sorted(found.items()))
