"""`training.toml` of the cooling plant."""

from pathlib import Path
from typing import Literal

from controller.learning.spec import TrainingSpec, load_training
from controller.learning.spec_types import TrainingError
from controller.plants.cooling.training.randomisation import RandomisationSpec, randomisation_of
from controller.plants.cooling.training.reward import CoolingReward


class CoolingSpec(TrainingSpec):
    """The whole file. Without `randomisation` every training plant is the default one."""

    plant_kind: Literal["cooling"]
    reward: CoolingReward
    randomisation: RandomisationSpec | None = None


def load_spec(path: Path) -> CoolingSpec:
    """The spec of a `training.toml`. Raises TrainingError with one clear sentence."""
    spec = load_training(path, CoolingSpec)
    if spec.randomisation is not None:
        try:
            randomisation_of(spec.randomisation, path.parent)
        except TrainingError as error:
            raise TrainingError(f"training file `{path}`: {error}") from error
    return spec
