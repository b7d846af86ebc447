"""Rules as formulas over exact numbers: what z3 is asked about. A margin >= 0 becomes a truth value.

Constants are the exact fractions the floats stand for. A signal is a number and whether it is known; nothing is assumed
of an unknown one. Money is integer. What is not linear in these does not occur: the rule kinds cannot say it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import inf

import z3

from safety.command_rules import Bound, Dwell, Interlock, Permissive, RateWindow, Relation, Slew, TrustRegion
from safety.conditions import AllOf, AnyOf, Comparison, Condition, Linear, Not
from safety.envelope import Envelope
from safety.money_rules import Budget, SpendRate
from safety.rules import US_PER_S, CommandRule, FailSafe

Vector = Mapping[str, z3.ArithRef]


@dataclass(frozen=True, slots=True)
class World:
    """One situation in symbols: signals with `known` flags, the last command, the incumbent's step, time, and timers."""

    signals: Mapping[str, z3.ArithRef]
    known: Mapping[str, z3.BoolRef]
    last: Vector
    reference: Vector
    dt_s: z3.ArithRef
    timers: Mapping[str, tuple[z3.ArithRef, ...]]
    assumed: tuple[z3.BoolRef, ...] = field(default=())


def number(value: float) -> z3.ArithRef:
    """The exact number a float stands for; 0.1 is not one tenth."""
    return z3.RealVal(str(Fraction(value)))


def vector(envelope: Envelope, prefix: str) -> Vector:
    return {spec.name: z3.Real(f"{prefix}.{spec.name}") for spec in envelope.setpoints}


def in_range(envelope: Envelope, proposed: Vector) -> list[z3.BoolRef]:
    """T0: within the physical range, and one of the values of a discrete setpoint."""
    facts: list[z3.BoolRef] = []
    for spec in envelope.setpoints:
        value = proposed[spec.name]
        facts += [value >= number(spec.low), value <= number(spec.high)]
        if spec.values is not None:
            facts.append(z3.Or([value == number(each) for each in spec.values]))
    return facts


def world(envelope: Envelope) -> World:
    """Any situation of the declared domain: known signals lie in their range, timers are not negative."""
    signals = {spec.name: z3.Real(f"signal.{spec.name}") for spec in envelope.signals}
    known = {name: z3.Bool(f"known.{name}") for name in signals}
    last, reference = vector(envelope, "last"), vector(envelope, "reference")
    dt_s = z3.Real("dt_s")
    timers = {rule.id: _timers(rule) for rule in envelope.command_rules if isinstance(rule, Dwell | RateWindow)}
    assumed = [*in_range(envelope, last), dt_s >= 0, dt_s <= number(envelope.period_us / US_PER_S)]
    for spec in envelope.signals:
        inside = z3.And(signals[spec.name] >= number(spec.low), signals[spec.name] <= number(spec.high))
        assumed.append(z3.Implies(known[spec.name], inside))
    assumed += [timer >= 0 for group in timers.values() for timer in group]
    return World(signals, known, last, reference, dt_s, timers, tuple(assumed))


def _timers(rule: CommandRule) -> tuple[z3.ArithRef, ...]:
    """Of a dwell: since the last raise, since the last lowering, to wait for the starts. Of a window: moved in it."""
    names = ("raise", "lowering", "starts") if isinstance(rule, Dwell) else ("moved",)
    return tuple(z3.Real(f"timer.{rule.id}.{name}") for name in names)


def satisfied(rule: CommandRule, proposed: Vector, at: World) -> z3.BoolRef:
    """Whether a rule accepts. Raises TypeError on a kind the prover does not know."""
    match rule:
        case Bound():
            value = proposed[rule.setpoint]
            return z3.And(value >= number(rule.low), value <= number(rule.high))
        case Interlock():
            return _interlock(rule, proposed, at)
        case Relation():
            total = z3.Sum([number(coefficient) * proposed[name] for name, coefficient in rule.terms])
            measured, within = _known(rule.limit, at), total <= linear(rule.limit, proposed, at)
            unsure = z3.BoolVal(False) if rule.if_unknown is None else total <= number(rule.if_unknown)
            return z3.If(measured, within, unsure)
        case Slew():
            return _slew(rule, proposed, at)
        case TrustRegion():
            away = proposed[rule.setpoint] - at.reference[rule.setpoint]
            return z3.And(away <= number(rule.distance), -away <= number(rule.distance))
        case Dwell():
            return _dwell(rule, proposed, at)
        case RateWindow():
            moved = proposed[rule.setpoint] - at.last[rule.setpoint]
            left = number(rule.most) - at.timers[rule.id][0]
            return z3.Or(moved == 0, z3.And(moved <= left, -moved <= left))
        case Permissive():
            stays = proposed[rule.setpoint] <= at.last[rule.setpoint]
            return z3.Or(stays, z3.And(known(rule.require, at), holds(rule.require, proposed, at)))
        case Budget():
            return z3.Or(affordable(rule, at), proposed[rule.setpoint] <= number(rule.idle))
        case _:
            raise TypeError(f"rule `{rule.id}`: kind {type(rule).__name__} has no formula, so nothing is proved of it")


def affordable(rule: Budget, at: World) -> z3.BoolRef:
    """Whether everything outstanding can still be charged."""
    spent, reserved, limit, charge = (at.signals[name] for name in rule.looked_up)
    if isinstance(rule, SpendRate):
        enough = 1000 * (spent + reserved + charge) <= rule.most_per_mille * limit
    else:
        enough = spent + reserved + charge <= limit
    return z3.And(*(at.known[name] for name in rule.looked_up), enough)


def _interlock(rule: Interlock, proposed: Vector, at: World) -> z3.BoolRef:
    value = proposed[rule.setpoint]
    limits = [limit for limit in (rule.low, rule.high) if limit is not None]
    sure = z3.And([_known(limit, at) for limit in limits])
    above = z3.BoolVal(True) if rule.low is None else value >= linear(rule.low, proposed, at)
    below = z3.BoolVal(True) if rule.high is None else value <= linear(rule.high, proposed, at)
    unsure = z3.BoolVal(False)
    if rule.if_unknown is not None:
        unsure = z3.And(value >= number(rule.if_unknown[0]), value <= number(rule.if_unknown[1]))
    within = z3.If(sure, z3.And(above, below), unsure)
    return within if rule.when is None else z3.Or(z3.Not(active(rule.when, proposed, at)), within)


def _slew(rule: Slew, proposed: Vector, at: World) -> z3.BoolRef:
    moved = proposed[rule.setpoint] - at.last[rule.setpoint]
    facts = []
    if rule.up_per_s != inf:
        facts.append(moved <= number(rule.up_per_s) * at.dt_s)
    if rule.down_per_s != inf:
        facts.append(-moved <= number(rule.down_per_s) * at.dt_s)
    return z3.And(facts)


def _dwell(rule: Dwell, proposed: Vector, at: World) -> z3.BoolRef:
    value, last = proposed[rule.setpoint], at.last[rule.setpoint]
    since_raise, since_lowering, starts = at.timers[rule.id]
    lowered = since_raise >= rule.min_on_us
    raised = z3.And(since_lowering >= rule.min_off_us, starts <= 0)
    return z3.If(value == last, z3.BoolVal(True), z3.If(value < last, lowered, raised))


def linear(term: Linear, proposed: Vector, at: World) -> z3.ArithRef:
    total = number(term.constant)
    for name, coefficient in term.terms:
        value = proposed[name] if name in proposed else at.signals[name]
        total = total + number(coefficient) * value
    return total


def active(condition: Condition, proposed: Vector, at: World) -> z3.BoolRef:
    """A `when` as rules take it: unknown counts as active."""
    return z3.Or(z3.Not(known(condition, at)), holds(condition, proposed, at))


def applies(entry: FailSafe, proposed: Vector, at: World) -> z3.BoolRef:
    return z3.BoolVal(True) if entry.when is None else active(entry.when, proposed, at)


def holds(condition: Condition, proposed: Vector, at: World) -> z3.BoolRef:
    match condition:
        case Comparison(left, op, right):
            one, two = linear(left, proposed, at), linear(right, proposed, at)
            return _COMPARE[op](one, two)
        case AllOf(parts):
            return z3.And([holds(part, proposed, at) for part in parts])
        case AnyOf(parts):
            return z3.Or([holds(part, proposed, at) for part in parts])
        case Not(part):
            return z3.Not(holds(part, proposed, at))


_COMPARE: Mapping[str, Callable[[z3.ArithRef, z3.ArithRef], z3.BoolRef]] = {
    "<=": lambda one, two: one <= two,
    "<": lambda one, two: one < two,
    ">=": lambda one, two: one >= two,
    ">": lambda one, two: one > two,
    "==": lambda one, two: one == two,
    "!=": lambda one, two: one != two,
}


def known(condition: Condition, at: World) -> z3.BoolRef:
    return z3.And([_known(term, at) for term in _terms(condition)])


def _known(term: Linear, at: World) -> z3.BoolRef:
    return z3.And([at.known[name] for name, _ in term.terms if name in at.known])


def _terms(condition: Condition) -> Iterable[Linear]:
    match condition:
        case Comparison(left, _, right):
            yield from (left, right)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _terms(part)
        case Not(part):
            yield from _terms(part)
