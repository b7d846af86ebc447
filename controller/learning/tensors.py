"""The manifest's inputs and outputs for a whole batch of plants: the array form of `controller.policies.features`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.learning.spec import Output, TrainingError, TrainingSpec
from controller.policies.features import DAY_US, YEAR_US
from controller.policies.manifest import CALENDAR, InputSpec, OutputSpec
from simulators.common.signals import SetpointSpec, SignalSpec

Floats = NDArray[np.float64]


def input_specs(
    spec: TrainingSpec, signals: Sequence[SignalSpec], setpoints: Sequence[SetpointSpec]
) -> tuple[InputSpec, ...]:
    """The chosen signals, every setpoint in force, the chosen calendar features; centred on the middle of their ranges."""
    known = {signal.name: signal for signal in signals}
    if strange := [name for name in spec.signals if name not in known]:
        raise TrainingError(f"`signals`: unknown signal `{strange[0]}`: correct the name in training.toml")
    return (
        *(_ranged("signal", known[name]) for name in spec.signals),
        *(_ranged("setpoint", setpoint) for setpoint in setpoints),
        *(InputSpec(kind="calendar", name=name) for name in spec.calendar),
    )


def output_specs(spec: TrainingSpec, setpoints: Sequence[SetpointSpec]) -> tuple[OutputSpec, ...]:
    """One output for each setpoint, in the plant's order. -1..1 is the range that `training.toml` gives it."""
    given = {output.setpoint: output for output in spec.output}
    if given.keys() != {setpoint.name for setpoint in setpoints}:
        wrong = ", ".join(sorted(given.keys() ^ {setpoint.name for setpoint in setpoints}))
        raise TrainingError(f"`output`: setpoints missing or not known: {wrong}: give every setpoint of the plant once")
    return tuple(_output(given[setpoint.name], setpoint) for setpoint in setpoints)


@dataclass(frozen=True, slots=True)
class Tensors:
    """Features from, and targets to, engineering units. Signals [n, m] and setpoints [n, k] are in the plant's order."""

    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    signals: tuple[str, ...]
    setpoints: tuple[str, ...]

    def features(self, signals: Floats, applied: Floats, taken_at: NDArray[np.int64]) -> NDArray[np.float32]:
        """[n, inputs] float32, as `FeatureBuilder` makes of each row."""
        return self.normalised(signals, applied, taken_at).astype(np.float32)

    def normalised(self, signals: Floats, applied: Floats, taken_at: NDArray[np.int64]) -> Floats:
        """Features [n, inputs] before they are cut to float32."""
        known = {**{("signal", name): signals[:, i] for i, name in enumerate(self.signals)}}
        known |= {("setpoint", name): applied[:, i] for i, name in enumerate(self.setpoints)}
        known |= {("calendar", name): value for name, value in zip(CALENDAR, calendars(taken_at), strict=True)}
        columns = [(known[spec.kind, spec.name] - spec.centre) / spec.scale for spec in self.inputs]
        return np.stack(columns, axis=1)

    def normalised_targets(self, targets: Floats) -> Floats:
        """Targets [n, outputs] as the manifest's outputs scale them."""
        return np.stack([(targets[:, i] - spec.centre) / spec.scale for i, spec in enumerate(self.outputs)], axis=1)

    def targets(self, answer: NDArray[np.float32]) -> Floats:
        """[n, outputs] in engineering units, as `features.targets` makes of each row."""
        columns = [_column(spec, answer[:, i].astype(np.float64)) for i, spec in enumerate(self.outputs)]
        return np.stack(columns, axis=1)

    def answer(self, targets: Floats) -> NDArray[np.float32]:
        """The answer that would ask for these targets, cut to -1..1; discrete values lie in the middle of their share."""
        columns = []
        for i, spec in enumerate(self.outputs):
            value = targets[:, i]
            if spec.values is not None and spec.thresholds is not None:
                edges = np.array([-1.0, *((t - spec.centre) / spec.scale for t in spec.thresholds), 1.0])
                index = np.argmin(np.abs(value[:, None] - np.array(spec.values)), axis=1)
                columns.append(0.5 * (edges[index] + edges[index + 1]))
            else:
                columns.append(np.clip((value - spec.centre) / spec.scale, -1.0, 1.0))
        return np.stack(columns, axis=1).astype(np.float32)


def calendars(taken_at: NDArray[np.int64]) -> tuple[Floats, Floats, Floats, Floats]:
    """`features.calendar` of many times [n] at once."""
    day, year = 2 * np.pi * (taken_at % DAY_US) / DAY_US, 2 * np.pi * (taken_at % YEAR_US) / YEAR_US
    return np.sin(day), np.cos(day), np.sin(year), np.cos(year)


def _ranged(kind: str, spec: SignalSpec | SetpointSpec) -> InputSpec:
    centre, scale = 0.5 * (spec.low + spec.high), 0.5 * (spec.high - spec.low)
    return InputSpec.model_validate({"kind": kind, "name": spec.name, "centre": centre, "scale": scale})


def _output(output: Output, setpoint: SetpointSpec) -> OutputSpec:
    centre, scale = 0.5 * (output.low + output.high), 0.5 * (output.high - output.low)
    if setpoint.values is None:
        return OutputSpec(setpoint=output.setpoint, centre=centre, scale=scale)
    thresholds = tuple(0.5 * (a + b) for a, b in zip(setpoint.values, setpoint.values[1:], strict=False))
    return OutputSpec(
        setpoint=output.setpoint, centre=centre, scale=scale, values=setpoint.values, thresholds=thresholds
    )


def _column(spec: OutputSpec, y: Floats) -> Floats:
    value = spec.centre + spec.scale * y
    if spec.values is None or spec.thresholds is None:
        return np.asarray(value)
    return np.array(spec.values)[np.searchsorted(np.array(spec.thresholds), value, side="right")]
