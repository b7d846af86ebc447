"""The ramp in symbols, as `safety.ramp` is written: discrete setpoints first, then each group along its line.

Two forms of one text. *Exact* is the ramp to the last digit, with its products and quotients, and is what the production
`ramp` is compared with. *Any* leaves open how far a group gets on its line, and is what the ladder is proved of: then
nothing depends on how fractions are worked out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import z3

from safety.envelope import Envelope
from safety.proof.symbolic_rules import Vector, World, margin, number, reach, rise, satisfied, violated
from safety.ramp import RampGroup
from safety.rules.base import CommandRule
from safety.rules.command_rules import Dwell
from safety.values import Tier

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
    """One ramp being worked out. `name` is given to the symbols of what is left open; None asks for the exact form."""

    envelope: Envelope
    target: Vector
    at: World
    name: str | None
    on_line: bool
    step: dict[str, z3.ArithRef] = field(default_factory=dict)
    waived: dict[str, z3.BoolRef] = field(default_factory=dict)
    facts: list[z3.BoolRef] = field(default_factory=list)


def walked(
    envelope: Envelope, target: Vector, at: World, *, keep: z3.BoolRef, name: str | None, on_line: bool = False
) -> Walked:
    """The step towards `target`. Without a last command it is the target.

    `on_line` adds to what is left open what is proved of lines one rule at a time (`ramp/RULE` in `about_ramp`).
    """
    walk = _Walk(envelope, target, at, name, on_line, dict(at.last), {each: z3.BoolVal(False) for each in target})
    waiting, demanded = _discrete(walk, keep)
    for group in envelope.ramp_plan.groups:
        _move(group, walk, demanded)
    step = {each: z3.If(at.has_last, walk.step[each], target[each]) for each in target}
    waiting = {each: z3.And(at.has_last, waits) for each, waits in waiting.items()}
    waived = {each: z3.And(at.has_last, gave_way) for each, gave_way in walk.waived.items()}
    return Walked(step, waiting, waived, tuple(walk.facts))


def _discrete(walk: _Walk, keep: z3.BoolRef) -> tuple[dict[str, z3.BoolRef], z3.BoolRef]:
    """Change what may change now; return who waits, and whether a change was demanded by T0-T2."""
    last, waiting, demanded = walk.at.last, {}, [z3.BoolVal(False)]
    for name in walk.envelope.ramp_plan.discrete:
        changes = walk.target[name] != last[name]
        timed = _timed(name, walk)
        forbidden = z3.Or([violated(rule, last, walk.at) for rule in _entered(name, walk.envelope)])
        takes = z3.And(changes, z3.Or(forbidden, z3.Not(z3.Or(keep, timed))))
        walk.step[name] = z3.If(takes, walk.target[name], last[name])
        walk.waived[name] = z3.And(takes, timed)
        waiting[name] = z3.And(changes, z3.Not(takes))
        demanded.append(z3.And(takes, forbidden))
    return waiting, z3.Or(demanded)


def _timed(name: str, walk: _Walk) -> z3.BoolRef:
    moved = {**walk.at.last, name: walk.target[name]}
    dwells = [rule for rule in walk.envelope.ramp_plan.by_setpoint[name] if isinstance(rule, Dwell)]
    return z3.Or([z3.Not(satisfied(rule, moved, walk.at)) for rule in dwells])


def _entered(name: str, envelope: Envelope) -> list[CommandRule]:
    return [r for r in envelope.ramp_plan.by_setpoint[name] if r.tier <= Tier.T2 and not r.step_only]


def _move(group: RampGroup, walk: _Walk, demanded: z3.BoolRef) -> None:
    """Move one group inside `step`, and tell whose slew was waived."""
    moves = z3.Or([walk.target[name] != walk.step[name] for name in group.setpoints])
    here = dict(walk.step)
    goal = {**here, **{name: walk.target[name] for name in group.setpoints}}
    engaged = {r.id: _engaged(r, here, goal, walk, demanded) for r in group.entered}
    if walk.name is None:
        fraction, waives = _fraction(group, here, goal, engaged, walk)
        line = {name: here[name] + fraction * (goal[name] - here[name]) for name in group.setpoints}
    else:
        waives = z3.Bool(f"{walk.name}.waives.{group.setpoints[0]}")
        line = {name: z3.Real(f"{walk.name}.{name}") for name in group.setpoints}
        walk.facts.append(z3.Implies(waives, z3.Or(list(engaged.values()))))
        walk.facts += [_between(line[name], here[name], goal[name]) for name in group.setpoints]
        if walk.on_line:
            walk.facts += _proved_of_lines(group, here, goal, line, engaged, waives, walk)
    for name in group.setpoints:
        walk.step[name] = z3.If(moves, line[name], here[name])
    for slew in group.slews:
        gave_way = z3.And(moves, waives, z3.Not(satisfied(slew, walk.step, walk.at)))
        walk.waived[slew.setpoint] = z3.Or(walk.waived[slew.setpoint], gave_way)


def _proved_of_lines(
    group: RampGroup,
    here: Vector,
    goal: Vector,
    line: Vector,
    engaged: Mapping[str, z3.BoolRef],
    waives: z3.BoolRef,
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
    return facts + [z3.Or(waives, satisfied(slew, step, walk.at)) for slew in group.slews]


def _between(value: z3.ArithRef, one: z3.ArithRef, other: z3.ArithRef) -> z3.BoolRef:
    return z3.Or(z3.And(one <= value, value <= other), z3.And(other <= value, value <= one))


def _engaged(rule: CommandRule, here: Vector, goal: Vector, walk: _Walk, demanded: z3.BoolRef) -> z3.BoolRef:
    """Whether the group has to enter a rule: it is violated, not by the new discrete values alone, and the goal keeps it."""
    by_the_last = z3.Or(demanded, violated(rule, walk.at.last, walk.at))
    return z3.And(violated(rule, here, walk.at), by_the_last, satisfied(rule, goal, walk.at))


def _fraction(
    group: RampGroup, here: Vector, goal: Vector, engaged: Mapping[str, z3.BoolRef], walk: _Walk
) -> tuple[z3.ArithRef, z3.BoolRef]:
    """How far along its line a group gets, and whether that is further than its rates permit."""
    slewed, needed = z3.RealVal(1), z3.RealVal(0)
    for slew in group.slews:
        distance = walk.target[slew.setpoint] - walk.at.last[slew.setpoint]
        for limit, way in zip(reach(slew, walk.at), (distance, -distance), strict=True):
            if limit is not None:
                allowed = limit * number(_SHORTER)
                share = z3.If(way <= allowed, z3.RealVal(1), allowed / way)
                slewed = z3.If(z3.And(way > 0, share < slewed), share, slewed)
    for rule in group.entered:
        outside = margin(rule, here, walk.at)
        entry = z3.If(engaged[rule.id], -outside / rise(rule, here, goal, walk.at), z3.RealVal(0))
        needed = z3.If(entry > needed, entry, needed)
    return z3.If(needed <= slewed, slewed, needed), needed > slewed
