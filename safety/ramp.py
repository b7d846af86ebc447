"""From a target to a step: along the straight line from the last command, by the largest common fraction rates permit.

1. Discrete setpoints first: a change whose timer has not run out keeps the old value and is recorded as `waiting`,
   unless the old value has itself become forbidden by T0-T2; then dwell gives way.
2. Continuous setpoints joined by a relation share one fraction; all others ramp alone.
3. Where the last command has become forbidden by T0-T2, slew is waived as far as is needed to enter the permitted
   set, and only for the setpoints concerned.

The ramp is the same for every source. It never changes where the line leads: an unsafe target is refused, not repaired.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, nextafter
from typing import Protocol

from safety.rules import Bound, CommandRule, Dwell, Interlock, Relation, Situation, Slew
from safety.values import Setpoints, Tier

# A step is made this much shorter than its rate permits, so that rounding can never carry it over.
_SHORTER = 1.0 - 1e-9
_FURTHER = 1.0 + 1e-9


class Named(Protocol):
    """A setpoint's specification, as far as the ramp needs it."""

    @property
    def name(self) -> str: ...
    @property
    def values(self) -> tuple[float, ...] | None: ...


@dataclass(frozen=True, slots=True)
class RampGroup:
    """Continuous setpoints that move by one fraction, their slew rules, and the T0-T2 rules they must enter."""

    setpoints: tuple[str, ...]
    slews: tuple[Slew, ...]
    entered: tuple[CommandRule, ...]


@dataclass(frozen=True, slots=True)
class RampPlan:
    """How the setpoints of an envelope move, worked out once when it is loaded."""

    discrete: tuple[str, ...]
    groups: tuple[RampGroup, ...]
    by_setpoint: Mapping[str, tuple[CommandRule, ...]]


@dataclass(frozen=True, slots=True)
class Ramped:
    """A step, the discrete setpoints that wait for a timer, and those whose slew or dwell gave way to T0-T2."""

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
    slews = tuple(rule for rule in touching if isinstance(rule, Slew))
    entered = tuple(rule for rule in touching if rule.tier <= Tier.T2 and not rule.step_only)
    return RampGroup(names, slews, entered)


def ramp(target: Setpoints, now: Situation, plan: RampPlan, *, keep_discrete: bool = False) -> Ramped:
    """The step from `now.last` towards `target` within `now.dt_s`. Without a last command the step is the target."""
    if now.last is None:
        return Ramped(dict(target))
    step, waiting, waived = _discrete(target, now, plan, keep_discrete)
    for group in plan.groups:
        waived |= _move(group, target, step, now)
    return Ramped({name: step[name] for name in target}, waiting, frozenset(waived))


def _discrete(
    target: Setpoints, now: Situation, plan: RampPlan, keep: bool
) -> tuple[dict[str, float], tuple[str, ...], set[str]]:
    """The last command with the discrete values that may change now, who waits, and whose dwell gave way."""
    assert now.last is not None
    step, waiting, waived = dict(now.last), [], set()
    for name in plan.discrete:
        if target[name] == now.last[name]:
            continue
        timed = any(
            isinstance(rule, Dwell) and rule.wait_us({**now.last, name: target[name]}, now) > 0
            for rule in plan.by_setpoint[name]
        )
        if not (keep or timed):
            step[name] = target[name]
        elif _forbidden(name, now, plan):
            step[name] = target[name]
            waived.add(name)
        else:
            waiting.append(name)
    return step, tuple(waiting), waived


def _forbidden(name: str, now: Situation, plan: RampPlan) -> bool:
    """Whether the last value of a discrete setpoint violates a T0-T2 rule as of now."""
    assert now.last is not None
    rules = (rule for rule in plan.by_setpoint[name] if rule.tier <= Tier.T2 and not rule.step_only)
    return any(rule.margin(now.last, now) < 0 for rule in rules)


def _move(group: RampGroup, target: Setpoints, step: dict[str, float], now: Situation) -> set[str]:
    """Move one group inside `step`; return the setpoints whose slew was waived."""
    assert now.last is not None
    slewed = min((_fraction(slew, target, now) for slew in group.slews), default=1.0)
    needed = max((_entry(rule, target, step, now) for rule in group.entered), default=0.0)
    fraction = min(1.0, max(slewed, needed * _FURTHER))
    for name in group.setpoints:
        last = now.last[name]
        step[name] = target[name] if fraction >= 1.0 else last + fraction * (target[name] - last)
    if needed <= slewed:
        _settle(group, step, now)
        return set()
    _snap(group, target, step, now)
    return {slew.setpoint for slew in group.slews if not slew.margin(step, now) >= 0}


def _fraction(slew: Slew, target: Setpoints, now: Situation) -> float:
    """The largest fraction of the way that one slew rule permits."""
    assert now.last is not None
    distance = target[slew.setpoint] - now.last[slew.setpoint]
    up, down = slew.reach(now)
    allowed = (up if distance >= 0 else down) * _SHORTER
    return 1.0 if abs(distance) <= allowed else allowed / abs(distance)


def _entry(rule: CommandRule, target: Setpoints, step: dict[str, float], now: Situation) -> float:
    """The fraction at which the line enters a rule the last command violates; 0 where it does not.

    Margins are concave along the line, so the chord's zero lies inside the permitted set.
    """
    outside = rule.margin(step, now)
    inside = rule.margin({**step, **{name: target[name] for name in rule.setpoints}}, now)
    if outside >= 0 or not -inf < outside or not inside >= 0:
        return 0.0
    return -outside / (inside - outside)


def _settle(group: RampGroup, step: dict[str, float], now: Situation) -> None:
    """Take back the last bits by which rounding carried a step over its rate."""
    assert now.last is not None
    for slew in group.slews:
        while not slew.margin(step, now) >= 0 and step[slew.setpoint] != now.last[slew.setpoint]:
            step[slew.setpoint] = nextafter(step[slew.setpoint], now.last[slew.setpoint])


def _snap(group: RampGroup, target: Setpoints, step: dict[str, float], now: Situation) -> None:
    """Land exactly on the edge of the box that had to be entered; go all the way where rounding still misses a relation."""
    for rule in group.entered:
        if isinstance(rule, Bound | Interlock) and len(group.setpoints) == 1:
            low, high = rule.box(step, now)
            name = rule.setpoint
            if low <= target[name] <= high:
                step[name] = min(max(step[name], low), high)
    if any(not rule.margin(step, now) >= 0 for rule in group.entered if rule.margin(target, now) >= 0):
        step.update({name: target[name] for name in group.setpoints})
