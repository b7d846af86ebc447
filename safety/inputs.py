"""The input manager: raw sensors become signals with a quality, before any rule looks at them.

`plausibility` marks a signal BAD where it is out of range, moves too fast, is stuck, or contradicts another;
`vote` makes one signal of three. Neither invents a value: what cannot be decided is bad, and bad is unknown to every rule.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from safety.rules.conditions import Condition, Names
from safety.values import Memory, Observation, Quality, RuleState, Signal

US_PER_S = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plausibility:
    """A signal lies in [low, high], moves at most `rate_per_s`, changes within `stuck_us`, and agrees with `agrees`.

    State: (last value seen, time since it was seen, time since it changed); empty before the first sight.
    """

    id: str
    signal: str
    low: float
    high: float
    rate_per_s: float | None = None
    stuck_us: int | None = None
    agrees: Condition | None = None

    def managed(
        self, signals: Mapping[str, Signal], state: RuleState, elapsed_us: int
    ) -> tuple[Signal | None, RuleState]:
        """The signal with the quality it deserves, and what to remember."""
        raw = signals.get(self.signal)
        if raw is None or not raw.good or not isfinite(raw.value):
            later = (state[0], state[1] + elapsed_us, state[2] + elapsed_us) if state else state
            return raw, later
        unchanged_us = state[2] + elapsed_us if state and raw.value == state[0] else 0.0
        seen = (raw.value, 0.0, unchanged_us)
        plausible = (
            self.low <= raw.value <= self.high
            and self._within_rate(raw.value, state, elapsed_us)
            and (self.stuck_us is None or unchanged_us <= self.stuck_us)
            and (self.agrees is None or self.agrees.holds(Names(signals, {})) is not False)
        )
        return (raw if plausible else replace(raw, quality=Quality.BAD)), seen

    def _within_rate(self, value: float, state: RuleState, elapsed_us: int) -> bool:
        if self.rate_per_s is None or not state:
            return True
        return abs(value - state[0]) <= self.rate_per_s * (state[1] + elapsed_us) / US_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """Two out of three: the median of three that agree within `deviation`; of two, the one on the safe side; else bad.

    One that is more than `deviation` from the median of three is out of the vote.
    """

    id: str
    signal: str
    sensors: tuple[str, str, str]
    deviation: float
    safe_side: str

    def managed(
        self, signals: Mapping[str, Signal], state: RuleState, elapsed_us: int
    ) -> tuple[Signal | None, RuleState]:
        good = [
            s for s in (signals.get(name) for name in self.sensors) if s is not None and s.good and isfinite(s.value)
        ]
        good.sort(key=lambda signal: signal.value)
        if len(good) == 3:
            median = good[1]
            good = [signal for signal in good if abs(signal.value - median.value) <= self.deviation]
            if len(good) == 3:
                return Signal(median.value, Quality.GOOD, max(signal.age_us for signal in good)), state
        if len(good) != 2:
            return Signal(0.0, Quality.BAD), state
        chosen = good[1] if self.safe_side == "high" else good[0]
        return Signal(chosen.value, Quality.GOOD, max(signal.age_us for signal in good)), state


Input = Plausibility | Vote


class Amended(Mapping[str, Signal]):
    """Signals with some of them replaced or added, and the rest looked up where it was: a guard looks at a few of sixty."""

    __slots__ = ("_amended", "_rest")

    def __init__(self, rest: Mapping[str, Signal], amended: Mapping[str, Signal]) -> None:
        self._rest, self._amended = rest, amended

    def __getitem__(self, name: str) -> Signal:
        found = self._amended.get(name)
        return self._rest[name] if found is None else found

    def get(self, name: str, default: Any = None) -> Any:
        found = self._amended.get(name)
        return self._rest.get(name, default) if found is None else found

    def __iter__(self) -> Iterator[str]:
        yield from self._rest
        yield from (name for name in self._amended if name not in self._rest)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def managed(
    observation: Observation, inputs: Iterable[Input], states: Mapping[str, RuleState], elapsed_us: int
) -> tuple[Observation, dict[str, RuleState]]:
    """The observation with every input's signal as managed, in order, and the inputs' states."""
    amended: dict[str, Signal] = {}
    signals, after = Amended(observation.signals, amended), {}
    for each in inputs:
        signal, state = each.managed(signals, states.get(each.id, ()), max(0, elapsed_us))
        after[each.id] = state
        if signal is not None:
            amended[each.signal] = signal
    return replace(observation, signals=signals), after


@dataclass(frozen=True, slots=True)
class Managed:
    """An observation with its inputs managed; the memory, with the inputs' states as of now; and how long ago [us] that
    memory was aged. The three belong together: managing an observation twice would age the inputs twice."""

    observation: Observation
    memory: Memory
    elapsed_us: int


def manage(observation: Observation, inputs: Collection[Input], memory: Memory, elapsed_us: int) -> Managed:
    """Manage an observation's inputs by what `memory` holds of them, `elapsed_us` after it was last aged."""
    if not inputs:
        return Managed(observation, memory, elapsed_us)
    observation, states = managed(observation, inputs, memory.rules, elapsed_us)
    return Managed(observation, replace(memory, rules={**memory.rules, **states}), elapsed_us)
