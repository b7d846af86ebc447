"""The entry point of a plant that keeps its own loop."""

from controller.plants.push.plant import Pushed, PushedIncumbent
from controller.plants.push.settings import PushSettings
from controller.plants.registry import PlantKind, PlantKit, Setting


def build(setting: Setting, settings: PushSettings) -> PlantKit:
    """The plant that asks us; its own controller's command comes with each question."""
    plant = Pushed(setting.site, settings, setting.envelope)
    return PlantKit(plant, PushedIncumbent(plant), plant.lanes, pushed=plant)


KIND = PlantKind(PushSettings, ("pushed",), build, push=True)
