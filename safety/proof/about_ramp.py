"""What is proved of the ramp: it never leaves the permitted set, one rule at a time and all of one line together.

For fixed signals and discrete values each T0-T2 rule looks at one number: its setpoint, or the sum of its relation. Along
the line of a group that number moves from its value at the last command to its value at the target. Where the last command
keeps a rule the step keeps it. Where it does not, the ramp has to enter: the step keeps the rule from the fraction at which
the line crosses the edge, and that is the fraction the ramp works out.
"""

from collections.abc import Iterator, Sequence

import z3

from safety.envelope import Envelope
from safety.proof.replay import refused_by, situation_of, vector_of
from safety.proof.solver import ANALYTIC, Answer, Example, Obligation, Seeded, prove
from safety.proof.symbolic_rules import (
    Vector,
    World,
    margin,
    number,
    reach,
    rise,
    satisfied,
    total,
    vector,
    violated,
    world,
)
from safety.ramp import RampGroup, ramp
from safety.rules.base import CommandRule
from safety.rules.command_rules import Relation, Slew
from safety.values import Tier

_TARGET = "target"
_SHORTER = 1.0 - 1e-9


def the_ramp_stays_permitted(envelope: Envelope) -> Iterator[Obligation]:
    """One obligation for each T0-T2 rule on continuous setpoints, one for each rate, and one for the groups."""
    at = world(envelope, anywhere=True)
    discrete = {spec.name for spec in envelope.setpoints if spec.values is not None}
    for rule in envelope.command_rules:
        if rule.tier <= Tier.T2 and not rule.step_only and not set(rule.setpoints) <= discrete:
            yield _stays(rule, at, discrete, envelope)
        elif isinstance(rule, Slew):
            yield _short_enough(rule, at)
    yield _joined(envelope, discrete)


def _stays(rule: CommandRule, at: World, discrete: set[str], envelope: Envelope) -> Obligation:
    target, share = vector(envelope, _TARGET), z3.Real("fraction")
    here = {name: target[name] if name in discrete else value for name, value in at.last.items()}
    start, end = _height(rule, here), _height(rule, target)
    step = _at_height(rule, here, start + share * (end - start))
    outside = margin(rule, here, at)
    entered = z3.And(violated(rule, here, at), share * rise(rule, here, target, at) >= -outside)
    assumed = [*at.assumed, share >= 0, share <= 1, satisfied(rule, target, at)]
    begun = [*assumed, z3.Or(satisfied(rule, here, at), entered)]
    anyhow = [*assumed, z3.Or(satisfied(rule, here, at), violated(rule, here, at))]
    says = f"a step on the line between two commands is permitted by rule `{rule.id}`, from where it enters on"
    claim = satisfied(rule, step, at)
    seeded = Seeded("a ramp that does not enter as far as it has to", claim, anyhow)

    def replay(example: Example) -> str | None:
        now, goal = situation_of(example, envelope), vector_of(example, _TARGET, envelope)
        return refused_by(rule, ramp(goal, now, envelope.ramp_plan).step, now)

    return prove(f"ramp/{rule.id}", says, begun, claim, seeded, replay=replay)


def _height(rule: CommandRule, at: Vector) -> z3.ArithRef:
    """The one number along which a rule looks: its setpoint, or the sum of a relation."""
    return total(rule, at) if isinstance(rule, Relation) else at[rule.setpoints[0]]


def _at_height(rule: CommandRule, start: Vector, height: z3.ArithRef) -> Vector:
    """A vector at which a rule looks at `height`."""
    name = rule.setpoints[0]
    if not isinstance(rule, Relation):
        return {**start, name: height}
    rest = total(rule, {**start, name: z3.RealVal(0)})
    return {**start, name: (height - rest) / number(rule.terms[0][1])}


def _short_enough(rule: Slew, at: World) -> Obligation:
    """A fraction at most `allowed / distance` moves at most `allowed`, a little less than the rate permits."""
    goal, share = z3.Real(f"target.{rule.setpoint}"), z3.Real("fraction")
    last = at.last[rule.setpoint]
    distance = goal - last
    limits = zip(reach(rule, at), (distance, -distance), strict=True)
    allowed = [(limit * number(_SHORTER), way) for limit, way in limits if limit is not None]
    within = [z3.Implies(way > 0, z3.Or(way <= most, share * way <= most)) for most, way in allowed]
    assumed = [*at.assumed, share >= 0, share <= 1, *within]
    step = {**at.last, rule.setpoint: last + share * distance}
    jumped = {**at.last, rule.setpoint: goal}
    says = f"a step by the fraction that `{rule.id}` permits is within its rate, with 1e-9 of it to spare"
    seeded = Seeded("a ramp that jumps to its target", satisfied(rule, jumped, at))
    return prove(f"ramp/{rule.id}", says, assumed, satisfied(rule, step, at), seeded)


def _joined(envelope: Envelope, discrete: set[str]) -> Obligation:
    says = "setpoints joined by a relation share one fraction"
    relations = [rule for rule in envelope.command_rules if isinstance(rule, Relation)]
    if not _share(relations, envelope.ramp_plan.groups, discrete):
        why = "a relation spans two groups of the ramp: the step can leave it"
        return Obligation("ramp/groups", says, Answer.REFUTED, why, by=ANALYTIC)
    alone = [RampGroup((spec.name,), (), ()) for spec in envelope.setpoints if spec.name not in discrete]
    spans = any(len(set(rule.setpoints) - discrete) > 1 for rule in relations)
    if spans and _share(relations, alone, discrete):
        why = "a seeded mistake was not found (every setpoint ramps alone)"
        return Obligation("ramp/groups", says, Answer.REFUTED, why, by=ANALYTIC)
    groups = [" and ".join(group.setpoints) for group in envelope.ramp_plan.groups if len(group.setpoints) > 1]
    detail = "; ".join(groups) or "no relation joins any"
    return Obligation("ramp/groups", says, Answer.PROVED, detail, by=ANALYTIC, seeded="a ramp of each setpoint alone")


def _share(relations: Sequence[Relation], groups: Sequence[RampGroup], discrete: set[str]) -> bool:
    return all(any(set(rule.setpoints) - discrete <= set(group.setpoints) for group in groups) for rule in relations)
