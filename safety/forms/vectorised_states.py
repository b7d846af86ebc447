"""The state rules for many observations at once, for training and for the replay of large logs.

The arithmetic is that of `aged` and `margin` of each kind, element by element, so that states and margins agree to the
bit; `tests.safety.campaigns.differential_states` says so. Signals are as the input manager passes them on. What is latched, and
which sources lose authority, stays with `safety.decide`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf, nextafter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safety.forms.vectorised import Flags, Floats
from safety.rules.base import US_PER_S, StateRule
from safety.rules.conditions import Linear
from safety.rules.state_rules import Novelty, Readback, Recoverability, Staleness, Trip, Watchdog

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Observations:
    """Many observations: by name, arrays `[n]`, or `[ticks, n]` for a log of n plants.

    `elapsed_us` is the time since the states were last aged; a clock that went back counts as zero time. A NaN in
    `signals` is an unknown signal; a signal without ages is as young as can be. `applied` and `readback` may
    be masked arrays: a masked element is one that is not there; empty mappings: nothing is applied, nothing read back.
    """

    elapsed_us: Integers
    signals: Mapping[str, Floats] = field(default_factory=dict)
    ages_us: Mapping[str, Integers] = field(default_factory=dict)
    applied: Mapping[str, Floats] = field(default_factory=dict)
    readback: Mapping[str, Floats] = field(default_factory=dict)

    def at(self, which: Any) -> "Observations":
        """Those that an index of the first axis picks."""
        parts = (self.signals, self.ages_us, self.applied, self.readback)
        return Observations(self.elapsed_us[which], *({name: of[which] for name, of in part.items()} for part in parts))

    def known(self, name: str) -> Floats:
        """The values of a signal, NaN where it is missing, not good, or not finite."""
        value = self.signals.get(name)
        if value is None:
            return np.full(self.elapsed_us.shape, np.nan)
        return np.where(np.isfinite(value), value, np.nan)


@dataclass(frozen=True, slots=True)
class Found:
    """What one rule says: `margin [n]` in its unit and `state [n, k]` after, k of its kind; a log's have ticks before n."""

    margin: Floats
    state: Floats

    @property
    def satisfied(self) -> Flags:
        """Whether it takes no authority away. NaN is unknown, and is not satisfied."""
        return np.asarray(self.margin >= 0)


def watch(rules: Iterable[StateRule], seen: Observations, states: Mapping[str, Floats]) -> dict[str, Found]:
    """Judge observations `[n]`, each independent of the others, by every rule; return the answers by rule id.

    `states` by rule id, `[n, k]`: what is remembered from before; where it is missing or NaN, nothing is. Raises
    ValueError on a state that is not of its rule's shape.
    """
    found = replay(rules, seen.at(np.newaxis), states)
    return {name: Found(each.margin[0], each.state[0]) for name, each in found.items()}


def replay(rules: Iterable[StateRule], log: Observations, states: Mapping[str, Floats]) -> dict[str, Found]:
    """Judge every tick of a log `[ticks, n]`, by rule id; `states [n, k]` is from before the first tick.

    All lanes at once, and what remembers nothing all ticks at once. Raises ValueError on a state that is not of its
    rule's shape.
    """
    found: dict[str, Found] = {}
    # A comparison with NaN is false, which refuses; inf - inf is NaN, which refuses.
    with np.errstate(invalid="ignore", over="ignore"):
        for rule in rules:
            after = _aged(rule, log, _remembered(rule, states, log.elapsed_us.shape[1]))
            found[rule.id] = Found(_margin(rule, log, after), after)
    return found


def _remembered(rule: StateRule, states: Mapping[str, Floats], size: int) -> Floats:
    """The remembered state of a rule `[n, k]`; a fresh one where that is unknown (`safety.rules.base.state_of`)."""
    fresh = np.tile(np.array(rule.fresh(), dtype=float), (size, 1))
    state = states.get(rule.id)
    if state is None:
        return fresh
    if state.shape != fresh.shape:
        raise ValueError(
            f"state of rule `{rule.id}` has shape {state.shape}, wanted {fresh.shape}: give a row per lane"
        )
    return np.where(np.isnan(state.sum(axis=1, keepdims=True)), fresh, state)


def _aged(rule: StateRule, log: Observations, state: Floats) -> Floats:
    """The states after every tick `[ticks, n, k]`."""
    passed_us = np.maximum(log.elapsed_us, 0).astype(float)
    match rule:
        case Trip():
            inside = _inside(rule, log)
            return _timed(~(inside >= 0), ~np.isfinite(log.known(rule.signal)), passed_us, state)
        case Readback():
            gap, absent = _gap(rule, log)
            return _timed(~absent & ~(gap <= rule.tolerance), np.zeros_like(absent), passed_us, state)
        case Watchdog():
            return _silent(log.known(rule.signal), passed_us, state)
        case _:
            return np.empty((*passed_us.shape, 0))


def _timed(violated: Flags, kept: Flags, passed_us: Floats, state: Floats) -> Floats:
    """Return how long a rule has been violated, and whether that was seen. The first sight of it starts the count.

    Where the rule is satisfied nothing is remembered, so the loop visits only ticks on which some lane is violated. Where
    `kept` is set nothing is known, and the state stays.
    """
    after = np.zeros((*violated.shape, 2))
    for at in np.flatnonzero(violated.any(axis=1)):
        violated_us, seen = (after[at - 1] if at else state).T
        counted = np.where(violated[at] & (seen != 0), violated_us + passed_us[at], 0.0)
        after[at, :, 0] = np.where(kept[at], violated_us, counted)
        after[at, :, 1] = np.where(kept[at], seen, violated[at])
    return after


def _silent(beats: Floats, passed_us: Floats, state: Floats) -> Floats:
    """The last beat, and how long it has not changed."""
    after = np.empty((*beats.shape, 2))
    beat, silent_us = state.T
    for at in range(len(beats)):
        same = np.isnan(beats[at]) | (beats[at] == beat)
        silent_us = np.where(same, silent_us + passed_us[at], 0.0)
        beat = np.where(same, beat, beats[at])
        after[at, :, 0], after[at, :, 1] = beat, silent_us
    return after


def _margin(rule: StateRule, seen: Observations, state: Floats) -> Floats:
    match rule:
        case Staleness():
            return _staleness(rule, seen)
        case Trip():
            inside = _inside(rule, seen)
            return np.where((inside < 0) & (state[..., 0] < _at_least(rule.on_delay_us)), 0.0, inside)
        case Readback():
            return _readback(rule, seen, state)
        case Watchdog():
            return np.asarray((rule.max_silence_us - state[..., 1]) / US_PER_S)
        case Recoverability():
            rise = rule.horizon_us / US_PER_S * _linear(rule.rise, seen)
            return np.asarray(rule.high - (seen.known(rule.signal) + rise))
        case Novelty():
            return np.asarray(rule.high - seen.known(rule.signal))
        case _:
            raise TypeError(f"rule `{rule.id}`: kind {type(rule).__name__} has no vectorised form")


def _staleness(rule: Staleness, seen: Observations) -> Floats:
    oldest_us = np.zeros(seen.elapsed_us.shape, dtype=np.int64)
    unfit = np.zeros(oldest_us.shape, dtype=bool)
    for name in rule.signals:
        age_us = seen.ages_us.get(name, np.zeros_like(oldest_us))
        unfit |= np.isnan(seen.known(name)) | (age_us < 0)
        oldest_us = np.maximum(oldest_us, age_us)
    left_us = rule.max_age_us - oldest_us
    if np.abs(left_us).max(initial=0) >= 2**53:
        left_us = left_us.astype(object)  # beyond this only Python divides integers as they are
    return np.where(unfit, np.nan, (left_us / US_PER_S).astype(float))


def _inside(rule: Trip, seen: Observations) -> Floats:
    value = seen.known(rule.signal)
    above, below = value - rule.low, rule.high - value
    return np.where(below < above, below, above)


def _readback(rule: Readback, seen: Observations, state: Floats) -> Floats:
    gap, absent = _gap(rule, seen)
    young = (gap > rule.tolerance) & (state[..., 0] < _at_least(rule.delay_us))
    commanded = np.zeros(absent.shape, dtype=bool)
    for values in seen.applied.values():
        commanded |= ~np.ma.getmaskarray(values)
    nothing_to_see = np.where(commanded, np.nan, np.inf)
    return np.where(absent, nothing_to_see, np.where(young, 0.0, rule.tolerance - gap))


def _gap(rule: Readback, seen: Observations) -> tuple[Floats, Flags]:
    """The distance between command and read-back, and where one of them is missing."""
    commanded, read = seen.applied.get(rule.setpoint), seen.readback.get(rule.setpoint)
    if commanded is None or read is None:
        return np.full(seen.elapsed_us.shape, np.nan), np.ones(seen.elapsed_us.shape, dtype=bool)
    gap = np.abs(np.ma.getdata(commanded) - np.ma.getdata(read))
    return gap, np.ma.getmaskarray(commanded) | np.ma.getmaskarray(read)


def _linear(linear: Linear, seen: Observations) -> Floats:
    """The sum, NaN where it is unknown. An infinite signal makes the sum infinite or NaN, so looking at that is enough."""
    total = np.full(seen.elapsed_us.shape, linear.constant)
    if not linear.terms:
        return total
    for name, coefficient in linear.terms:
        total = total + coefficient * seen.known(name)
    return np.where(np.isfinite(total), total, np.nan)


def _at_least(number: int) -> float:
    """The smallest float that is not below an integer: a float is below the one where it is below the other."""
    near = float(number)
    return nextafter(near, inf) if near < number else near
