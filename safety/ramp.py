"""From a target to a step: along the straight line from the last command, by the largest common fraction rates permit.

1. Discrete setpoints first: a change whose timer has not run out keeps the old value and is recorded as `waiting`,
   unless the old value has itself become forbidden by T0-T2; then dwell gives way.
2. Continuous setpoints joined by a relation share one fraction; all others ramp alone.
3. Where the last command has become forbidden by T0-T2, slew is waived as far as is needed to enter the permitted
   set, and only for the setpoints concerned. What only the new discrete values forbid waives nothing: then it is for
   the discrete values to wait.

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

# A step is made this much shorter than its rate permits, so that rounding can never carry it over.
_SHORTER = 1.0 - 1e-9
# Where rounding misses the edge of the permitted set, how much further each try goes.
_FURTHER = (0.0, 1e-12, 1e-9, 1e-6, 1e-3)


class Named(Protocol):
    """A setpoint's specification, as far as the ramp needs it."""

    @property
    def name(self) -> str: ...
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
    return RampPlan(discrete, tuple(_group(names, rules) for names in groups), by_setpoint)


def _group(names: tuple[str, ...], rules: Sequence[CommandRule]) -> RampGroup:
    touching = [rule for rule in rules if set(names) & set(rule.setpoints)]
    slews = tuple(rule for rule in touching if isinstance(rule, Slew | RateWindow))
    return RampGroup(names, slews, tuple(filter(is_entered, touching)))


def is_entered(rule: CommandRule) -> bool:
    """Whether a ramp must enter what a rule permits, where the last command has become forbidden by it."""
    return rule.tier <= Tier.T2 and not rule.step_only


def ramp(
    target: Setpoints, now: Situation, plan: RampPlan, *, keep_discrete: bool = False, standing: bool = False
) -> Ramped:
    """The step from `now.last` towards `target` within `now.dt_s`. Without a last command the step is the target.

    `standing`: every rule that would have to be entered is known to permit the last command, so none need be asked.
    """
    if now.last is None:
        return Ramped(dict(target))
    step = dict(now.last)
    waiting, waived, demanded = _discrete(target, step, now, plan, keep_discrete, standing)
    for group in plan.groups:
        if _moves(group, target, step):
            waived |= _move(group, target, step, now, demanded, standing)
    return Ramped({name: step[name] for name in target}, waiting, frozenset(waived))


def _moves(group: RampGroup, target: Setpoints, step: Setpoints) -> bool:
    for name in group.setpoints:  # noqa: SIM110 - most groups are of one setpoint, and a generator would be dearer
        if target[name] != step[name]:
            return True
    return False


def _discrete(
    target: Setpoints, step: dict[str, float], now: Situation, plan: RampPlan, keep: bool, standing: bool
) -> tuple[tuple[str, ...], set[str], bool]:
    """Change in `step` the discrete values that may change now.

    Returns who waits, whose dwell gave way, and whether a change was demanded by T0-T2.
    """
    assert now.last is not None
    waiting, waived, demanded = [], set(), False
    for name in plan.discrete:
        if target[name] == now.last[name]:
            continue
        timed = _timed(name, target[name], now, plan)
        forbidden = not standing and _forbidden(name, now, plan)
        if forbidden or not (keep or timed):
            step[name] = target[name]
            demanded = demanded or forbidden
            if timed:
                waived.add(name)
        else:
            waiting.append(name)
    return tuple(waiting), waived, demanded


def _timed(name: str, value: float, now: Situation, plan: RampPlan) -> bool:
    """Whether a timer still keeps a discrete setpoint from taking a value."""
    assert now.last is not None
    moved = {**now.last, name: value}
    return any(isinstance(rule, Dwell) and rule.wait_us(moved, now) > 0 for rule in plan.by_setpoint[name])


def _forbidden(name: str, now: Situation, plan: RampPlan) -> bool:
    """Whether the last value of a discrete setpoint violates a T0-T2 rule as of now."""
    assert now.last is not None
    return any(rule.margin(now.last, now) < 0 for rule in plan.by_setpoint[name] if is_entered(rule))


def _move(
    group: RampGroup, target: Setpoints, step: dict[str, float], now: Situation, demanded: bool, standing: bool
) -> set[str]:
    """Move one group inside `step`; return the setpoints whose slew was waived."""
    slewed = min((_fraction(slew, target, now) for slew in group.slews), default=1.0)
    entered = () if standing and not demanded else group.entered
    entries = [(_entry(rule, group, target, step, now, demanded), rule) for rule in entered]
    needed = max((fraction for fraction, _ in entries), default=0.0)
    if needed <= slewed:
        _along(group, target, step, now, slewed)
        _settle(group, step, now)
        return set()
    _enter(group, target, step, now, needed, [rule for fraction, rule in entries if fraction > 0.0])
    return {slew.setpoint for slew in group.slews if not slew.margin(step, now) >= 0}


def _fraction(slew: Slew | RateWindow, target: Setpoints, now: Situation) -> float:
    """The largest fraction of the way that one rule on rates permits."""
    assert now.last is not None
    distance = target[slew.setpoint] - now.last[slew.setpoint]
    up, down = slew.reach(now)
    allowed = (up if distance >= 0 else down) * _SHORTER
    return 1.0 if abs(distance) <= allowed else allowed / abs(distance)


def _entry(
    rule: CommandRule, group: RampGroup, target: Setpoints, step: Setpoints, now: Situation, demanded: bool
) -> float:
    """The fraction at which the line enters a rule the last command violates; 0 where it does not.

    Outside of the limits on one setpoint the margin grows as the setpoint moves, and a relation's does so all along the
    line: both meet zero at the edge itself. What lies beyond it, as the other of two limits, does not count.
    """
    assert now.last is not None
    outside = rule.margin(step, now)
    if not outside < 0 or not (demanded or rule.margin(now.last, now) < 0):
        return 0.0
    inside = rule.margin(_goal(group, target, step), now)
    if not inside >= 0:
        return 0.0
    if isinstance(rule, Bound | Interlock | Budget):
        return -outside / abs(target[rule.setpoint] - step[rule.setpoint])
    return -outside / (inside - outside)


def _goal(group: RampGroup, target: Setpoints, step: Setpoints) -> Setpoints:
    """Where the line of one group ends: its targets, and everything else as it is in the step."""
    return {**step, **{name: target[name] for name in group.setpoints}}


def _along(group: RampGroup, target: Setpoints, step: dict[str, float], now: Situation, fraction: float) -> None:
    """Put a group at a fraction of its line; rounding can carry it neither past the target nor back past the last."""
    assert now.last is not None
    for name in group.setpoints:
        last, goal = now.last[name], target[name]
        reached = goal if fraction >= 1.0 else last + fraction * (goal - last)
        step[name] = min(max(reached, min(last, goal)), max(last, goal))


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
    entering: Sequence[CommandRule],
) -> None:
    """Move as far as the rules to be entered ask for, and no further than rounding makes necessary."""
    for further in _FURTHER:
        _along(group, target, step, now, needed * (1.0 + further))
        for rule in entering:
            if isinstance(rule, Bound | Interlock | Budget) and rule.setpoint in group.setpoints:
                low, high = rule.box(step, now)
                step[rule.setpoint] = min(max(step[rule.setpoint], low), high)  # exactly on the edge
        if all(rule.margin(step, now) >= 0 for rule in entering):
            return
    step.update({name: target[name] for name in group.setpoints})
