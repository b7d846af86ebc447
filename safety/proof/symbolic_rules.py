"""Rules as formulas over exact numbers: what z3 is asked about. A margin >= 0 becomes a truth value.

Constants are the exact fractions the floats stand for. A signal is a number and whether it is known; nothing is assumed
of an unknown one. Money is integer. What is not linear in these does not occur: the rule kinds cannot say it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import inf

import z3

from safety.envelope import Envelope
from safety.loading.when import names_in
from safety.rules.base import US_PER_S, CommandRule, FailSafe
from safety.rules.command_rules import Bound, Dwell, Interlock, Permissive, RateWindow, Relation, Slew, TrustRegion
from safety.rules.conditions import AllOf, AnyOf, Comparison, Condition, Linear, Not
from safety.rules.money_rules import Budget, SpendRate

Vector = Mapping[str, z3.ArithRef]
# Stands for the missing side of a limit: more than any margin can be.
_BOUNDLESS = z3.RealVal(10**30)


@dataclass(frozen=True, slots=True)
class World:
    """One situation in symbols, as the judge sees it: what is measured, the command in force, and the timers as aged.

    `reference` is the incumbent's own step. A `timers` entry of a dwell is (since the last raise, since the last
    lowering, age of the youngest start, of the next, ...); of a rate window (age, distance, age, distance, ...).
    """

    signals: Mapping[str, z3.ArithRef]
    known: Mapping[str, z3.BoolRef]
    last: Vector
    reference: Vector
    dt_s: z3.ArithRef
    timers: Mapping[str, tuple[z3.ArithRef, ...]]
    assumed: tuple[z3.BoolRef, ...] = field(default=())
    has_last: z3.BoolRef = field(default=z3.BoolVal(True))
    has_reference: z3.BoolRef = field(default=z3.BoolVal(True))


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
    return facts + listed(envelope, proposed)


def listed(envelope: Envelope, proposed: Vector) -> list[z3.BoolRef]:
    """Every discrete setpoint is at one of its values."""
    return [
        z3.Or([proposed[spec.name] == number(each) for each in spec.values])
        for spec in envelope.setpoints
        if spec.values is not None
    ]


def world(envelope: Envelope, *, anywhere: bool = False) -> World:
    """Any situation of the declared domain: known signals lie in their range, timers are not negative.

    The last command is one that T0 permits; with `anywhere` it is any numbers, as a plant may read them back.
    """
    signals = measured(envelope)
    known = {name: z3.Bool(f"known.{name}") for name in signals}
    last, reference = vector(envelope, "last"), vector(envelope, "reference")
    dt_s = z3.Real("dt_s")
    timers = {rule.id: slots(rule, envelope, "timer") for rule in envelope.command_rules if _remembers(rule)}
    assumed = [
        *([] if anywhere else in_range(envelope, last)),
        dt_s >= 0,
        dt_s <= number(envelope.period_us / US_PER_S),
    ]
    assumed += in_domain(envelope, signals, known)
    assumed += [fact for rule in envelope.command_rules if rule.id in timers for fact in sane(rule, timers[rule.id])]
    return World(signals, known, last, reference, dt_s, timers, tuple(assumed))


def measured(envelope: Envelope) -> dict[str, z3.ArithRef]:
    """The symbols of the signals. Money is whole micros: what is not whole is not known."""
    money = {name for rule in envelope.command_rules if isinstance(rule, Budget) for name in rule.looked_up}
    return {
        spec.name: z3.ToReal(z3.Int(f"signal.{spec.name}")) if spec.name in money else z3.Real(f"signal.{spec.name}")
        for spec in envelope.signals
    }


def in_domain(
    envelope: Envelope, signals: Mapping[str, z3.ArithRef], known: Mapping[str, z3.BoolRef]
) -> list[z3.BoolRef]:
    """A known signal lies in its declared domain. Nothing is assumed of an unknown one."""
    return [
        z3.Implies(
            known[spec.name],
            z3.And(signals[spec.name] >= number(spec.low), signals[spec.name] <= number(spec.high)),
        )
        for spec in envelope.signals
    ]


def slots(rule: CommandRule, envelope: Envelope, prefix: str) -> tuple[z3.ArithRef, ...]:
    """The symbols of what a dwell or a rate window remembers, K slots of it."""
    if isinstance(rule, Dwell):
        names = ["raise", "lowering", *(f"start{at}" for at in range(rule.max_starts))]
    elif isinstance(rule, RateWindow):
        names = [f"{what}{at}" for at in range(window_slots(rule, envelope)) for what in ("age", "moved")]
    else:
        names = []
    return tuple(z3.Real(f"{prefix}.{rule.id}.{name}") for name in names)


def window_slots(rule: RateWindow, envelope: Envelope) -> int:
    """The number of moves a window can hold, at one a period; more than twelve are proved as twelve."""
    return min(12, rule.window_us // envelope.period_us + 2)


def sane(rule: CommandRule, timers: tuple[z3.ArithRef, ...]) -> list[z3.BoolRef]:
    """No age is negative, no distance is; starts are kept youngest first. A slot at least as old as the window is free."""
    facts = [timer >= 0 for timer in timers]
    if isinstance(rule, Dwell):
        facts += [younger <= older for younger, older in pairwise(timers[2:])]
    return facts


def _remembers(rule: CommandRule) -> bool:
    return isinstance(rule, Dwell | RateWindow)


def moved_in_window(rule: RateWindow, timers: tuple[z3.ArithRef, ...]) -> z3.ArithRef:
    """All movement of the window together."""
    pairs = zip(timers[::2], timers[1::2], strict=True)
    return z3.Sum([z3.If(age < rule.window_us, distance, z3.RealVal(0)) for age, distance in pairs])


def satisfied(rule: CommandRule, proposed: Vector, at: World) -> z3.BoolRef:
    """Whether a rule accepts. Raises TypeError on a kind the prover does not know."""
    match rule:
        case Bound():
            value = proposed[rule.setpoint]
            return z3.And(value >= number(rule.low), value <= number(rule.high))
        case Interlock():
            return _interlock(rule, proposed, at)
        case Relation():
            return z3.And(answers(rule, at), total(rule, proposed) <= _limit(rule, proposed, at))
        case Slew():
            return z3.Or(z3.Not(at.has_last), _slew(rule, proposed, at))
        case TrustRegion():
            away = proposed[rule.setpoint] - at.reference[rule.setpoint]
            near = z3.And(away <= number(rule.distance), -away <= number(rule.distance))
            return z3.And(at.has_reference, near)
        case Dwell():
            return z3.Or(z3.Not(at.has_last), _dwell(rule, proposed, at))
        case RateWindow():
            up, _ = reach(rule, at)
            moved = proposed[rule.setpoint] - at.last[rule.setpoint]
            assert up is not None
            return z3.Or(z3.Not(at.has_last), moved == 0, z3.And(moved <= up, -moved <= up))
        case Permissive():
            stays = proposed[rule.setpoint] <= at.last[rule.setpoint]
            return z3.Or(z3.And(at.has_last, stays), z3.And(known(rule.require, at), holds(rule.require, proposed, at)))
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
    sure = [z3.And(at.known[name], at.signals[name] >= 0) for name in rule.looked_up]
    return z3.And(*sure, enough)


def _interlock(rule: Interlock, proposed: Vector, at: World) -> z3.BoolRef:
    value = proposed[rule.setpoint]
    limits = [limit for limit in (rule.low, rule.high) if limit is not None]
    sure = z3.And([terms_known(limit, at) for limit in limits])
    above = z3.BoolVal(True) if rule.low is None else value >= linear(rule.low, proposed, at)
    below = z3.BoolVal(True) if rule.high is None else value <= linear(rule.high, proposed, at)
    unsure = z3.BoolVal(False)
    if rule.if_unknown is not None:
        unsure = z3.And(value >= number(rule.if_unknown[0]), value <= number(rule.if_unknown[1]))
    within = z3.If(sure, z3.And(above, below), unsure)
    return within if rule.when is None else z3.Or(z3.Not(active(rule.when, proposed, at)), within)


def reach(rule: Slew | RateWindow, at: World) -> tuple[z3.ArithRef | None, z3.ArithRef | None]:
    """The largest rise and fall of a step; None where there is no limit."""
    if isinstance(rule, RateWindow):
        left = number(rule.most) - moved_in_window(rule, at.timers[rule.id])
        left = z3.If(left > 0, left, z3.RealVal(0))
        return left, left
    up, down = (None if rate == inf else number(rate) * at.dt_s for rate in (rule.up_per_s, rule.down_per_s))
    return up, down


def _slew(rule: Slew, proposed: Vector, at: World) -> z3.BoolRef:
    moved = proposed[rule.setpoint] - at.last[rule.setpoint]
    up, down = reach(rule, at)
    facts = [] if up is None else [moved <= up]
    return z3.And(facts if down is None else [*facts, -moved <= down])


def _dwell(rule: Dwell, proposed: Vector, at: World) -> z3.BoolRef:
    value, last = proposed[rule.setpoint], at.last[rule.setpoint]
    since_raise, since_lowering, *starts = at.timers[rule.id]
    lowered = since_raise >= rule.min_on_us
    raised = since_lowering >= rule.min_off_us
    if starts:  # the oldest of the youngest `max_starts` must have left the window
        raised = z3.And(raised, starts[-1] >= rule.window_us)
    return z3.If(value == last, z3.BoolVal(True), z3.If(value < last, lowered, raised))


def answers(rule: CommandRule, at: World) -> z3.BoolRef:
    """Whether the margin of a T0-T2 limit is a number at all: a limit on something unknown has none."""
    if isinstance(rule, Interlock) and rule.if_unknown is None:
        return z3.And([terms_known(limit, at) for limit in (rule.low, rule.high) if limit is not None])
    if isinstance(rule, Relation) and rule.if_unknown is None:
        return terms_known(rule.limit, at)
    return z3.BoolVal(True)


def violated(rule: CommandRule, proposed: Vector, at: World) -> z3.BoolRef:
    """Whether the margin is a number below zero. An unknown limit is neither kept nor violated: it refuses."""
    return z3.And(answers(rule, at), z3.Not(satisfied(rule, proposed, at)))


def rise(rule: CommandRule, here: Vector, goal: Vector, at: World) -> z3.ArithRef:
    """By how much the margin would rise from `here` to `goal` if nothing but the limit that is broken counted."""
    if isinstance(rule, Bound | Interlock | Budget):
        return z3.Abs(goal[rule.setpoint] - here[rule.setpoint])
    return margin(rule, goal, at) - margin(rule, here, at)


def margin(rule: CommandRule, proposed: Vector, at: World) -> z3.ArithRef:
    """The margin of a limit in force, as `CommandRule.margin` gives it: the smaller distance to its two sides."""
    one, *others = _sides(rule, proposed, at)
    for other in others:
        one = z3.If(other < one, other, one)
    return one


def _sides(rule: CommandRule, proposed: Vector, at: World) -> list[z3.ArithRef]:
    value = proposed[rule.setpoints[0]]
    match rule:
        case Bound():
            return [value - number(rule.low), number(rule.high) - value]
        case Budget():
            return [number(rule.idle) - value]
        case Relation():
            return [_limit(rule, proposed, at) - total(rule, proposed)]
        case Interlock():
            above = _BOUNDLESS if rule.low is None else value - linear(rule.low, proposed, at)
            below = _BOUNDLESS if rule.high is None else linear(rule.high, proposed, at) - value
            if rule.if_unknown is None:
                return [above, below]
            sure = z3.And([terms_known(limit, at) for limit in (rule.low, rule.high) if limit is not None])
            low, high = (number(edge) for edge in rule.if_unknown)
            return [z3.If(sure, above, value - low), z3.If(sure, below, high - value)]
        case _:
            raise TypeError(f"rule `{rule.id}`: kind {type(rule).__name__} does not limit the value of a setpoint")


def _limit(rule: Relation, proposed: Vector, at: World) -> z3.ArithRef:
    """The limit of a relation: as measured, or what the rule gives where it cannot be."""
    as_measured = linear(rule.limit, proposed, at)
    if rule.if_unknown is None:
        return as_measured
    return z3.If(terms_known(rule.limit, at), as_measured, number(rule.if_unknown))


def total(rule: Relation, proposed: Vector) -> z3.ArithRef:
    return z3.Sum([number(coefficient) * proposed[name] for name, coefficient in rule.terms])


def linear(term: Linear, proposed: Vector, at: World) -> z3.ArithRef:
    added = number(term.constant)
    for name, coefficient in term.terms:
        value = proposed[name] if name in proposed else at.signals[name]
        added = added + number(coefficient) * value
    return added


def active(condition: Condition, proposed: Vector, at: World) -> z3.BoolRef:
    """A `when` as rules take it: unknown counts as active."""
    return z3.Or(z3.Not(known(condition, at)), holds(condition, proposed, at))


def applies(entry: FailSafe, proposed: Vector, at: World) -> z3.BoolRef:
    """Whether a fail-safe entry is for this situation; an unknown condition counts as active."""
    if entry.when is None:
        return z3.BoolVal(True)
    of_command = any(name in proposed for name in names_in(entry.when))
    unsure = z3.Not(at.has_last) if of_command else z3.BoolVal(False)
    return z3.Or(unsure, active(entry.when, proposed, at))


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
    return z3.And([terms_known(term, at) for term in _terms(condition)])


def terms_known(term: Linear, at: World) -> z3.BoolRef:
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
