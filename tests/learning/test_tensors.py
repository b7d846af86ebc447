"""A policy is trained on the same tensors as it is served."""

from dataclasses import replace

import numpy as np
import pytest

from controller.learning.spec import TrainingError
from controller.learning.tensors import Tensors, input_specs, output_specs
from controller.plants.cooling.training.spec import CoolingSpec
from controller.policies.features import FeatureBuilder, targets
from controller.policies.manifest import InputSpec, Manifest, Training
from safety.values import Observation, Signal
from simulators.cooling.world.signals import setpoint_specs, signal_specs

RNG = np.random.default_rng(3)


def manifest(tensors: Tensors) -> Manifest:
    return Manifest(
        schema_version=1,
        name="m",
        plant_kind="cooling",
        inputs=tensors.inputs,
        outputs=tensors.outputs,
        control_period_s=300.0,
        weights_sha256="0" * 64,
        envelope_digest="0" * 64,
        training=Training(command="", seed=0, algorithm=""),
    )


def test_batched_features_are_the_served_features(tensors: Tensors) -> None:
    tensors = replace(tensors, inputs=(*tensors.inputs, InputSpec(kind="calendar", name="year_cos")))
    signals, applied = RNG.uniform(5, 30, (6, len(tensors.signals))), RNG.uniform(0, 30, (6, len(tensors.setpoints)))
    times = RNG.integers(0, 2**51, 6)
    batch = tensors.features(signals, applied, times)
    for row, time_us, seen, command in zip(batch, times.tolist(), signals.tolist(), applied.tolist(), strict=True):
        observation = Observation(
            plant="p",
            subject="",
            taken_at=time_us,
            signals=dict(zip(tensors.signals, map(Signal, seen), strict=True)),
            applied=dict(zip(tensors.setpoints, command, strict=True)),
        )
        np.testing.assert_array_equal(FeatureBuilder(manifest(tensors)).features(observation), row)


def test_batched_targets_are_the_served_targets(tensors: Tensors) -> None:
    answers = RNG.uniform(-1, 1, (50, len(tensors.outputs))).astype(np.float32)
    batch = tensors.targets(answers)
    for row, answer in zip(batch, answers, strict=True):
        assert list(targets(tensors.outputs, answer.tolist()).values()) == row.tolist()


def test_an_answer_asks_for_the_targets_it_was_made_from(tensors: Tensors) -> None:
    wanted = tensors.targets(RNG.uniform(-1, 1, (50, len(tensors.outputs))).astype(np.float32))
    np.testing.assert_allclose(tensors.targets(tensors.answer(wanted)), wanted, atol=1e-5)


def test_a_signal_the_plant_lacks_is_named(spec: CoolingSpec) -> None:
    strange = spec.model_copy(update={"signals": ["inlet_z9_c"]})
    with pytest.raises(TrainingError, match="unknown signal `inlet_z9_c`"):
        input_specs(strange, signal_specs(4), setpoint_specs(4))


def test_a_setpoint_left_out_is_named(spec: CoolingSpec) -> None:
    short = spec.model_copy(update={"output": spec.output[1:]})
    with pytest.raises(TrainingError, match="missing or not known: supply_air_c"):
        output_specs(short, setpoint_specs(4))
