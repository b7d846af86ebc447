"""From observations to the graph's float32 input, and from its output to targets: the manifest, put to work.

Training builds its features from the same `InputSpec`s and the same `calendar`, so that a policy meets
in service what it was trained on.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import cos, isfinite, pi, sin

import numpy as np

from controller.policies.manifest import CALENDAR, InputSpec, Manifest, OutputSpec
from safety.values import Observation, Quality, Setpoints

DAY_US = 86_400_000_000
YEAR_US = 31_556_952_000_000  # the mean Gregorian year, so that the phase never jumps at New Year
_US_PER_S = 1_000_000
# A gap longer than this many control periods starts the stacked history afresh.
_GAP_PERIODS = 1.5

Row = tuple[float, ...]


class MissingInputError(ValueError):
    """An input of the policy is absent, not good or not finite: there is nothing to answer on."""


def calendar(taken_at: int) -> tuple[float, float, float, float]:
    """sin and cos of the phase of the day and of the year (UTC), in the order of `CALENDAR`. `taken_at` in [us]."""
    day, year = 2 * pi * (taken_at % DAY_US) / DAY_US, 2 * pi * (taken_at % YEAR_US) / YEAR_US
    return sin(day), cos(day), sin(year), cos(year)


@dataclass(slots=True)
class FeatureBuilder:
    """Rows of raw inputs, stacked per (plant, subject) and normalised at once. Its only state is the declared history."""

    manifest: Manifest
    _past: dict[tuple[str, str], deque[Row]] = field(default_factory=dict)
    _seen_us: dict[tuple[str, str], int] = field(default_factory=dict)
    _centre: np.ndarray = field(init=False)
    _scale: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        inputs, history = self.manifest.inputs, self.manifest.history
        self._centre = np.array([spec.centre for spec in inputs] * history)
        self._scale = np.array([spec.scale for spec in inputs] * history)

    def features(self, observation: Observation) -> np.ndarray:
        """Normalised input [inputs * history], oldest first, float32. Raises MissingInputError."""
        row = inputs_of(self.manifest.inputs, observation)
        if self.manifest.history == 1:
            return self.normalised(row)
        past = self._stacked(observation, row)
        return self.normalised(tuple(value for old in past for value in old))

    def normalised(self, values: Sequence[float]) -> np.ndarray:
        """(value - centre) / scale in float64, then float32: [inputs * history]."""
        row: np.ndarray = ((np.array(values) - self._centre) / self._scale).astype(np.float32)
        return row

    def _stacked(self, observation: Observation, row: Row) -> deque[Row]:
        """The last `history` rows of this subject; where there are fewer, the oldest is repeated."""
        key, history = (observation.plant, observation.subject), self.manifest.history
        gap_us = observation.taken_at - self._seen_us.get(key, observation.taken_at)
        past = self._past.setdefault(key, deque(maxlen=history))
        if not 0 < gap_us <= _GAP_PERIODS * self.manifest.control_period_s * _US_PER_S:
            past.clear()
        self._seen_us[key] = observation.taken_at
        past.append(row)
        while len(past) < history:
            past.appendleft(past[0])
        return past


def inputs_of(inputs: Sequence[InputSpec], observation: Observation) -> Row:
    """Each input's value, in its own unit and not yet normalised. Raises MissingInputError."""
    signals = observation.signals
    in_force = observation.applied if observation.applied is not None else observation.readback
    phases: tuple[float, ...] = ()
    row = []
    for spec in inputs:
        name = spec.name
        if spec.kind == "signal":
            signal = signals.get(name)
            if signal is None or signal.quality is not Quality.GOOD:
                raise MissingInputError(f"signal `{name}` is {'missing' if signal is None else signal.quality.value}")
            value = signal.value
        elif spec.kind == "setpoint":
            if in_force is None or name not in in_force:
                raise MissingInputError(f"no command of setpoint `{name}` is in force")
            value = in_force[name]
        else:
            phases = phases or calendar(observation.taken_at)
            value = phases[CALENDAR.index(name)]
        if not isfinite(value):
            raise MissingInputError(f"{spec.kind} `{name}` is {value}")
        row.append(value)
    return tuple(row)


def targets(outputs: Sequence[OutputSpec], answer: Sequence[float]) -> Setpoints:
    """Engineering units of one row of the graph's output: centre + scale * y; discrete ones by their thresholds."""
    return {spec.setpoint: _target(spec, y) for spec, y in zip(outputs, answer, strict=True)}


def _target(spec: OutputSpec, y: float) -> float:
    value = spec.centre + spec.scale * y
    if spec.values is None or spec.thresholds is None:
        return value
    return spec.values[sum(value >= threshold for threshold in spec.thresholds)]
