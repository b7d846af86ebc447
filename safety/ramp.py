"""From a target to a step: along the straight line from the last command, by the largest common fraction rates permit.

1. Discrete setpoints first: a change whose timer has not run out keeps the old value and is recorded as `waiting`.
   Where T0-T2 forbid the old value, the first value on the way to the target that they permit is entered. That is one
   that no timer keeps back if there is one, else the nearest; then dwell gives way for this setpoint and this move alone.
2. Continuous setpoints joined by a relation share one fraction; all others ramp alone.
3. Where the last command has become forbidden by T0-T2, a setpoint goes on beyond that fraction as far as the rule to
   be entered needs it. It goes first within its own rate and then beyond it; only there slew is waived. What only the
   new discrete values forbid waives nothing: then the discrete values wait.

The ramp is the same for every source. It never changes where the line leads: an unsafe target is refused, not repaired.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nextafter
from typing import Protocol

from safety.rules.base import CommandRule, Situation
from safety.rules.command_rules import Bound, Dwell, Interlock, RateWindow, Relation, Slew
from safety.rules.money_rules import Budget
from safety.values import Setpoints, Tier

T0_RANGE = "T0-range"
# Kinds that say between which two numbers one setpoint lies.
_BOX = (Bound, Interlock, Budget)
# A step is made this much shorter than its rate permits, so that rounding can never carry it over.
_SHORTER = 1.0 - 1e-9
# Where rounding misses the edge of the permitted set, how much further each try goes.
_FURTHER = (0.0, 1e-12, 1e-9, 1e-6, 1e-3)


class Named(Protocol):
    """A setpoint's specification, as far as the ramp needs it."""

    @property
    def name(self) -> str: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def values(self) -> tuple[float, ...] | None: ...


@dataclass(frozen=True, slots=True)
class RampGroup:
    """Continuous setpoints that move by one fraction, their rules on rates, and the T0-T2 rules they must enter."""

    setpoints: tuple[str, ...]
    slews: tuple[Slew | RateWindow, ...]
    entered: tuple[CommandRule, ...]


@dataclass(frozen=True, slots=True)
class RampPlan:
    """How the setpoints of an envelope move, worked out once when it is loaded."""

    discrete: tuple[str, ...]
    groups: tuple[RampGroup, ...]
    by_setpoint: Mapping[str, tuple[CommandRule, ...]]
    values: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Ramped:
    """A step, the discrete setpoints that wait, and the setpoints whose slew or dwell gave way to T0-T2."""

    step: Setpoints
    waiting: tuple[str, ...] = ()
    waived: frozenset[str] = frozenset()


def plan_ramp(setpoints: Sequence[Named], rules: Sequence[CommandRule]) -> RampPlan:
    """Group the setpoints by the relations that join them."""
    by_setpoint = {spec.name: tuple(rule for rule in rules if spec.name in rule.setpoints) for spec in setpoints}
    discrete = tuple(spec.name for spec in setpoints if spec.values is not None)
    joined: list[set[str]] = [{spec.name} for spec in setpoints if spec.values is None]
    for rule in rules:
        if isinstance(rule, Relation):
            touched = [names for names in joined if names & set(rule.setpoints)]
            joined = [names for names in joined if names not in touched]
            if touched:
                joined.append(set().union(*touched))
    order = [spec.name for spec in setpoints]
    groups = sorted(
        (tuple(sorted(names, key=order.index)) for names in joined), key=lambda names: order.index(names[0])
    )
    values = {spec.name: spec.values for spec in setpoints if spec.values is not None}
    ranges = [_range(spec) for spec in setpoints if spec.values is None and not is_bounded(spec, rules)]
    return RampPlan(discrete, tuple(_group(names, [*rules, *ranges]) for names in groups), by_setpoint, values)


def _group(names: tuple[str, ...], rules: Sequence[CommandRule]) -> RampGroup:
    touching = [rule for rule in rules if set(names) & set(rule.setpoints)]
    slews = tuple(rule for rule in touching if isinstance(rule, Slew | RateWindow))
    return RampGroup(names, slews, tuple(filter(is_entered, touching)))


def is_bounded(spec: Named, rules: Sequence[CommandRule]) -> bool:
    """Whether a T1 bound that binds every rung keeps a setpoint within its physical range, so that T0 asks no more."""
    return any(
        isinstance(rule, Bound) and rule.tier <= Tier.T1 and rule.setpoint == spec.name
        and spec.low <= rule.low and rule.high <= spec.high
        for rule in rules
    )  # fmt: skip


def _range(spec: Named) -> Bound:
    """The physical range of a continuous setpoint as the rule it is: T0."""
    why = "a command outside the physical range of its setpoint"
    return Bound(id=T0_RANGE, tier=Tier.T0, setpoint=spec.name, low=spec.low, high=spec.high, hazard=why, basis=why)


def is_entered(rule: CommandRule) -> bool:
    """Whether a ramp must enter what a rule permits, where the last command has become forbidden by it."""
    return rule.tier <= Tier.T2 and not rule.step_only


def may_give_way(rule: CommandRule) -> bool:
    """Whether a rule gives way on setpoints that have to enter the permitted set: it is about the way, and of T3 or T4."""
    return rule.step_only and Tier.T3 <= rule.tier <= Tier.T4


def ramp(
    target: Setpoints, now: Situation, plan: RampPlan, *, keep_discrete: bool = False, standing: bool = False
) -> Ramped:
    """The step from `now.last` towards `target` within `now.dt_s`. Without a last command the step is the target.

    `standing`: every rule that would have to be entered is known to permit the last command, so none need be asked.
    """
    if now.last is None:
        return Ramped(dict(target))
    step = dict(now.last)
    waiting, waived, forced = _discrete(target, step, now, plan, keep_discrete, standing)
    for group in plan.groups:
        if _moves(group, target, step):
            waived |= _move(group, target, step, now, forced, standing)
    return Ramped({name: step[name] for name in target}, waiting, frozenset(waived))


def _moves(group: RampGroup, target: Setpoints, step: Setpoints) -> bool:
    for name in group.setpoints:  # noqa: SIM110 - most groups are of one setpoint, and a generator would be dearer
        if target[name] != step[name]:
            return True
    return False


def _discrete(
    target: Setpoints, step: dict[str, float], now: Situation, plan: RampPlan, keep: bool, standing: bool
) -> tuple[tuple[str, ...], set[str], Setpoints]:
    """Change in `step` the discrete values that may change now, and those that have to.

    Returns who waits, whose dwell gave way, and the last command with the values that T0-T2 demand.
    """
    assert now.last is not None
    changing = [name for name in plan.discrete if target[name] != now.last[name]]
    if not keep:
        step.update({name: target[name] for name in changing if not _timed(name, target[name], now, plan)})
    waived, forced = set(), dict(now.last)
    for name in changing if not standing else ():
        permitted = _permitted(name, target, step, now, plan)
        if permitted and step[name] == now.last[name]:
            free = [value for value in permitted if _is_free(name, value, target, step, now, plan)]
            step[name] = (free or permitted)[0]
            if not free:
                waived.add(name)
        if permitted[:1] == [step[name]]:
            forced[name] = step[name]
    return tuple(name for name in changing if step[name] != target[name]), waived, forced


def _timed(name: str, value: float, now: Situation, plan: RampPlan) -> bool:
    """Whether a timer still keeps a discrete setpoint from taking a value."""
    assert now.last is not None
    moved = {**now.last, name: value}
    return any(isinstance(rule, Dwell) and rule.wait_us(moved, now) > 0 for rule in plan.by_setpoint[name])


def _permitted(name: str, target: Setpoints, step: Setpoints, now: Situation, plan: RampPlan) -> list[float]:
    """The values from the last one to the target that T0-T2 permit, nearest first; none unless they forbid the last one.

    Judged where everything else is on its way to: what a continuous setpoint can make good by itself demands no value.
    """
    assert now.last is not None
    last, goal = now.last[name], target[name]
    rules = [rule for rule in plan.by_setpoint[name] if is_entered(rule)]
    kept = _headed(name, last, target, step, plan)
    forbidden = last not in plan.values[name] or any(
        rule.margin(now.last, now) < 0 and rule.margin(kept, now) < 0 for rule in rules
    )
    if not forbidden:
        return []
    ahead = [value for value in plan.values[name] if last < value <= goal or goal <= value < last]
    return [
        value
        for value in sorted(ahead, key=lambda value: abs(value - last))
        if all(rule.margin(_headed(name, value, target, step, plan), now) >= 0 for rule in rules)
    ]


def _is_free(name: str, value: float, target: Setpoints, step: Setpoints, now: Situation, plan: RampPlan) -> bool:
    """Whether a discrete setpoint may take a value without any rule giving way."""
    moved = _headed(name, value, target, step, plan)
    return all(rule.margin(moved, now) >= 0 for rule in plan.by_setpoint[name] if may_give_way(rule))


def _headed(name: str, value: float, target: Setpoints, step: Setpoints, plan: RampPlan) -> Setpoints:
    """The point a step leads to with one discrete value: the other discrete values as they are in it, the rest at the target."""
    return {**target, **{other: step[other] for other in plan.discrete}, name: value}


def _move(
    group: RampGroup, target: Setpoints, step: dict[str, float], now: Situation, forced: Setpoints, standing: bool
) -> set[str]:
    """Move one group inside `step`; return the setpoints whose slew was waived."""
    slewed = min((_fraction(slew, target, now) for slew in group.slews), default=1.0)
    entered = () if standing else group.entered
    entries = [(_entry(rule, group, target, step, now, forced), rule) for rule in entered]
    needed = max((fraction for fraction, _ in entries), default=0.0)
    enters = needed > slewed
    due = [
        rule for fraction, rule in entries if enters and (fraction > 0.0 or _is_kept(rule, group, target, step, now))
    ]
    _along(group, target, step, now, slewed)
    _settle(group, step, now)
    if not enters:
        return set()
    _enter(group, target, step, now, needed, due)
    return {slew.setpoint for slew in group.slews if not slew.margin(step, now) >= 0}


def _fraction(slew: Slew | RateWindow, target: Setpoints, now: Situation) -> float:
    """The largest fraction of the way that one rule on rates permits."""
    assert now.last is not None
    distance = target[slew.setpoint] - now.last[slew.setpoint]
    up, down = slew.reach(now)
    allowed = (up if distance >= 0 else down) * _SHORTER
    return 1.0 if abs(distance) <= allowed else allowed / abs(distance)


def _entry(
    rule: CommandRule, group: RampGroup, target: Setpoints, step: Setpoints, now: Situation, forced: Setpoints
) -> float:
    """The fraction at which the line enters a rule that the last command violates, or would with the values that T0-T2
    demand; 0 where it does not.

    Outside of the limits on one setpoint the margin grows as the setpoint moves, and a relation's does so all along the
    line: both meet zero at the edge itself. What lies beyond it, as the other of two limits, does not count.
    """
    assert now.last is not None
    outside = rule.margin(step, now)
    if not outside < 0 or not (rule.margin(now.last, now) < 0 or rule.margin(forced, now) < 0):
        return 0.0
    inside = rule.margin(_goal(group, target, step), now)
    if not inside >= 0:
        return 0.0
    if isinstance(rule, _BOX):
        return -outside / abs(target[rule.setpoint] - step[rule.setpoint])
    return -outside / (inside - outside)


def _is_kept(rule: CommandRule, group: RampGroup, target: Setpoints, step: Setpoints, now: Situation) -> bool:
    """Whether a rule permits both ends of a group's line. Between them it does too, unless one setpoint goes ahead."""
    return rule.margin(step, now) >= 0 and rule.margin(_goal(group, target, step), now) >= 0


def _goal(group: RampGroup, target: Setpoints, step: Setpoints) -> Setpoints:
    """The end of the line of one group: its targets, and everything else as it is in the step."""
    return {**step, **{name: target[name] for name in group.setpoints}}


def _along(group: RampGroup, target: Setpoints, step: dict[str, float], now: Situation, fraction: float) -> None:
    """Put a group at a fraction of its line."""
    assert now.last is not None
    for name in group.setpoints:
        step[name] = _between(now.last[name], target[name], fraction)


def _between(one: float, other: float, fraction: float) -> float:
    """A fraction of the way from one number to another; rounding can carry it past neither."""
    reached = other if fraction >= 1.0 else one + fraction * (other - one)
    return min(max(reached, min(one, other)), max(one, other))


def _settle(group: RampGroup, step: dict[str, float], now: Situation) -> None:
    """Take back the last bit by which rounding carried a step over its rate."""
    assert now.last is not None
    for slew in group.slews:
        if not slew.margin(step, now) >= 0:
            step[slew.setpoint] = nextafter(step[slew.setpoint], now.last[slew.setpoint])


def _enter(
    group: RampGroup,
    target: Setpoints,
    step: dict[str, float],
    now: Situation,
    needed: float,
    due: Sequence[CommandRule],
) -> None:
    """Move each setpoint on as far as the rules that are due need it.

    One setpoint that goes ahead can break a relation that its group's line keeps, so relations are looked at once more for
    each there is. Where that does not settle it, the group goes on along its line together: the line is known to enter.
    """
    within = _within_rates(group, target, now)
    boxes = [rule for rule in due if isinstance(rule, _BOX)]
    others = [rule for rule in due if not isinstance(rule, _BOX)]
    for rule in (*boxes, *others * len(others)):
        if not rule.margin(step, now) >= 0:
            _push(rule, group, target, step, now, within)
    for further in _FURTHER:
        if all(rule.margin(step, now) >= 0 for rule in due):
            return
        _along(group, target, step, now, needed * (1.0 + further))
    if not all(rule.margin(step, now) >= 0 for rule in due):
        step.update({name: target[name] for name in group.setpoints})


def _within_rates(group: RampGroup, target: Setpoints, now: Situation) -> dict[str, float]:
    """The value each setpoint of a group reaches by its own rates, with no regard to the others."""
    assert now.last is not None
    fractions = dict.fromkeys(group.setpoints, 1.0)
    for slew in group.slews:
        fractions[slew.setpoint] = min(fractions[slew.setpoint], _fraction(slew, target, now))
    return {name: _between(now.last[name], target[name], fraction) for name, fraction in fractions.items()}


def _push(
    rule: CommandRule,
    group: RampGroup,
    target: Setpoints,
    step: dict[str, float],
    now: Situation,
    within: Setpoints,
) -> None:
    """Move on, as far as one rule needs it, those setpoints that help it: within their rates first, then beyond."""
    if isinstance(rule, _BOX):
        low, high = rule.box(step, now)
        step[rule.setpoint] = min(max(step[rule.setpoint], low), high)  # exactly on the edge
        return
    outside = rule.margin(step, now)
    helping = [
        name
        for name in group.setpoints
        if name in rule.setpoints and rule.margin({**step, name: target[name]}, now) > outside
    ]
    for ends in (within, target):
        start = dict(step)
        ahead = {
            name: ends[name] for name in helping if abs(target[name] - ends[name]) < abs(target[name] - step[name])
        }
        inside = rule.margin({**start, **ahead}, now)
        for further in _FURTHER if inside >= 0 else ():
            fraction = -outside / (inside - outside) * (1.0 + further)
            step.update({name: _between(start[name], end, fraction) for name, end in ahead.items()})
            if rule.margin(step, now) >= 0:
                return
        step.update(ahead)
        outside = inside
        if inside >= 0:
            return
