"""What the cooling plant provides for training: training halls, novelty data and the evaluation of a year."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from controller.learning.spec import TrainingError
from controller.learning.tensors import Tensors
from controller.learning.training_site import Say, Table
from controller.plants.cooling.scenario import world_of
from controller.plants.cooling.settings import CoolingSettings
from controller.plants.cooling.training import score_card
from controller.plants.cooling.training.evaluate import evaluate_seeds
from controller.plants.cooling.training.hall import Hall
from controller.plants.cooling.training.halls import TrainingHalls
from controller.plants.cooling.training.novelty_data import false_refusals, fitted, service_rows
from controller.plants.cooling.training.randomisation import randomisation_of
from controller.plants.cooling.training.spec import CoolingSpec, load_spec
from controller.policies.manifest import Manifest, NoveltyStatistics
from safety.loading.spec import load_envelope
from simulators.cooling.episode import Episodes
from simulators.cooling.world.scenario import scenario
from simulators.cooling.world.signals import setpoint_specs


@dataclass(frozen=True, slots=True)
class CoolingTrainingSite(Hall):
    """Implements `learning.training_site.TrainingSite`."""

    def training_spec(self) -> CoolingSpec:
        """The site's `training.toml`. Raises TrainingError."""
        return load_spec(self.folder / "training.toml")

    def training_plants(self, spec: CoolingSpec, seed: int) -> TrainingHalls:
        """The halls of a training run, randomised as its spec says."""
        how = None if spec.randomisation is None else randomisation_of(spec.randomisation, self.folder)
        world = scenario(spec.world.scenario, randomisation=how)
        return TrainingHalls(Episodes(world, seed, spec.world.lanes, spec.world.episode_steps), spec.reward)

    def novelty(self, graph: bytes, tensors: Tensors) -> tuple[NoveltyStatistics, Mapping[str, float]]:
        """Statistics of a year of service, and the shares of rows of weeks never trained on that they refuse, by driver."""
        served = service_rows(graph, tensors, self)
        statistics = fitted(served)
        return statistics, false_refusals(statistics, served)

    def evaluate(self, graph: bytes, manifest: Manifest, tensors: Tensors, seeds: Sequence[int], say: Say) -> Table:
        """A year of the candidate beside the incumbent and the best static setpoints, for each seed."""
        return evaluate_seeds(graph, manifest, tensors, self, seeds, say)

    def shown(self, table: Table) -> str:
        """The table of an evaluation as text."""
        return score_card.shown(table)


def training_site(folder: Path, settings: CoolingSettings) -> CoolingTrainingSite:
    """The training site of a folder with these settings. Raises TrainingError where its envelope is not in the plant's order."""
    envelope = load_envelope(folder / "envelope.toml")
    names = [spec.name for spec in setpoint_specs(settings.zones)]
    if [spec.name for spec in envelope.setpoints] != names:
        raise TrainingError(
            f"`{folder}/envelope.toml` must list the plant's setpoints in its order: {', '.join(names)}"
        )
    static = np.array([settings.best_static[name] for name in names])
    return CoolingTrainingSite(folder, envelope, settings, world_of(settings, folder), static)
