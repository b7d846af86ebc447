"""The entry point of a plant that keeps its own loop."""

from controller.plants.push.plant import Pushed, PushedIncumbent
from controller.plants.push.settings import PushSettings
from controller.plants.registry import BuiltPlant, PlantContext, PlantKind


def build(context: PlantContext, settings: PushSettings) -> BuiltPlant:
    """The plant that asks us; its own controller's command comes with each question."""
    plant = Pushed(context.site, settings, context.envelope)
    return BuiltPlant(plant, PushedIncumbent(plant), plant.lanes, pushed=plant)


KIND = PlantKind(PushSettings, ("pushed",), build, push=True)
