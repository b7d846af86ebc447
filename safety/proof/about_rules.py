"""What is proved of the rules as a set: last resorts keep them, none contradicts the others, none is dead."""

from collections.abc import Iterator, Mapping, Sequence

import z3

from safety.envelope import Envelope
from safety.proof.replay import refused_by, situation_of, vector_of
from safety.proof.solver import EXACT, Answer, Example, Ground, Obligation, Seeded, prove
from safety.proof.symbolic_rules import World, in_range, number, satisfied, vector, world
from safety.rules.base import CommandRule, FailSafe
from safety.rules.command_rules import Bound
from safety.values import Tier

_PROPOSED = "proposed"


def last_resorts_stand(envelope: Envelope) -> Iterator[Obligation]:
    """Every fail-safe vector keeps all of T1 and T2 over the whole declared domain, also where signals are unknown.

    Over the whole domain and not only while its `when` holds: once chosen, an entry is kept.
    """
    at = world(envelope)
    ground = Ground(at.assumed)
    for entry in envelope.failsafe:
        if entry.vector is not None:
            for rule in _limits(envelope):
                yield _stands(entry, rule, at, ground, envelope)


def _stands(entry: FailSafe, rule: CommandRule, at: World, ground: Ground, envelope: Envelope) -> Obligation:
    assert entry.vector is not None
    sent = entry.vector
    constant = {name: number(value) for name, value in sent.items()}
    says = f"fail-safe `{entry.id}` keeps rule `{rule.id}` whatever is measured or not measured"
    anywhere = vector(envelope, _PROPOSED)
    seeded = Seeded("a vector that could be anything", satisfied(rule, anywhere, at))

    def replay(example: Example) -> str | None:
        return refused_by(rule, sent, situation_of(example, envelope))

    claim = satisfied(rule, constant, at)
    return prove(f"failsafe/{entry.id}/{rule.id}", says, ground, claim, seeded, replay=replay)


def rules_are_neither_dead_nor_contradictory(envelope: Envelope) -> Iterator[Obligation]:
    """Some command is permitted; each rule refuses something; a rule that others always forestall is warned of.

    These are answered by an example, and the example is judged by the kernel: that is what keeps them from being vacuous.
    """
    at, proposed = world(envelope), vector(envelope, _PROPOSED)
    possible = [*at.assumed, *in_range(envelope, proposed), *in_range(envelope, at.reference)]
    formulas = {rule.id: satisfied(rule, proposed, at) for rule in envelope.command_rules}
    yield _consistent(envelope, possible, formulas)
    ground = _switched(possible, formulas)
    for rule in envelope.command_rules:
        found = _alive(rule, formulas, ground, envelope)
        yield found
        if found.answer is Answer.PROVED:
            others = [z3.Bool(_switch(name)) for name in formulas if name != rule.id]
            if ground.ask(*others, z3.Not(formulas[rule.id]))[0] == z3.unsat:
                says = f"rule `{rule.id}` is never the only one to refuse"
                why = "other rules always refuse with it; it is kept, and tells the operator one more reason"
                yield Obligation(f"shadowed/{rule.id}", says, Answer.WARNED, why, by=EXACT)


def _switched(possible: Sequence[z3.BoolRef], formulas: Mapping[str, z3.BoolRef]) -> Ground:
    """Every rule behind a switch of its own, so that the solver reads them once."""
    switched = [z3.Implies(z3.Bool(_switch(name)), formula) for name, formula in formulas.items()]
    return Ground([*possible, *switched])


def _switch(name: str) -> str:
    return f"asks.{name}"


def _consistent(envelope: Envelope, possible: Sequence[z3.BoolRef], formulas: Mapping[str, z3.BoolRef]) -> Obligation:
    says = "some command satisfies all rules together"
    ground = Ground([*possible, *formulas.values()])
    together, example = ground.ask()
    if together != z3.sat:
        answer = Answer.REFUTED if together == z3.unsat else Answer.UNKNOWN
        why = f"no command satisfies {culprits(possible, formulas)} together: one of them has to give way"
        return Obligation("consistent", says, answer, why, by=EXACT)
    refused = _refusals(example, envelope)
    if refused:  # on an edge that floats round away
        example, kept = ground.reproduced(lambda found: None if _refusals(found, envelope) else "kept")
        refused = [] if kept else _refusals(example, envelope)
    if refused:
        why = f"the kernel refuses the example ({refused[0]}): report a fault of the prover"
        return Obligation("consistent", says, Answer.UNKNOWN, why, example, EXACT)
    if any(ground.ask(z3.Not(formula))[0] != z3.unsat for formula in list(formulas.values())[:1]):
        return Obligation("consistent", says, Answer.REFUTED, "a contradiction put in was not found", by=EXACT)
    return Obligation("consistent", says, Answer.PROVED, by=EXACT, seeded="a rule set with a rule and its opposite")


def _alive(rule: CommandRule, formulas: Mapping[str, z3.BoolRef], ground: Ground, envelope: Envelope) -> Obligation:
    name, says = f"alive/{rule.id}", f"rule `{rule.id}` can refuse something"
    result, example = ground.ask(z3.Not(formulas[rule.id]))
    if result == z3.sat:
        detail = _refused(rule, example, envelope)
        if detail is None:  # on an edge that floats round away
            example, detail = ground.reproduced(
                lambda found: _refused(rule, found, envelope), z3.Not(formulas[rule.id])
            )
        if detail is None:
            why = "the kernel does not refuse the example: report a fault of the prover"
            return Obligation(name, says, Answer.UNKNOWN, why, example, EXACT)
        return Obligation(
            name, says, Answer.PROVED, f"for example {detail}", by=EXACT, seeded="a rule that is always kept"
        )
    discrete = {spec.name for spec in envelope.setpoints if spec.values is not None}
    if result == z3.unsat and isinstance(rule, Bound) and rule.setpoint in discrete:
        why = "every value of the setpoint is inside; it is kept because every setpoint has a bound"
        return Obligation(name, says, Answer.WARNED, why, by=EXACT)
    answer = Answer.REFUTED if result == z3.unsat else Answer.UNKNOWN
    why = "nothing in the declared domain breaks it: widen the domain, tighten the rule, or drop it"
    return Obligation(name, says, answer, why, by=EXACT)


def _refusals(example: Example, envelope: Envelope) -> list[str]:
    """The kernel's refusals of an example that every formula accepts."""
    return [detail for rule in envelope.command_rules if (detail := _refused(rule, example, envelope)) is not None]


def _refused(rule: CommandRule, example: Example, envelope: Envelope) -> str | None:
    return refused_by(rule, vector_of(example, _PROPOSED, envelope), situation_of(example, envelope))


def culprits(possible: Sequence[z3.BoolRef], formulas: Mapping[str, z3.BoolRef]) -> str:
    """The names of rules that cannot be satisfied together, as few as z3 finds."""
    solver = z3.Solver()
    solver.set("core.minimize", True)
    solver.add(*possible)
    for name, formula in formulas.items():
        solver.assert_and_track(formula, name)
    solver.check()
    return " and ".join(f"`{name}`" for name in sorted(map(str, solver.unsat_core())))


def _limits(envelope: Envelope) -> list[CommandRule]:
    return [rule for rule in envelope.command_rules if rule.tier <= Tier.T2 and not rule.step_only]
