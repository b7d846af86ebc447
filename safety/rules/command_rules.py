"""The kinds that judge setpoints: bound, interlock, relation; slew, rate_window, dwell, permissive, trust_region."""

from dataclasses import dataclass
from math import inf, isfinite, nan

from safety.rules.base import US_PER_S, CommandRule, Situation
from safety.rules.conditions import Condition, Linear, Names
from safety.values import Observation, RuleState, Setpoints

_ROUNDING = 2.0**-48


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
        if low != low or not isfinite(value):
            return nan
        return min(value - low, high - value)

    def explain(self, proposed: Setpoints, now: Situation) -> str:
        low, high = self.box(proposed, now)
        if low != low:
            return f"the limits of `{self.setpoint}` depend on a signal that is not good"
        return f"`{self.setpoint}` {proposed[self.setpoint]:.6g} {self.unit} is outside [{low:.6g}, {high:.6g}] now in force"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation(CommandRule):
    """A linear relation between setpoints: `sum(coefficient * setpoint) <= limit`, the limit linear in signals.

    Compared as exact numbers would be: the sum may exceed the limit by what rounding can make of it (2^-48 of all
    magnitudes). Otherwise a step between two permitted points on the limit would be refused by its last bit. A limit that
    depends on a bad signal refuses, unless `if_unknown` gives one.
    """

    terms: tuple[tuple[str, float], ...]
    limit: Linear
    if_unknown: float | None = None

    @property
    def setpoints(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.terms)

    def margin(self, proposed: Setpoints, now: Situation) -> float:
        limit = self.limit.value(Names(now.signals, proposed))
        if limit is None:
            limit = self.if_unknown
        if limit is None:
            return nan
        total, size = 0.0, abs(limit)
        for name, coefficient in self.terms:
            part = coefficient * proposed[name]
            total += part
            size += abs(part)
        return limit - total + _ROUNDING * size

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
    needs_last = True

    @property
    def setpoints(self) -> tuple[str, ...]:
        return (self.setpoint,)

    def reach(self, now: Situation) -> tuple[float, float]:
        """The largest rise and fall of a step from the last command in `dt_s`."""
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

    State: (since_raise_us, since_lowering_us, age of each start in the window). What is not remembered, and what a local
    system may have done while it was in control, counts as just changed.
    """

    setpoint: str
    min_on_us: int
    min_off_us: int
    max_starts: int = 0
    window_us: int = 0
    step_only = True
    needs_last = True

    @property
    def setpoints(self) -> tuple[str, ...]:
        return (self.setpoint,)

    def fresh(self) -> RuleState:
        return (0.0, 0.0)

    def aged(self, state: RuleState, observation: Observation, elapsed_us: int) -> RuleState:
        starts = (age + elapsed_us for age in state[2:])
        return (state[0] + elapsed_us, state[1] + elapsed_us, *(age for age in starts if age < self.window_us))

    def applied(self, state: RuleState, last: Setpoints | None, setpoints: Setpoints) -> RuleState:
        if last is None or self.setpoint not in setpoints:
            return (0.0, 0.0, *state[2:])
        if setpoints[self.setpoint] == last[self.setpoint]:
            return state
        if setpoints[self.setpoint] > last[self.setpoint]:
            return (0.0, state[1], *state[2:], 0.0) if self.max_starts else (0.0, state[1])
        return (state[0], 0.0, *state[2:])

    def wait_us(self, proposed: Setpoints, now: Situation) -> float:
        """The time the change must still wait [us]; <= 0 when it is free."""
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
class RateWindow(CommandRule):
    """All movement of a setpoint within `window_us` together is at most `most`, however it is spread over steps.

    State: (age, distance) of each move in the window.
    """

    setpoint: str
    most: float
    window_us: int
    step_only = True
    needs_last = True

    @property
    def setpoints(self) -> tuple[str, ...]:
        return (self.setpoint,)

    def aged(self, state: RuleState, observation: Observation, elapsed_us: int) -> RuleState:
        moves = zip(state[::2], state[1::2], strict=True)
        young = [(age + elapsed_us, distance) for age, distance in moves if age + elapsed_us < self.window_us]
        return tuple(value for move in young for value in move)

    def applied(self, state: RuleState, last: Setpoints | None, setpoints: Setpoints) -> RuleState:
        if last is None or self.setpoint not in setpoints:
            return state
        distance = abs(setpoints[self.setpoint] - last[self.setpoint])
        return (*state, 0.0, distance) if distance > 0 else state

    def reach(self, now: Situation) -> tuple[float, float]:
        """The largest rise and fall of a step; the same both ways."""
        left = max(0.0, self.most - sum(now.states.get(self.id, ())[1::2]))
        return left, left

    def margin(self, proposed: Setpoints, now: Situation) -> float:
        if now.last is None:
            return inf
        moved = abs(proposed[self.setpoint] - now.last[self.setpoint])
        # Standing still is always permitted, also where a waived step has used up more than the window had.
        return inf if moved == 0 else self.reach(now)[0] - moved

    def explain(self, proposed: Setpoints, now: Situation) -> str:
        window_s = self.window_us / US_PER_S
        return (
            f"`{self.setpoint}` has {self.reach(now)[0]:.6g} {self.unit} left of the {self.most:g} it may move "
            f"in {window_s:g} s"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissive(CommandRule):
    """A discrete setpoint is raised only while `require` holds; once raised it may stay. Unknown does not hold."""

    setpoint: str
    require: Condition
    step_only = True

    @property
    def setpoints(self) -> tuple[str, ...]:
        return (self.setpoint,)

    def margin(self, proposed: Setpoints, now: Situation) -> float:
        # Without a last command nobody knows that it is running already: then anything may be a start.
        if now.last is not None and proposed[self.setpoint] <= now.last[self.setpoint]:
            return inf
        return 0.0 if self.require.holds(Names(now.signals, proposed)) is True else -1.0

    def explain(self, proposed: Setpoints, now: Situation) -> str:
        return f"`{self.setpoint}` may not be raised to {proposed[self.setpoint]:g}: its permissive does not hold"
