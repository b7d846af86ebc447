import pytest

from controller.learning.spec import TrainingSpec, load_training
from controller.learning.tensors import Tensors, input_specs, output_specs
from controller.plants.cooling.training.training_site import Ground, ground_of
from simulators.cooling.world.signals import setpoint_specs, signal_specs
from tests.paths import ROOT

DEMO = ROOT / "deploy/sites/demo"


@pytest.fixture(scope="session")
def ground() -> Ground:
    return ground_of(DEMO)


@pytest.fixture(scope="session")
def spec() -> TrainingSpec:
    return load_training(DEMO / "training.toml")


@pytest.fixture(scope="session")
def tensors(spec: TrainingSpec) -> Tensors:
    signals, setpoints = signal_specs(4), setpoint_specs(4)
    return Tensors(
        input_specs(spec, signals, setpoints),
        output_specs(spec, setpoints),
        tuple(signal.name for signal in signals),
        tuple(setpoint.name for setpoint in setpoints),
    )
