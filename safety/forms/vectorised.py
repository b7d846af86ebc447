"""The rules of a rung for many judgements at once, for training and for the replay of large logs.

The arithmetic is that of `judge_rule`, element by element, so margins agree to the bit; a differential test says so.
A NaN in `signals` is an unknown signal. What a stateful rule remembers comes in worked out, see `Batch.states`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from safety.envelope import Envelope
from safety.rules.base import US_PER_S, CommandRule
from safety.rules.command_rules import Bound, Dwell, Interlock, Permissive, RateWindow, Relation, Slew, TrustRegion
from safety.rules.conditions import AllOf, AnyOf, Comparison, Condition, Linear, Not
from safety.rules.money_rules import Budget, SpendRate
from safety.values import Rung

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Batch:
    """Many judgements: by name, arrays `[n]`. `last` and `reference` may be empty: nobody has one.

    `states` by rule id. A dwell, `[n, 3]`: the microseconds since the last raise, since the last lowering, and to wait for
    the window of starts (-inf where it is not full). A rate_window, `[n]`: the distance already moved in its window.
    """

    target: Mapping[str, Floats]
    step: Mapping[str, Floats]
    signals: Mapping[str, Floats]
    dt_s: Floats
    last: Mapping[str, Floats] = field(default_factory=dict)
    reference: Mapping[str, Floats] = field(default_factory=dict)
    states: Mapping[str, Floats] = field(default_factory=dict)

    found: dict[object, tuple[Floats | float, Flags | None]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def size(self) -> int:
        return len(self.dt_s)


def margins(envelope: Envelope, rung: Rung, batch: Batch) -> dict[str, Floats]:
    """The smaller margin of target and step `[n]`, by rule id."""
    found: dict[str, Floats] = {}
    # A comparison with NaN is false, which refuses; inf - inf is NaN, which refuses.
    with np.errstate(invalid="ignore", over="ignore"):
        for rule in envelope.binding[rung]:
            of_step = _margin(rule, batch.step, batch)
            if not rule.step_only:
                of_target = _margin(rule, batch.target, batch)
                of_step = np.where((of_step < of_target) | np.isnan(of_step), of_step, of_target)
            found[rule.id] = of_step
    return found


def accepts(envelope: Envelope, rung: Rung, batch: Batch) -> Flags:
    """Whether T0 permits the step and no rule refuses `[n]`."""
    accepted = np.ones(batch.size, dtype=bool)
    for spec in envelope.setpoints:
        value = batch.step[spec.name]
        accepted &= (value >= spec.low) & (value <= spec.high)
        if spec.values is not None:
            accepted &= np.isin(value, spec.values)
    with np.errstate(invalid="ignore", over="ignore"):
        for rule in envelope.binding[rung]:
            for proposed in (batch.step,) if rule.step_only else (batch.target, batch.step):
                if isinstance(rule, Bound):
                    value = proposed[rule.setpoint]
                    accepted &= (value >= rule.low) & (value <= rule.high)
                else:
                    accepted &= _margin(rule, proposed, batch) >= 0
    return accepted


def _margin(rule: CommandRule, proposed: Mapping[str, Floats], batch: Batch) -> Floats:
    match rule:
        case Bound():
            return _between(proposed[rule.setpoint], rule.low, rule.high)
        case Interlock():
            return _interlock(rule, proposed, batch)
        case Relation():
            return _relation(rule, proposed, batch)
        case Slew():
            return _slew(rule, proposed, batch)
        case TrustRegion():
            if not batch.reference:
                return np.full(batch.size, np.nan)
            return np.asarray(rule.distance - np.abs(proposed[rule.setpoint] - batch.reference[rule.setpoint]))
        case Dwell():
            return _dwell(rule, proposed, batch)
        case RateWindow():
            return _rate_window(rule, proposed, batch)
        case Permissive():
            return _permissive(rule, proposed, batch)
        case Budget():
            return _budget(rule, proposed, batch)
        case _:
            raise TypeError(f"rule `{rule.id}`: kind {type(rule).__name__} has no vectorised form")


def _between(value: Floats, low: Floats | float, high: Floats | float) -> Floats:
    above, below = value - low, high - value
    return np.where(below < above, below, above)


def _interlock(rule: Interlock, proposed: Mapping[str, Floats], batch: Batch) -> Floats:
    low, unknown_low = _linear(rule.low, -np.inf, proposed, batch)
    high, unknown_high = _linear(rule.high, np.inf, proposed, batch)
    value = proposed[rule.setpoint]
    margin = _between(value, low, high)
    unknown = _either(unknown_low, unknown_high)
    if unknown is not None:
        declared = np.nan if rule.if_unknown is None else _between(value, *rule.if_unknown)
        margin = np.where(unknown, declared, margin)
    if rule.when is not None:
        holds, unknown = _condition(rule.when, proposed, batch)
        margin = np.where(holds if unknown is None else holds | unknown, margin, np.inf)
    odd = ~np.isfinite(value)
    return np.where(odd, np.nan, margin) if odd.any() else margin


def _relation(rule: Relation, proposed: Mapping[str, Floats], batch: Batch) -> Floats:
    limit, unknown = _linear(rule.limit, 0.0, proposed, batch)
    if unknown is not None:
        limit = np.where(unknown, np.nan if rule.if_unknown is None else rule.if_unknown, limit)
    total, size = np.zeros(batch.size), np.abs(limit) + np.zeros(batch.size)
    for name, coefficient in rule.terms:
        part = coefficient * proposed[name]
        total += part
        size += np.abs(part)
    return np.asarray(limit - total + 2.0**-48 * size)


def _slew(rule: Slew, proposed: Mapping[str, Floats], batch: Batch) -> Floats:
    if not batch.last:
        return np.full(batch.size, np.inf)
    moved = proposed[rule.setpoint] - batch.last[rule.setpoint]
    up = np.inf if rule.up_per_s == np.inf else rule.up_per_s * batch.dt_s
    down = np.inf if rule.down_per_s == np.inf else rule.down_per_s * batch.dt_s
    return np.where(moved >= 0, up - moved, down + moved)


def _dwell(rule: Dwell, proposed: Mapping[str, Floats], batch: Batch) -> Floats:
    if not batch.last:
        return np.full(batch.size, np.inf)
    value, last, state = proposed[rule.setpoint], batch.last[rule.setpoint], batch.states[rule.id]
    raising = np.maximum(rule.min_off_us - state[:, 1], state[:, 2])
    wait = np.where(value < last, rule.min_on_us - state[:, 0], raising)
    return -np.where(value == last, -np.inf, wait) / US_PER_S


def _rate_window(rule: RateWindow, proposed: Mapping[str, Floats], batch: Batch) -> Floats:
    if not batch.last:
        return np.full(batch.size, np.inf)
    moved = np.abs(proposed[rule.setpoint] - batch.last[rule.setpoint])
    left = np.maximum(0.0, rule.most - batch.states[rule.id])
    return np.where(moved == 0, np.inf, left - moved)


def _permissive(rule: Permissive, proposed: Mapping[str, Floats], batch: Batch) -> Floats:
    holds, unknown = _condition(rule.require, proposed, batch)
    answer = np.where(holds if unknown is None else holds & ~unknown, 0.0, -1.0)
    return np.where(proposed[rule.setpoint] <= batch.last[rule.setpoint], np.inf, answer) if batch.last else answer


def _budget(rule: Budget, proposed: Mapping[str, Floats], batch: Batch) -> Floats:
    found = batch.found.get(rule)
    if found is None:
        found = batch.found[rule] = (np.where(_enough(rule, batch), np.inf, rule.idle), None)
    return np.asarray(found[0] - proposed[rule.setpoint])


def _enough(rule: Budget, batch: Batch) -> Flags:
    parts = [_signal(name, batch) for name in rule.looked_up]
    known = np.ones(batch.size, dtype=bool)
    for part in parts:
        known &= (part >= 0) & (part < 2.0**53) & (part == np.floor(part))
    spent, reserved, limit, charge = (np.where(known, part, 0.0).astype(np.int64) for part in parts)
    if not isinstance(rule, SpendRate):
        return np.asarray(known & (limit - spent - reserved - charge >= 0))
    out = spent + reserved + charge
    if max(limit.max(initial=0) * rule.most_per_mille, out.max(initial=0) * 1000) >= 2**62:
        limit, out = limit.astype(object), out.astype(object)  # Python's integers do not end
    return np.asarray(known & (limit * rule.most_per_mille - 1000 * out >= 0).astype(bool))


def _signal(name: str, batch: Batch) -> Floats:
    found = batch.signals.get(name)
    return np.full(batch.size, np.nan) if found is None else found


def _value(name: str, proposed: Mapping[str, Floats], batch: Batch) -> Floats:
    return proposed[name] if name in proposed else _signal(name, batch)


def _linear(
    linear: Linear | None, absent: float, proposed: Mapping[str, Floats], batch: Batch
) -> tuple[Floats | float, Flags | None]:
    """The value, and where it is unknown (None: nowhere). What only signals decide is worked out once for a batch.

    An infinite signal makes the sum infinite or NaN, so that looking at the sum is enough.
    """
    if linear is None or not linear.terms:
        return (absent if linear is None else linear.constant), None
    if linear in batch.found:
        return batch.found[linear]
    total: Floats | float = linear.constant
    for name, coefficient in linear.terms:
        value = _value(name, proposed, batch)
        total = total + (value if coefficient == 1.0 else coefficient * value)
    known = np.isfinite(total)
    answer = total, (None if known.all() else ~known)
    if not any(name in proposed for name, _ in linear.terms):
        batch.found[linear] = answer
    return answer


def _condition(condition: Condition, proposed: Mapping[str, Floats], batch: Batch) -> tuple[Flags, Flags | None]:
    """Whether it holds, and where that is unknown (None: nowhere)."""
    match condition:
        case Comparison(left, op, right):
            one, unknown_one = _linear(left, 0.0, proposed, batch)
            two, unknown_two = _linear(right, 0.0, proposed, batch)
            return np.asarray(_COMPARE[op](one, two)), _either(unknown_one, unknown_two)
        case AllOf(parts) | AnyOf(parts):
            answers = [_condition(part, proposed, batch) for part in parts]
            join = np.logical_and if isinstance(condition, AllOf) else np.logical_or
            return join.reduce([holds for holds, _ in answers]), reduce(_either, (unknown for _, unknown in answers))
        case Not(part):
            holds, unknown = _condition(part, proposed, batch)
            return ~holds, unknown


def _either(one: Flags | None, other: Flags | None) -> Flags | None:
    if one is None or other is None:
        return other if one is None else one
    return one | other


_COMPARE = {
    "<=": np.less_equal,
    "<": np.less,
    ">=": np.greater_equal,
    ">": np.greater,
    "==": np.equal,
    "!=": np.not_equal,
}
