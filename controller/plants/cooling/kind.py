"""The entry point of the cooling plant. What it needs is imported when a plant is built: others ask the kind itself only."""

from pathlib import Path
from typing import TYPE_CHECKING

from controller.plants.cooling.settings import CoolingSettings
from controller.plants.registry import BuiltPlant, PlantContext, PlantKind

if TYPE_CHECKING:
    from controller.plants.cooling.training.training_site import CoolingTrainingSite


def build(context: PlantContext, settings: CoolingSettings) -> BuiltPlant:
    """The simulated hall, with trim-and-respond in charge of it and its twins beside it."""
    from controller.plants.cooling.incumbent import TrimAndRespond
    from controller.plants.cooling.plant import CoolingHall
    from controller.plants.twins import Twins

    snapshot = context.state / "plant.sqlite"
    hall = CoolingHall(context.site, settings, context.envelope, seed=context.seed, snapshot=snapshot)
    twins = Twins(hall, context.envelope, TrimAndRespond(settings.zones), settings.best_static)
    return BuiltPlant(hall, TrimAndRespond(settings.zones), hall.lanes, hall.close, twins)


def training(folder: Path, settings: CoolingSettings) -> "CoolingTrainingSite":
    """The site in `folder` as training needs it."""
    from controller.plants.cooling.training.training_site import training_site

    return training_site(folder, settings)


KIND = PlantKind(CoolingSettings, ("trim_and_respond",), build, training)
