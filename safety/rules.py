"""The kinds of rule: a closed set. Each answers one question with a margin: >= 0 accepts, anything else refuses.

Every predicate is a positive permissive (`low <= x <= high`), so a NaN anywhere refuses. A command rule judges
setpoints; a state rule judges the observation and may only take authority away from sources. Rules are values; what a
rule must remember is a tuple of numbers kept for it in `Memory.rules`, changed only by `aged` and `applied`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, isfinite, nan

from safety.conditions import Condition, Linear, Names
from safety.values import Observation, RuleState, Setpoints, Signal, Source, Tier

ANY = "any"
POLICY = "policy"
US_PER_S = 1_000_000


@dataclass(frozen=True, slots=True)
class Situation:
    """What a command rule may look at besides the setpoints it judges.

    `last` is the command in force (None: there is none); `reference` the incumbent's own step (None: it made none);
    `dt_s` the time a step may use; `states` the memory of the stateful rules.
    """

    signals: Mapping[str, Signal]
    last: Setpoints | None
    reference: Setpoints | None
    dt_s: float
    states: Mapping[str, RuleState]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What every rule carries: its name, its precedence, whom it binds, and why it exists."""

    id: str
    tier: Tier
    applies_to: str = ANY
    hazard: str
    basis: str
    unit: str = ""

    def fresh(self) -> RuleState:
        """The state of this rule when nothing is remembered."""
        return ()

    def aged(self, state: RuleState, observation: Observation, elapsed_us: int) -> RuleState:
        """The state after `elapsed_us` more, seen against the present observation."""
        return state

    def applied(self, state: RuleState, last: Setpoints | None, setpoints: Setpoints) -> RuleState:
        """The state after a command has been issued."""
        return state


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRule(Rule):
    """Judges a target, a step, or both. `step_only` rules (slew, dwell, trust region) are about the way, not the goal."""

    step_only = False

    @property
    def setpoints(self) -> tuple[str, ...]:
        """The setpoints this rule constrains."""
        raise NotImplementedError

    def margin(self, proposed: Setpoints, now: Situation) -> float:
        """Distance to the limit in the rule's unit; >= 0 accepts, `inf` means not engaged, NaN refuses."""
        raise NotImplementedError

    def explain(self, proposed: Setpoints, now: Situation) -> str:
        """The refusal in an operator's words."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound(CommandRule):
    """A setpoint stays within [low, high]."""

    setpoint: str
    low: float
    high: float

    @property
    def setpoints(self) -> tuple[str, ...]:
        return (self.setpoint,)

    def box(self, proposed: Setpoints, now: Situation) -> tuple[float, float]:
        return self.low, self.high

    def margin(self, proposed: Setpoints, now: Situation) -> float:
        value = proposed[self.setpoint]
        return min(value - self.low, self.high - value)

    def explain(self, proposed: Setpoints, now: Situation) -> str:
        return f"`{self.setpoint}` {proposed[self.setpoint]:.6g} {self.unit} is outside [{self.low:g}, {self.high:g}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interlock(CommandRule):
    """While `when` holds, a setpoint stays within limits that may move with signals.

    An unknown `when` counts as active. A limit that depends on a bad signal refuses, unless `if_unknown` gives limits.
    """

    setpoint: str
    when: Condition | None = None
    low: Linear | None = None
    high: Linear | None = None
    if_unknown: tuple[float, float] | None = None

    @property
    def setpoints(self) -> tuple[str, ...]:
        return (self.setpoint,)

    def box(self, proposed: Setpoints, now: Situation) -> tuple[float, float]:
        """The limits now: (-inf, inf) while not engaged, (nan, nan) while unknown."""
        names = Names(now.signals, proposed)
        if self.when is not None and self.when.holds(names) is False:
            return -inf, inf
        low = -inf if self.low is None else self.low.value(names)
        high = inf if self.high is None else self.high.value(names)
        if low is None or high is None:
            return self.if_unknown or (nan, nan)
        return low, high

    def margin(self, proposed: Setpoints, now: Situation) -> float:
        low, high = self.box(proposed, now)
        value = proposed[self.setpoint]
        return nan if low != low else min(value - low, high - value)

    def explain(self, proposed: Setpoints, now: Situation) -> str:
        low, high = self.box(proposed, now)
        if low != low:
            return f"the limits of `{self.setpoint}` depend on a signal that is not good"
        return f"`{self.setpoint}` {proposed[self.setpoint]:.6g} {self.unit} is outside [{low:.6g}, {high:.6g}] now in force"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation(CommandRule):
    """A linear relation between setpoints: `sum(coefficient * setpoint) <= limit`, the limit linear in signals."""

    terms: tuple[tuple[str, float], ...]
    limit: Linear

    @property
    def setpoints(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.terms)

    def margin(self, proposed: Setpoints, now: Situation) -> float:
        limit = self.limit.value(Names(now.signals, {}))
        if limit is None:
            return nan
        total = 0.0
        for name, coefficient in self.terms:
            total += coefficient * proposed[name]
        return limit - total

    def explain(self, proposed: Setpoints, now: Situation) -> str:
        text = " + ".join(f"{coefficient:g} x `{name}`" for name, coefficient in self.terms)
        margin = self.margin(proposed, now)
        if margin != margin:
            return f"{text} is limited by a signal that is not good"
        return f"{text} is over its limit by {-margin:.6g} {self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slew(CommandRule):
    """A setpoint moves no faster than its rates. The declared safe direction may be unlimited (`inf`)."""

    setpoint: str
    up_per_s: float
    down_per_s: float
    step_only = True

    @property
    def setpoints(self) -> tuple[str, ...]:
        return (self.setpoint,)

    def reach(self, now: Situation) -> tuple[float, float]:
        """How far up and down a step may go from the last command in `dt_s`."""
        # An unlimited direction stays unlimited at dt 0, where inf * 0 would be NaN.
        up = inf if self.up_per_s == inf else self.up_per_s * now.dt_s
        down = inf if self.down_per_s == inf else self.down_per_s * now.dt_s
        return up, down

    def margin(self, proposed: Setpoints, now: Situation) -> float:
        if now.last is None:
            return inf
        moved = proposed[self.setpoint] - now.last[self.setpoint]
        up, down = self.reach(now)
        return up - moved if moved >= 0 else down + moved

    def explain(self, proposed: Setpoints, now: Situation) -> str:
        last = nan if now.last is None else now.last[self.setpoint]
        up, down = self.reach(now)
        moved = proposed[self.setpoint] - last
        return f"`{self.setpoint}` would move by {moved:+.6g} {self.unit} in {now.dt_s:g} s; [-{down:.6g}, +{up:.6g}] may be"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dwell(CommandRule):
    """A discrete setpoint keeps its value: a raise waits `min_off_us` since the last lowering, a lowering `min_on_us`
    since the last raise, and raises ("starts") are at most `max_starts` in `window_us`.

    State: (since_raise_us, since_lowering_us, age of each start in the window). Nothing remembered counts as just changed.
    """

    setpoint: str
    min_on_us: int
    min_off_us: int
    max_starts: int = 0
    window_us: int = 0
    step_only = True

    @property
    def setpoints(self) -> tuple[str, ...]:
        return (self.setpoint,)

    def fresh(self) -> RuleState:
        return (0.0, 0.0)

    def aged(self, state: RuleState, observation: Observation, elapsed_us: int) -> RuleState:
        starts = (age + elapsed_us for age in state[2:])
        return (state[0] + elapsed_us, state[1] + elapsed_us, *(age for age in starts if age < self.window_us))

    def applied(self, state: RuleState, last: Setpoints | None, setpoints: Setpoints) -> RuleState:
        if last is None or self.setpoint not in setpoints or setpoints[self.setpoint] == last[self.setpoint]:
            return state
        if setpoints[self.setpoint] > last[self.setpoint]:
            return (0.0, state[1], *state[2:], 0.0) if self.max_starts else (0.0, state[1])
        return (state[0], 0.0, *state[2:])

    def wait_us(self, proposed: Setpoints, now: Situation) -> float:
        """How long the change must still wait [us]; <= 0 when it is free."""
        if now.last is None or proposed[self.setpoint] == now.last[self.setpoint]:
            return -inf
        state = now.states.get(self.id) or self.fresh()
        if proposed[self.setpoint] < now.last[self.setpoint]:
            return self.min_on_us - state[0]
        wait = self.min_off_us - state[1]
        starts = sorted(state[2:], reverse=True)
        if self.max_starts and len(starts) >= self.max_starts:
            wait = max(wait, self.window_us - starts[len(starts) - self.max_starts])
        return wait

    def margin(self, proposed: Setpoints, now: Situation) -> float:
        return -self.wait_us(proposed, now) / US_PER_S

    def explain(self, proposed: Setpoints, now: Situation) -> str:
        wait_s = self.wait_us(proposed, now) / US_PER_S
        return f"`{self.setpoint}` must keep its value for another {wait_s:.0f} s before it changes to {proposed[self.setpoint]:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRegion(CommandRule):
    """The policy's step stays within `distance` of the incumbent's own step, per channel."""

    setpoint: str
    distance: float
    step_only = True

    @property
    def setpoints(self) -> tuple[str, ...]:
        return (self.setpoint,)

    def margin(self, proposed: Setpoints, now: Situation) -> float:
        if now.reference is None:
            return nan
        return self.distance - abs(proposed[self.setpoint] - now.reference[self.setpoint])

    def explain(self, proposed: Setpoints, now: Situation) -> str:
        if now.reference is None:
            return f"`{self.setpoint}` has no incumbent's step to be compared with"
        away = abs(proposed[self.setpoint] - now.reference[self.setpoint])
        return (
            f"`{self.setpoint}` is {away:.6g} {self.unit} away from the incumbent's; at most {self.distance:g} may be"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRule(Rule):
    """Judges the observation. While it refuses, sources lose authority: the policy alone, or (`applies_to = any`) all."""

    latching = False

    @property
    def removes(self) -> tuple[Source, ...]:
        return (Source.CANDIDATE,) if self.applies_to == POLICY else tuple(Source)

    def margin(self, observation: Observation, state: RuleState) -> float:
        """Distance to the limit in the rule's unit; >= 0 is well, NaN is unknown and refuses."""
        raise NotImplementedError

    def explain(self, observation: Observation, state: RuleState) -> str:
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Staleness(StateRule):
    """Every named signal is good and no older than `max_age_us`. A negative age is an error of the clock and refuses."""

    signals: tuple[str, ...]
    max_age_us: int

    def margin(self, observation: Observation, state: RuleState) -> float:
        oldest_us = 0
        for name in self.signals:
            signal = observation.signals.get(name)
            if signal is None or not signal.good or signal.age_us < 0 or not isfinite(signal.value):
                return nan
            oldest_us = max(oldest_us, signal.age_us)
        return (self.max_age_us - oldest_us) / US_PER_S

    def explain(self, observation: Observation, state: RuleState) -> str:
        bad = [name for name in self.signals if _is_unfit(observation.signals.get(name), self.max_age_us)]
        return f"not good or older than {self.max_age_us / US_PER_S:g} s: {', '.join(f'`{name}`' for name in bad)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip(StateRule):
    """A signal outside [low, high] for `on_delay_us` trips: the policy loses authority until an operator resets it.

    An unknown signal removes authority while it is unknown, but does not latch. State: (outside_us, seen_outside).
    """

    signal: str
    low: float
    high: float
    on_delay_us: int = 0
    latching = True

    def fresh(self) -> RuleState:
        return (0.0, 0.0)

    def aged(self, state: RuleState, observation: Observation, elapsed_us: int) -> RuleState:
        inside = self._inside(observation)
        if inside is None:
            return state
        if inside >= 0:
            return (0.0, 0.0)
        # The first sight of it starts the delay; time before it does not count.
        return (state[0] + elapsed_us, 1.0) if state[1] else (0.0, 1.0)

    def margin(self, observation: Observation, state: RuleState) -> float:
        inside = self._inside(observation)
        if inside is None:
            return nan
        if inside < 0 and state[0] < self.on_delay_us:
            return 0.0
        return inside

    def explain(self, observation: Observation, state: RuleState) -> str:
        signal = observation.signals.get(self.signal)
        if signal is None or not signal.good:
            return f"`{self.signal}` is not good"
        return f"`{self.signal}` {signal.value:.6g} {self.unit} is outside [{self.low:g}, {self.high:g}]"

    def _inside(self, observation: Observation) -> float | None:
        signal = observation.signals.get(self.signal)
        if signal is None or not signal.good or not isfinite(signal.value):
            return None
        return min(signal.value - self.low, self.high - signal.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readback(StateRule):
    """The plant does what it was told: the read-back stays within `tolerance` of the applied command, or the
    disagreement is younger than `delay_us`. State: (disagreeing_us, seen_disagreeing).
    """

    setpoint: str
    tolerance: float
    delay_us: int = 0

    def fresh(self) -> RuleState:
        return (0.0, 0.0)

    def aged(self, state: RuleState, observation: Observation, elapsed_us: int) -> RuleState:
        gap = self._gap(observation)
        if gap is None or gap <= self.tolerance:
            return (0.0, 0.0)
        return (state[0] + elapsed_us, 1.0) if state[1] else (0.0, 1.0)

    def margin(self, observation: Observation, state: RuleState) -> float:
        gap = self._gap(observation)
        if gap is None:
            return inf if not observation.applied else nan
        if gap > self.tolerance and state[0] < self.delay_us:
            return 0.0
        return self.tolerance - gap

    def explain(self, observation: Observation, state: RuleState) -> str:
        if not observation.applied or not observation.readback or self.setpoint not in observation.readback:
            return f"no read-back of `{self.setpoint}`"
        told, does = observation.applied[self.setpoint], observation.readback[self.setpoint]
        return f"`{self.setpoint}` was told {told:.6g} {self.unit} and reads back {does:.6g}; {self.tolerance:g} may differ"

    def _gap(self, observation: Observation) -> float | None:
        if not observation.applied or not observation.readback:
            return None
        told, does = observation.applied.get(self.setpoint), observation.readback.get(self.setpoint)
        return None if told is None or does is None else abs(told - does)


@dataclass(frozen=True, slots=True)
class FailSafe:
    """One entry of the fail-safe list: while `when` holds (None: always) command `vector` (None: relinquish)."""

    id: str
    when: Condition | None
    vector: Setpoints | None = field(default=None)


def _is_unfit(signal: Signal | None, max_age_us: int) -> bool:
    if signal is None or not signal.good or not isfinite(signal.value):
        return True
    return not 0 <= signal.age_us <= max_age_us
