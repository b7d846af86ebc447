"""One question to z3, and what is made of the answer. `unknown` is a failure, never a pass.

Every proof asks z3 twice more. Are its assumptions satisfiable at all? Otherwise anything would follow from them. Is it
refuted when a known mistake is put in? Otherwise the proof could not have found one. A counterexample is given to the code that
runs the plant; one that does not show the same there is a fault of the prover, and fails as such.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from math import ceil, floor

import z3

# Steps of the solver, not seconds: a busy machine must not change what is proved.
STEPS = 20_000_000

Example = Mapping[str, float | bool]
# What the production code says of an example, in words; None where it does not show the fault.
Replay = Callable[[Example], str | None]

# Round numbers first; all of them are floats.
_GRAINS = (1, 8, 1024)
_ROUNDINGS: tuple[Callable[[Fraction], int], ...] = (round, floor, ceil)
_USUALLY_TRUE = "known."

EXACT = "exact numbers"
QF_FP = "QF_FP, 64-bit floats"
ANALYTIC = "analytic"


class Answer(StrEnum):
    PROVED = "proved"
    REFUTED = "refuted"
    UNKNOWN = "unknown"
    WARNED = "warned"
    COMPUTED = "computed"


@dataclass(frozen=True, slots=True)
class Obligation:
    """One thing that must hold: its sentence, the answer, and an example in engineering units where it does not.

    `by` is the theory it was decided in; `seeded` the known mistake with which it was refuted, as it must be.
    """

    name: str
    says: str
    answer: Answer
    detail: str = ""
    example: Example = field(default_factory=dict)
    by: str = ""
    seeded: str = ""

    @property
    def fails(self) -> bool:
        return self.answer in (Answer.REFUTED, Answer.UNKNOWN)


class Ground:
    """Facts that several questions start from. The solver keeps them, and whether they can hold at all is asked once."""

    def __init__(self, facts: Sequence[z3.BoolRef]) -> None:
        self._facts = tuple(facts)
        self._solver = z3.Solver()
        self._solver.set("rlimit", STEPS)
        self._solver.add(*facts)
        self._possible: z3.CheckSatResult | None = None

    def possible(self) -> z3.CheckSatResult:
        """Whether the facts can hold together."""
        if self._possible is None:
            self._possible = self._solver.check()
        return self._possible

    def ask(self, *more: z3.BoolRef) -> tuple[z3.CheckSatResult, dict[str, float | bool]]:
        """Whether the facts and some more can hold together, and an example if they can."""
        self._solver.push()
        self._solver.add(*more)
        result = self._solver.check()
        example = example_of(self._solver.model()) if result == z3.sat else {}
        self._solver.pop()
        return result, example

    def examples(self, *more: z3.BoolRef) -> Iterator[dict[str, float | bool]]:
        """Plain examples, of what can hold: nothing unusual in them that need not be, and round numbers as far as they go.

        The same every time: z3's answers depend on all it was asked before, so these are found in a context of their own.
        Several, because the first may lie on an edge that floats round away.
        """
        for rounding in _ROUNDINGS:
            solver = z3.Solver(ctx=z3.Context())
            solver.set("rlimit", STEPS)
            solver.add(*(fact.translate(solver.ctx) for fact in (*self._facts, *more)))
            if solver.check() != z3.sat:
                return
            _make_plain(solver, rounding)
            yield example_of(solver.model())

    def reproduced(self, shows: Replay, *more: z3.BoolRef) -> tuple[dict[str, float | bool], str | None]:
        """The first example of which the production code tells something, and that; the first of all where it never does."""
        found: list[dict[str, float | bool]] = []
        for example in self.examples(*more):
            detail = shows(example)
            if detail is not None:
                return example, detail
            found.append(example)
        return (found[0] if found else {}), None


def _make_plain(solver: z3.Solver, rounding: Callable[[Fraction], int]) -> None:
    """Fix as many symbols as possible at what an operator would call usual, then as many as possible at round numbers.

    Takes a solver with a model, and leaves it with one.
    """
    _fix_as_many(solver, [symbol == _usual(symbol) for symbol, value in _numbers(solver) if z3.is_bool(value)])
    for grain in _GRAINS:
        exact = [(symbol, value) for symbol, value in _numbers(solver) if z3.is_rational_value(value)]
        _fix_as_many(solver, [symbol == _near(value, grain, rounding) for symbol, value in exact])


def _numbers(solver: z3.Solver) -> list[tuple[z3.ExprRef, z3.ExprRef]]:
    """The symbols of a solver's model with their values, by name."""
    model = solver.model()
    return [(symbol(), model[symbol]) for symbol in sorted(model.decls(), key=lambda each: str(each.name()))]


def _usual(symbol: z3.ExprRef) -> z3.BoolRef:
    return z3.BoolVal(str(symbol).startswith(_USUALLY_TRUE), symbol.ctx)


def _near(value: z3.RatNumRef, grain: int, rounding: Callable[[Fraction], int]) -> z3.RatNumRef:
    return z3.RealVal(str(Fraction(rounding(value.as_fraction() * grain), grain)), value.ctx)


def _fix_as_many(solver: z3.Solver, wanted: Sequence[z3.BoolRef]) -> None:
    """Add the wanted facts that can be: of facts that contradict each other the last goes first."""
    switches = {z3.Bool(f"wanted.{at}", solver.ctx): fact for at, fact in enumerate(wanted)}
    solver.push()
    solver.add(*(z3.Implies(switch, fact) for switch, fact in switches.items()))
    while switches and solver.check(*switches) == z3.unsat:
        culprits = {str(each) for each in solver.unsat_core()}
        del switches[[switch for switch in switches if str(switch) in culprits][-1]]
    solver.pop()
    solver.add(*switches.values())
    solver.check()


class FloatGround(Ground):
    """Facts about floats: every question is put afresh, for z3 decides them by bits, and not one on top of the other.
    In a context of its own, so that an example is the same every time."""

    def __init__(self, facts: Sequence[z3.BoolRef]) -> None:
        super().__init__([])
        self._facts = tuple(facts)

    def possible(self) -> z3.CheckSatResult:
        return self.ask()[0]

    def ask(self, *more: z3.BoolRef) -> tuple[z3.CheckSatResult, dict[str, float | bool]]:
        solver = z3.SolverFor("QF_BVFP", ctx=z3.Context())
        solver.set("rlimit", STEPS)
        solver.add(*(fact.translate(solver.ctx) for fact in (*self._facts, *more)))
        result = solver.check()
        return result, example_of(solver.model()) if result == z3.sat else {}


Facts = Ground | Sequence[z3.BoolRef]


@dataclass(frozen=True, slots=True)
class Seeded:
    """A known mistake: what it is, and the claim (and the facts, where the mistake is in them) as it would have it."""

    says: str
    claim: z3.BoolRef
    assumed: Facts | None = None


def prove(
    name: str,
    says: str,
    assumed: Facts,
    claim: z3.BoolRef,
    seeded: Seeded,
    *,
    replay: Replay | None = None,
    by: str = EXACT,
) -> Obligation:
    """Whether `claim` follows from what is assumed; `replay` judges a counterexample by the code that runs the plant."""
    ground = _ground(assumed, by)
    vacuous = ground.possible()
    if vacuous != z3.sat:
        why = f"its assumptions are {vacuous}: anything would follow from them"
        return Obligation(name, says, Answer.REFUTED if vacuous == z3.unsat else Answer.UNKNOWN, why, by=by)
    result, example = ground.ask(z3.Not(claim))
    if result == z3.sat:
        shows = replay or (lambda _: "there is a counterexample")
        if by == EXACT:  # a plainer one, that stays what it is in floats
            example, detail = ground.reproduced(shows, z3.Not(claim))
        else:
            detail = shows(example)
        found = _refuted(Obligation(name, says, Answer.REFUTED, example=example, by=by), detail)
        return replace(found, example=narrowed(example, symbols_of(claim)))
    if result != z3.unsat:
        return Obligation(name, says, Answer.UNKNOWN, f"z3 did not decide it within {STEPS} of its steps", by=by)
    other, _ = (ground if seeded.assumed is None else _ground(seeded.assumed, by)).ask(z3.Not(seeded.claim))
    if other != z3.sat:
        why = f"a seeded mistake was not found ({seeded.says}): the proof says nothing"
        return Obligation(name, says, Answer.REFUTED, why, by=by)
    return Obligation(name, says, Answer.PROVED, by=by, seeded=seeded.says)


def _ground(facts: Facts, by: str) -> Ground:
    if isinstance(facts, Ground):
        return facts
    return FloatGround(facts) if by == QF_FP else Ground(facts)


def _refuted(found: Obligation, detail: str | None) -> Obligation:
    """The obligation with what the production code says of its counterexample."""
    if detail is None:
        why = "the counterexample does not reproduce in the code that runs the plant: report a fault of the prover"
        return replace(found, answer=Answer.UNKNOWN, detail=why)
    return replace(found, detail=detail)


def symbols_of(formula: z3.ExprRef) -> set[str]:
    """The names of the free symbols of a formula."""
    found: set[str] = set()
    seen: set[int] = set()
    stack = [formula]
    while stack:
        node = stack.pop()
        if node.get_id() not in seen:
            seen.add(node.get_id())
            stack += node.children()
            if z3.is_const(node) and node.decl().kind() == z3.Z3_OP_UNINTERPRETED:
                found.add(node.decl().name())
    return found


def narrowed(example: Example, names: set[str]) -> dict[str, float | bool]:
    """As much of an example as is looked at."""
    return {name: value for name, value in example.items() if name in names}


def example_of(model: z3.ModelRef) -> dict[str, float | bool]:
    """The numbers of a model by name. Exact ones become the nearest floats."""
    found: dict[str, float | bool] = {}
    for symbol in model.decls():
        value = model[symbol]
        if z3.is_bool(value):
            found[symbol.name()] = z3.is_true(value)
        elif z3.is_int_value(value):
            found[symbol.name()] = float(value.as_long())
        elif z3.is_rational_value(value):
            found[symbol.name()] = float(value.as_fraction())
        elif z3.is_algebraic_value(value):
            found[symbol.name()] = float(value.approx(20).as_fraction())
        elif z3.is_fp_value(value):
            found[symbol.name()] = _float_of(value)
    return dict(sorted(found.items()))


def _float_of(value: z3.FPNumRef) -> float:
    if value.isNaN():
        return float("nan")
    if value.isInf():
        return float("-inf") if value.isNegative() else float("inf")
    return float(z3.simplify(z3.fpToReal(value, ctx=value.ctx)).as_fraction())
