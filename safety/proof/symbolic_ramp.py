"""The ramp in symbols, as `safety.ramp` is written: discrete setpoints first, then each group along its line.

Two forms of one text. *Exact* is the ramp to the last digit, with its products and quotients, and is what the production
`ramp` is compared with. *Any* leaves open how far each setpoint gets on its way, and is what the ladder is proved of: then
nothing depends on how fractions are worked out. In both a rate gives way for one setpoint at a time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import z3

from safety.envelope import Envelope
from safety.proof.symbolic_rules import Vector, World, margin, number, reach, rise, satisfied, violated
from safety.ramp import RampGroup, is_entered, may_give_way
from safety.rules.base import CommandRule
from safety.rules.command_rules import Dwell, RateWindow, Relation, Slew

# As `safety.ramp` shortens a step so that rounding cannot carry it over.
_SHORTER = 1.0 - 1e-9


@dataclass(frozen=True, slots=True)
class Walked:
    """A step, who waits, and whose slew or dwell gave way; with the facts about what was left open."""

    step: Vector
    waiting: Mapping[str, z3.BoolRef]
    waived: Mapping[str, z3.BoolRef]
    facts: tuple[z3.BoolRef, ...] = ()


@dataclass(slots=True)
class _Walk:
    """One ramp being worked out. `name` is given to the symbols of what is left open; None asks for the exact form.

    `whole_groups` and `any_value` are known mistakes: of whose slew gives way, and to which value a dwell gives way.
    """

    envelope: Envelope
    target: Vector
    at: World
    name: str | None
    on_line: bool
    whole_groups: bool
    any_value: bool
    step: dict[str, z3.ArithRef] = field(default_factory=dict)
    waived: dict[str, z3.BoolRef] = field(default_factory=dict)
    facts: list[z3.BoolRef] = field(default_factory=list)


def walked(
    envelope: Envelope,
    target: Vector,
    at: World,
    *,
    keep: z3.BoolRef,
    name: str | None,
    on_line: bool = False,
    whole_groups: bool = False,
    any_value: bool = False,
) -> Walked:
    """The step towards `target`. Without a last command it is the target.

    `on_line` adds to what is left open what is proved of lines one rule at a time (`ramp/RULE` in `about_ramp`).
    """
    nobody = {each: z3.BoolVal(False) for each in target}
    walk = _Walk(envelope, target, at, name, on_line, whole_groups, any_value, dict(at.last), nobody)
    waiting, forced = _discrete(walk, keep)
    for group in envelope.ramp_plan.groups:
        _move(group, walk, forced)
    step = {each: z3.If(at.has_last, walk.step[each], target[each]) for each in target}
    waiting = {each: z3.And(at.has_last, waits) for each, waits in waiting.items()}
    waived = {each: z3.And(at.has_last, gave_way) for each, gave_way in walk.waived.items()}
    return Walked(step, waiting, waived, tuple(walk.facts))


def _discrete(walk: _Walk, keep: z3.BoolRef) -> tuple[dict[str, z3.BoolRef], Vector]:
    """Change what may change now and what has to; return who waits, and the last command with what T0-T2 demand."""
    last, target, step = walk.at.last, walk.target, walk.step
    discrete, forced = walk.envelope.ramp_plan.discrete, dict(last)
    for name in discrete:
        step[name] = z3.If(z3.Or(keep, _timed(name, walk)), last[name], target[name])
    for name in discrete:
        permitted = _permitted(name, walk)
        free = {value: z3.And(ok, _is_free(name, value, walk)) for value, ok in permitted.items()}
        nearest, any_free = _nearest(name, permitted, walk), z3.Or(list(free.values()))
        enters = z3.And(z3.Or(list(permitted.values())), step[name] == last[name])
        entered = target[name] if walk.any_value else z3.If(any_free, _nearest(name, free, walk), nearest)
        step[name] = z3.If(enters, entered, step[name])
        walk.waived[name] = z3.And(enters, z3.Not(any_free))
        demanded = z3.And(z3.Or(list(permitted.values())), step[name] == nearest)
        forced[name] = z3.If(demanded, step[name], last[name])
    return {name: step[name] != target[name] for name in discrete}, forced


def _timed(name: str, walk: _Walk) -> z3.BoolRef:
    moved = {**walk.at.last, name: walk.target[name]}
    dwells = [rule for rule in walk.envelope.ramp_plan.by_setpoint[name] if isinstance(rule, Dwell)]
    return z3.Or([z3.Not(satisfied(rule, moved, walk.at)) for rule in dwells])


def _permitted(name: str, walk: _Walk) -> dict[float, z3.BoolRef]:
    """Of each value of a discrete setpoint, whether it is one to be entered: on the way, permitted, the last one forbidden."""
    last, target = walk.at.last[name], walk.target[name]
    rules = [rule for rule in walk.envelope.ramp_plan.by_setpoint[name] if is_entered(rule)]
    values = walk.envelope.ramp_plan.values[name]
    kept = headed(name, last, walk.target, walk.step, walk.envelope)
    forbidden = z3.Or(
        z3.And([last != number(value) for value in values]),
        *(z3.And(violated(rule, walk.at.last, walk.at), violated(rule, kept, walk.at)) for rule in rules),
    )
    found = {}
    for value in values:
        there = headed(name, number(value), walk.target, walk.step, walk.envelope)
        ahead = z3.Or(
            z3.And(last < number(value), number(value) <= target), z3.And(target <= number(value), number(value) < last)
        )
        found[value] = z3.And(forbidden, ahead, *(satisfied(rule, there, walk.at) for rule in rules))
    return found


def _is_free(name: str, value: float, walk: _Walk) -> z3.BoolRef:
    there = headed(name, number(value), walk.target, walk.step, walk.envelope)
    rules = [rule for rule in walk.envelope.ramp_plan.by_setpoint[name] if may_give_way(rule)]
    return z3.And([satisfied(rule, there, walk.at) for rule in rules])


def _nearest(name: str, which: Mapping[float, z3.BoolRef], walk: _Walk) -> z3.ArithRef:
    """Of the values that are meant, the one nearest to the last; the last where none is."""
    last = walk.at.last[name]
    rising, falling = last, last
    for value in sorted(which, reverse=True):
        rising = z3.If(which[value], number(value), rising)
    for value in sorted(which):
        falling = z3.If(which[value], number(value), falling)
    return z3.If(walk.target[name] > last, rising, falling)


def headed(name: str, value: z3.ArithRef, target: Vector, step: Vector, envelope: Envelope) -> Vector:
    """The point a step leads to with one discrete value: the other discrete values as they are in it, the rest at the target."""
    return {**target, **{other: step[other] for other in envelope.ramp_plan.discrete}, name: value}


def _move(group: RampGroup, walk: _Walk, forced: Vector) -> None:
    """Move one group inside `step`, and tell whose slew was waived."""
    moves = z3.Or([walk.target[name] != walk.step[name] for name in group.setpoints])
    here = dict(walk.step)
    goal = {**here, **{name: walk.target[name] for name in group.setpoints}}
    engaged = {r.id: _engaged(r, here, goal, walk, forced) for r in group.entered}
    if walk.name is None:
        line = _gone(group, here, goal, engaged, walk)
    else:
        line = {name: z3.Real(f"{walk.name}.{name}") for name in group.setpoints}
        walk.facts += [_between(line[name], here[name], goal[name]) for name in group.setpoints]
        if walk.on_line:
            walk.facts += _proved_of_lines(group, here, goal, line, engaged, walk)
    for name in group.setpoints:
        walk.step[name] = z3.If(moves, line[name], here[name])
    left_open = walk.name is not None and not walk.whole_groups
    for name in {slew.setpoint for slew in group.slews}:
        kept, right = [], []
        for slew in (each for each in group.slews if each.setpoint == name):
            kept.append(satisfied(slew, walk.step, walk.at))
            needs = needs_to(slew, group, here, walk.step, walk.at) if left_open else z3.Or(list(engaged.values()))
            right.append(z3.Or(kept[-1], needs))
        walk.waived[name] = z3.And(moves, z3.Not(z3.And(kept)), *right)


def needs_to(slew: Slew | RateWindow, group: RampGroup, here: Vector, step: Vector, at: World) -> z3.BoolRef:
    """Whether a setpoint has to go faster than one of its rates: at that rate, and all else as in the step, T0-T2 forbid it.

    Where several relations join a group this is said of the group: some rule of it has to be entered.
    """
    if sum(isinstance(rule, Relation) for rule in group.entered) > 1:
        return z3.Or([violated(rule, here, at) for rule in group.entered])
    name, (up, down) = slew.setpoint, reach(slew, at)
    last = at.last[name]
    edges = [(way, last + sign * most) for way, sign, most in ((step[name] > last, 1, up), (step[name] < last, -1, down))
             if most is not None]  # fmt: skip
    return z3.Or(
        [
            z3.And(way, violated(rule, {**step, name: edge}, at))
            for way, edge in edges
            for rule in group.entered
            if name in rule.setpoints
        ]
    )


def _proved_of_lines(
    group: RampGroup,
    here: Vector,
    goal: Vector,
    line: Vector,
    engaged: Mapping[str, z3.BoolRef],
    walk: _Walk,
) -> list[z3.BoolRef]:
    """A rule that the goal keeps, and the start too unless it has to be entered, is kept on the line; so are the rates."""
    step = {**here, **line}
    facts = [
        z3.Implies(
            z3.And(satisfied(rule, goal, walk.at), z3.Or(satisfied(rule, here, walk.at), engaged[rule.id])),
            satisfied(rule, step, walk.at),
        )
        for rule in group.entered
    ]
    return facts + [
        z3.Or(needs_to(slew, group, here, step, walk.at), satisfied(slew, step, walk.at)) for slew in group.slews
    ]


def _between(value: z3.ArithRef, one: z3.ArithRef, other: z3.ArithRef) -> z3.BoolRef:
    return z3.Or(z3.And(one <= value, value <= other), z3.And(other <= value, value <= one))


def _engaged(rule: CommandRule, here: Vector, goal: Vector, walk: _Walk, forced: Vector) -> z3.BoolRef:
    """Whether the group has to enter a rule: it is violated, not by the new discrete values alone, and the goal keeps it."""
    by_the_last = z3.Or(violated(rule, forced, walk.at), violated(rule, walk.at.last, walk.at))
    return z3.And(violated(rule, here, walk.at), by_the_last, satisfied(rule, goal, walk.at))


def _gone(
    group: RampGroup, here: Vector, goal: Vector, engaged: Mapping[str, z3.BoolRef], walk: _Walk
) -> dict[str, z3.ArithRef]:
    """The value each setpoint of a group reaches: along its line, and further as far as the rules to be entered need it."""
    own = _own_fractions(group, walk)
    slewed, needed = z3.RealVal(1), z3.RealVal(0)
    for share in own.values():
        slewed = z3.If(share < slewed, share, slewed)
    for rule in group.entered:
        outside = margin(rule, here, walk.at)
        entry = z3.If(engaged[rule.id], -outside / rise(rule, here, goal, walk.at), z3.RealVal(0))
        needed = z3.If(entry > needed, entry, needed)
    due = {
        rule.id: z3.Or(engaged[rule.id], z3.And(satisfied(rule, here, walk.at), satisfied(rule, goal, walk.at)))
        for rule in group.entered
    }
    within = {name: here[name] + own[name] * (goal[name] - here[name]) for name in group.setpoints}
    line = {name: here[name] + slewed * (goal[name] - here[name]) for name in group.setpoints}
    further = dict(line)
    relations = [rule for rule in group.entered if isinstance(rule, Relation)]
    for rule in (*(r for r in group.entered if not isinstance(r, Relation)), *relations * len(relations)):
        wrong = z3.And(due[rule.id], z3.Not(satisfied(rule, {**here, **further}, walk.at)))
        pushed = _pushed(rule, {**here, **further}, within, goal, walk)
        further = {name: z3.If(wrong, pushed[name], further[name]) for name in group.setpoints}
    settled = z3.And(
        z3.BoolVal(not walk.whole_groups),
        *[z3.Implies(due[rule.id], satisfied(rule, {**here, **further}, walk.at)) for rule in group.entered],
    )
    joint = {name: here[name] + needed * (goal[name] - here[name]) for name in group.setpoints}
    return {
        name: z3.If(needed <= slewed, line[name], z3.If(settled, further[name], joint[name]))
        for name in group.setpoints
    }


def _own_fractions(group: RampGroup, walk: _Walk) -> dict[str, z3.ArithRef]:
    """The fraction of its way that each setpoint's own rates permit."""
    own = {name: z3.RealVal(1) for name in group.setpoints}
    for slew in group.slews:
        distance = walk.target[slew.setpoint] - walk.at.last[slew.setpoint]
        for limit, way in zip(reach(slew, walk.at), (distance, -distance), strict=True):
            if limit is not None:
                allowed, before = limit * number(_SHORTER), own[slew.setpoint]
                share = z3.If(way <= allowed, z3.RealVal(1), allowed / way)
                own[slew.setpoint] = z3.If(z3.And(way > 0, share < before), share, before)
    return own


def _pushed(rule: CommandRule, step: Vector, within: Vector, goal: Vector, walk: _Walk) -> Vector:
    """The values to which the setpoints that help one rule must move: within their rates first, then beyond."""
    outside = margin(rule, step, walk.at)
    if not isinstance(rule, Relation):
        name = rule.setpoints[0]
        return {**step, name: step[name] + z3.If(goal[name] >= step[name], -outside, outside)}
    for ends in (within, goal):
        ahead = dict(step)
        for name, coefficient in rule.terms:
            if name in within:
                helps = number(coefficient) * (goal[name] - step[name]) < 0
                is_ahead = z3.Abs(goal[name] - ends[name]) < z3.Abs(goal[name] - step[name])
                ahead[name] = z3.If(z3.And(helps, is_ahead), ends[name], step[name])
        inside = margin(rule, ahead, walk.at)
        reached = z3.And(outside < 0, inside >= 0)
        share = z3.If(outside >= 0, z3.RealVal(0), z3.If(reached, -outside / (inside - outside), z3.RealVal(1)))
        step = {
            name: step[name] + share * (ahead[name] - step[name]) if name in within else step[name] for name in step
        }
        outside = z3.If(outside >= 0, outside, z3.If(reached, z3.RealVal(0), inside))
    return step
