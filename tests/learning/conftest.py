import pytest

from controller.learning.tensors import Tensors, input_specs, output_specs
from controller.plants.cooling.training.spec import CoolingSpec
from controller.plants.cooling.training.training_site import CoolingTrainingSite
from controller.plants.registry import training_site
from tests.paths import ROOT

DEMO = ROOT / "deploy/sites/demo"


@pytest.fixture(scope="session")
def site() -> CoolingTrainingSite:
    made = training_site(DEMO)
    assert isinstance(made, CoolingTrainingSite)
    return made


@pytest.fixture(scope="session")
def spec(site: CoolingTrainingSite) -> CoolingSpec:
    return site.training_spec()


@pytest.fixture(scope="session")
def tensors(spec: CoolingSpec, site: CoolingTrainingSite) -> Tensors:
    signals, setpoints = site.signals, site.setpoints
    return Tensors(
        input_specs(spec, signals, setpoints),
        output_specs(spec, setpoints),
        tuple(signal.name for signal in signals),
        tuple(setpoint.name for setpoint in setpoints),
    )
