"""The kinds that judge the observation, and may only take authority away.

staleness, trip, readback, watchdog, recoverability, novelty.
"""

from dataclasses import dataclass
from math import inf, isfinite, nan

from safety.rules.base import US_PER_S, StateRule
from safety.rules.conditions import Linear, Names
from safety.values import Observation, RuleState, Signal


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

    An unknown signal removes authority while it is unknown, but does not latch. The reset of a `critical` trip takes
    two people, which is the business of those who let operators in. State: (outside_us, seen_outside).
    """

    signal: str
    low: float
    high: float
    on_delay_us: int = 0
    critical: bool = False
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
    """The plant does what it was commanded: the read-back stays within `tolerance` of the applied command, or the
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
        commanded, read = observation.applied[self.setpoint], observation.readback[self.setpoint]
        tolerance = f"{self.tolerance:g} {self.unit}"
        return f"`{self.setpoint}`: commanded {commanded:.6g}, read back {read:.6g}, tolerance {tolerance}"

    def _gap(self, observation: Observation) -> float | None:
        if not observation.applied or not observation.readback:
            return None
        commanded, read = observation.applied.get(self.setpoint), observation.readback.get(self.setpoint)
        return None if commanded is None or read is None else abs(commanded - read)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchdog(StateRule):
    """A heartbeat signal changes at least every `max_silence_us`. State: (last beat, silent_us)."""

    signal: str
    max_silence_us: int

    def fresh(self) -> RuleState:
        return (0.0, 0.0)

    def aged(self, state: RuleState, observation: Observation, elapsed_us: int) -> RuleState:
        beat = _known(observation.signals.get(self.signal))
        if beat is None or beat == state[0]:
            return (state[0], state[1] + elapsed_us)
        return (beat, 0.0)

    def margin(self, observation: Observation, state: RuleState) -> float:
        return (self.max_silence_us - state[1]) / US_PER_S

    def explain(self, observation: Observation, state: RuleState) -> str:
        return f"`{self.signal}` has not changed for more than {self.max_silence_us / US_PER_S:g} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recoverability(StateRule):
    """The incumbent could still keep a limit if it took over late: `signal + horizon * rise <= high`.

    `rise` is the worst rate [unit/s], a constant or linear in signals; `high` is the limit less its margin.
    """

    signal: str
    rise: Linear
    horizon_us: int
    high: float

    def margin(self, observation: Observation, state: RuleState) -> float:
        value = _known(observation.signals.get(self.signal))
        rise = self.rise.value(Names(observation.signals, {}))
        if value is None or rise is None:
            return nan
        return self.high - (value + self.horizon_us / US_PER_S * rise)

    def explain(self, observation: Observation, state: RuleState) -> str:
        return f"`{self.signal}` could pass {self.high:g} {self.unit} within {self.horizon_us / US_PER_S:g} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Novelty(StateRule):
    """A handed-in measure of how unusual the situation is stays at or below `high`. A nuisance budget, not a guarantee."""

    signal: str
    high: float

    def margin(self, observation: Observation, state: RuleState) -> float:
        value = _known(observation.signals.get(self.signal))
        return nan if value is None else self.high - value

    def explain(self, observation: Observation, state: RuleState) -> str:
        return (
            f"`{self.signal}` is above {self.high:g} or not good: the policy has not been trained on the like of this"
        )


def _known(signal: Signal | None) -> float | None:
    """The value of a signal that is good and finite."""
    if signal is None or not signal.good or not isfinite(signal.value):
        return None
    return signal.value


def _is_unfit(signal: Signal | None, max_age_us: int) -> bool:
    if signal is None or not signal.good or not isfinite(signal.value):
        return True
    return not 0 <= signal.age_us <= max_age_us
