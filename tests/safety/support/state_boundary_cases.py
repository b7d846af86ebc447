"""State rules of all six kinds, and observations that lie on each rule's own edge.

`watching_envelope` draws an envelope whose state rules do not hide behind one another, so that each can be the sole
reason. `cases_of` draws observations and memories: mostly satisfied, else up to 2 ulp (or 2 us) to either side of a rule's
edge, or beyond it. Signals are also bad, stale, missing, NaN or infinite, and ages below zero. Commands come without
read-back, and vectors lack a name. Memories are lost, cut short, or NaN; the clock stands still or goes back.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safety.envelope import Envelope
from safety.forms.vectorised import Flags, Floats
from safety.forms.vectorised_states import Integers, Observations
from safety.loading.spec import EnvelopeModel, build_envelope
from safety.rules.base import StateRule
from safety.rules.conditions import Linear
from safety.rules.state_rules import Novelty, Readback, Recoverability, Staleness, Trip, Watchdog
from safety.values import Observation, Quality, RuleState, Setpoints, Signal

SIGNALS = ("inlet", "flow", "load", "supply", "beat", "unusual")
SETPOINTS = ("air", "water")
ODD = np.array([np.nan, np.inf, -np.inf, -0.0, 1e308, -1e308, 5e-324, 1e160])
WHY = {"hazard": "made up", "basis": "made up"}
_ELAPSED_US = (0, 1, 30_000_000, 300_000_000, 10**10, -1, -(10**12))
_US = 1_000_000

# The fate of a signal, and of the vectors of a case.
_GOOD, _BAD, _STALE, _MISSING = range(4)
_WHOLE, _NONE, _EMPTY, _LACKING = range(4)
_QUALITY = {_GOOD: Quality.GOOD, _BAD: Quality.BAD, _STALE: Quality.STALE}
# The fate of a state: as it was, not there, too short, no number, or infinities that cancel out.
_KEPT, _LOST, _SHORT, _NAN, _OPPOSED = range(5)


def watching_envelope(seed: int) -> Envelope:
    """An envelope of two setpoints and nine state rules, its numbers drawn by a seed."""
    draw = np.random.default_rng(seed)

    def n(low: float, high: float, digits: int = 2) -> float:
        return float(np.round(draw.uniform(low, high), digits))

    def delay_s() -> float:
        return float(draw.choice([0.0, 60.0, 300.5, 900.0]))

    def rule(name: str, kind: str, tier: str, unit: str, **more: Any) -> dict[str, Any]:
        return {"id": name, "kind": kind, "tier": tier, "unit": unit, **WHY, **more}

    worst = f"{n(0.001, 0.002, 5)} * load - {n(0.001, 0.002, 5)} * flow + {n(0.001, 0.002, 5)}"
    rules = [
        *(rule(f"{name.upper()}-BOUND", "bound", "T1", "u", setpoint=name, low=-60, high=60) for name in SETPOINTS),
        rule("FRESH", "staleness", "T5", "s", signals=["inlet", "flow"], max_age_s=n(30, 600)),
        rule("INLET-TRIP", "trip", "T1", "u", signal="inlet", low=n(-30, -20), high=n(30, 34), on_delay_s=delay_s()),
        rule("FLOW-TRIP", "trip", "T2", "u", signal="flow", low=n(-20, -16), high=n(16, 20), on_delay_s=delay_s()),
        rule("HEART", "watchdog", "T5", "s", signal="beat", max_silence_s=n(30, 600)),
        rule("INLET-RISE", "recoverability", "T5", "u", signal="inlet", rise_per_s=worst, horizon_s=600, high=n(24, 28), margin=1),
        rule("SUPPLY-RISE", "recoverability", "T5", "u", signal="supply", rise_per_s=n(0.001, 0.01, 5), horizon_s=300.5,
             high=n(18, 22), margin=0.3),
        rule("STRANGE", "novelty", "T5", "1", signal="unusual", high=n(2, 4)),
        rule("AIR-OBEYED", "readback", "T5", "u", setpoint="air", tolerance=n(0.1, 0.9), delay_s=delay_s()),
        rule("WATER-OBEYED", "readback", "T5", "u", setpoint="water", tolerance=0, delay_s=delay_s()),
    ]  # fmt: skip
    model = {
        "plant": "watching", "period_s": 300, "guard_period_s": 30, "valid_for_s": 900, "hold_max_s": 600,
        "setpoint": [{"name": name, "unit": "u", "low": -100, "high": 100} for name in SETPOINTS],
        "signal": [{"name": name, "unit": "1" if name == "unusual" else "u", "low": -50, "high": 50} for name in SIGNALS],
        "rule": rules,
    }  # fmt: skip
    return build_envelope(EnvelopeModel.model_validate(model))


@dataclass(frozen=True, slots=True)
class Cases:
    """Many cases: `seen` and `states` for all at once, and what the plain form needs to be given the same.

    `lost` by rule id `[n]`: the fate of its state; `fate` by signal, `applied` and `readback` alike.
    """

    seen: Observations
    states: Mapping[str, Floats]
    lost: Mapping[str, Integers]
    fate: Mapping[str, Integers]
    applied: Integers
    readback: Integers

    def each(self) -> Iterator[tuple[Observation, dict[str, RuleState], int]]:
        """(observation, states, elapsed_us) of every case, as the plain form takes them."""
        signals = [self._signals(name) for name in SIGNALS]
        vectors = (_vectors(self.seen.applied, self.applied), _vectors(self.seen.readback, self.readback))
        states = [_states(values, self.lost[name]) for name, values in self.states.items()]
        elapsed_us = self.seen.elapsed_us.tolist()
        for at in range(len(elapsed_us)):
            seen = {name: of[at] for name, of in zip(SIGNALS, signals, strict=True)}
            known = {name: signal for name, signal in seen.items() if signal is not None}
            kept = {name: of[at] for name, of in zip(self.states, states, strict=True)}
            observation = Observation("watching", "", 0, known, applied=vectors[0][at], readback=vectors[1][at])
            yield observation, {name: state for name, state in kept.items() if state is not None}, elapsed_us[at]

    def _signals(self, name: str) -> list[Signal | None]:
        rows = zip(
            self.seen.signals[name].tolist(), self.fate[name].tolist(), self.seen.ages_us[name].tolist(), strict=True
        )
        # What the plain form may not use is given a value all the same: it must not be looked at.
        return [
            None if fate == _MISSING else Signal(20.0 if fate else value, _QUALITY[fate], age_us)
            for value, fate, age_us in rows
        ]


def _vectors(arrays: Mapping[str, Floats], fate: Integers) -> list[Setpoints | None]:
    values = [np.ma.getdata(arrays[name]).tolist() for name in SETPOINTS]
    there = [(~np.ma.getmaskarray(arrays[name])).tolist() for name in SETPOINTS]
    rows: list[Setpoints | None] = []
    for at, kind in enumerate(fate.tolist()):
        row = {name: of[at] for name, of, has in zip(SETPOINTS, values, there, strict=True) if has[at]}
        rows.append(None if kind == _NONE else row)
    return rows


def _states(values: Floats, lost: Integers) -> list[RuleState | None]:
    changed: Mapping[int, Callable[[RuleState], RuleState | None]] = {
        _LOST: lambda state: None,
        _SHORT: lambda state: (5.0,) if state else (),
    }
    kept = [tuple(row) for row in values.tolist()]
    return [changed[how](state) if how in changed else state for state, how in zip(kept, lost.tolist(), strict=True)]


def cases_of(envelope: Envelope, seed: int, size: int) -> Cases:
    """Cases drawn by a seed."""
    return _Drawn(envelope, np.random.default_rng((seed, 2)), size).cases()


class _Drawn:
    """The arrays of some cases `[n]`, drawn: first all well, then some put on an edge, then some spoilt."""

    def __init__(self, envelope: Envelope, draw: np.random.Generator, size: int) -> None:
        self.rules, self.draw, self.size = envelope.state_rules, draw, size
        self.elapsed_us: Integers = draw.choice(_ELAPSED_US, size, p=[0.1, 0.1, 0.2, 0.3, 0.1, 0.1, 0.1])
        self.passed_us = np.maximum(self.elapsed_us, 0)
        self.signals = {name: draw.normal(0.0, 4.0, size) for name in SIGNALS}
        self.signals["unusual"] = np.abs(draw.normal(0.0, 0.5, size))
        self.ages_us: dict[str, Integers] = {name: draw.choice([0, 1, _US, 20 * _US], size) for name in SIGNALS}
        self.applied = {name: draw.normal(20.0, 4.0, size) for name in SETPOINTS}
        self.readback = {name: values.copy() for name, values in self.applied.items()}
        self.states = {rule.id: self._remembered(rule) for rule in envelope.state_rules}

    def cases(self) -> Cases:
        chosen = self.draw.integers(len(self.rules) + 3, size=self.size)
        for number, rule in enumerate(self.rules):
            self._put_on_edge(rule, np.flatnonzero(chosen == number))
        fate = {name: self._spoilt(name) for name in SIGNALS}
        lost = {name: self._forgotten(state) for name, state in self.states.items()}
        applied, readback = self._vectors(self.applied), self._vectors(self.readback)
        signals = {name: np.where(fate[name] == _GOOD, values, np.nan) for name, values in self.signals.items()}
        seen = Observations(self.elapsed_us, signals, self.ages_us, applied[0], readback[0])
        states = {name: values for name, values in self.states.items() if values.shape[1]}
        return Cases(seen, states, lost, fate, applied[1], readback[1])

    def _remembered(self, rule: StateRule) -> Floats:
        """Mostly well. A watchdog remembers another beat than the present one, or the same for a while."""
        state = np.zeros((self.size, len(rule.fresh())))
        if isinstance(rule, Watchdog):
            same = self.draw.random(self.size) < 0.3
            state[:, 0] = np.where(same, self.signals[rule.signal], self.signals[rule.signal] - 1.0)
            state[:, 1] = np.where(
                same, self.draw.integers(0, _US, self.size), self.draw.integers(0, 10**12, self.size)
            )
        elif state.shape[1]:
            violated = self.draw.random(self.size) < 0.3
            state[:, 0] = np.where(violated, self.draw.integers(0, 1000 * _US, self.size), 0.0)
            state[:, 1] = np.where(violated, self.draw.choice([1.0, 1.0, 1.0, 0.5, -0.0], self.size), 0.0)
        return state

    def _put_on_edge(self, rule: StateRule, mine: NDArray[np.int64]) -> None:
        """The cases `mine` to either side of where the rule begins to refuse, or beyond it."""
        match rule:
            case Staleness():
                names = self.draw.choice(rule.signals, len(mine))
                for name in rule.signals:
                    own = mine[names == name]
                    self.ages_us[name][own] = self._about_us(rule.max_age_us, len(own))
            case Trip():
                high = self.draw.random(len(mine)) < 0.5
                self.signals[rule.signal][mine] = self._about(np.where(high, rule.high, rule.low), high)
                self._nearly_over(rule, mine, rule.on_delay_us)
            case Readback():
                high = self.draw.random(len(mine)) < 0.5
                edge = self.applied[rule.setpoint][mine] + np.where(high, rule.tolerance, -rule.tolerance)
                self.readback[rule.setpoint][mine] = self._about(edge, high)
                self._nearly_over(rule, mine, rule.delay_us)
            case Watchdog():
                self.states[rule.id][mine, 0] = self.signals[rule.signal][mine]
                silent_us = self._about_us(rule.max_silence_us, len(mine)) - self.passed_us[mine]
                self.states[rule.id][mine, 1] = silent_us
            case Recoverability():
                edge = rule.high - rule.horizon_us / _US * self._linear(rule.rise, mine)
                self.signals[rule.signal][mine] = self._about(edge, np.ones(len(mine), dtype=bool))
            case Novelty():
                self.signals[rule.signal][mine] = self._about(
                    np.full(len(mine), rule.high), np.ones(len(mine), dtype=bool)
                )
            case _:
                raise TypeError(f"kind {type(rule).__name__} has no edge here: add one")

    def _about(self, edge: Floats, high: Flags) -> Floats:
        """Up to 2 ulp to either side, or well beyond."""
        size = len(edge)
        beyond = np.where(self.draw.random(size) < 0.3, self.draw.random(size) * 2.0, 0.0)
        ulps = self.draw.integers(-2, 3, size)
        return np.asarray(edge + ulps * np.spacing(edge) + np.where(high, beyond, -beyond))

    def _about_us(self, edge_us: int, size: int) -> Integers:
        beyond = np.where(self.draw.random(size) < 0.3, self.draw.choice([_US, 10**12, 2**60, -(10**13)], size), 0)
        return np.asarray(edge_us + self.draw.integers(-2, 3, size) + beyond)

    def _nearly_over(self, rule: StateRule, mine: NDArray[np.int64], delay_us: int) -> None:
        """Half of them remember a violation whose delay ends now, give or take 2 us."""
        own = mine[self.draw.random(len(mine)) < 0.5]
        self.states[rule.id][own, 0] = delay_us - self.passed_us[own] + self.draw.integers(-2, 3, len(own))
        self.states[rule.id][own, 1] = 1.0

    def _linear(self, linear: Linear, mine: NDArray[np.int64]) -> Floats:
        total = np.full(len(mine), linear.constant)
        for name, coefficient in linear.terms:
            total = total + coefficient * self.signals[name][mine]
        return total

    def _spoilt(self, name: str) -> Integers:
        """Draw the fate of a signal; some stay good and have an odd value."""
        draw, size = self.draw, self.size
        odd = draw.random(size) < 0.01
        self.signals[name] = np.where(odd, draw.choice(ODD, size), self.signals[name])
        self.ages_us[name] = np.where(draw.random(size) < 0.005, -1, self.ages_us[name])
        return np.where(draw.random(size) < 0.01, draw.choice([_BAD, _STALE, _MISSING], size), _GOOD)

    def _forgotten(self, state: Floats) -> Integers:
        """Draw the fate of a rule's states; those that the plain form is not given, or too few of, are NaN to the other."""
        how = self.draw.integers(_LOST, _OPPOSED + 1, self.size)
        how = np.where(self.draw.random(self.size) < 0.02, how, _KEPT)
        if state.shape[1]:
            state[(how == _LOST) | (how == _SHORT)] = np.nan
            state[how == _NAN, 1] = np.nan
            state[how == _OPPOSED] = (np.inf, -np.inf)
        return how

    def _vectors(self, given: Mapping[str, Floats]) -> tuple[dict[str, Floats], Integers]:
        """Masked arrays, and the fate of each vector: none, an empty one, or one that lacks a name."""
        draw, size = self.draw, self.size
        fate: Integers = draw.choice([_WHOLE, _NONE, _EMPTY, _LACKING], size, p=[0.9, 0.05, 0.02, 0.03])
        lacking = draw.choice(SETPOINTS, size)
        arrays: dict[str, Floats] = {}
        for name, values in given.items():
            values = np.where(draw.random(size) < 0.005, draw.choice(ODD, size), values)
            absent = (fate == _NONE) | (fate == _EMPTY) | ((fate == _LACKING) & (lacking == name))
            arrays[name] = np.ma.masked_array(values, absent)
        return arrays, fate
