"""What a kind of plant brings along, and which kinds there are.

Built-in kinds are listed here. A third plant comes from an installed package by the entry point group
`understudy.plants`, and only if `site.toml` names it under `plant.plugins`: nothing is loaded because it is there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path

from controller.errors import SettingsError
from controller.plants.bidding.incumbent import Pacing
from controller.plants.bidding.plant import AdAccount
from controller.plants.cooling.incumbent import TrimAndRespond
from controller.plants.cooling.plant import CoolingHall
from controller.plants.push.plant import Pushed, PushedIncumbent
from controller.plants.twins import Twins
from controller.ports import Companions, Incumbent, Plant
from controller.settings import Site
from safety.envelope import Envelope

GROUP = "understudy.plants"
Lanes = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a plant is to be set up: the site, its envelope, the run's seed and its state directory."""

    site: Site
    envelope: Envelope
    seed: int
    state: Path


@dataclass(frozen=True, slots=True)
class PlantKit:
    """A plant behind its port, with the incumbent that runs it and what is measured beside it.

    `lanes` gives `energy_kwh` and `breach_s` by lane (`applied`, and twins if there are any); `companions` commands twins.
    """

    plant: Plant
    incumbent: Incumbent
    lanes: Callable[[], Lanes]
    close: Callable[[], None] = lambda: None
    companions: Companions = field(default_factory=Companions)
    pushed: Pushed | None = None


def cooling(setting: Setting) -> PlantKit:
    """The simulated hall, with trim-and-respond in charge of it and its twins beside it."""
    settings = setting.site.settings.plant.cooling
    _wants_incumbent(setting, "trim_and_respond")
    hall = CoolingHall.open(setting.site, setting.envelope, seed=setting.seed, snapshot=setting.state / "plant.sqlite")
    assert settings is not None, "the hall has refused a site without it"
    twins = Twins(hall, setting.envelope, TrimAndRespond(settings.zones), settings.best_static)
    return PlantKit(hall, TrimAndRespond(settings.zones), hall.lanes, hall.close, twins)


def bidding(setting: Setting) -> PlantKit:
    """The simulated advertiser account, with PID pacing in charge of it and its twins beside it."""
    _wants_incumbent(setting, "pid_pacing")
    account = AdAccount(setting.site, setting.envelope, seed=setting.seed, snapshot=setting.state / "plant.sqlite")
    campaigns = account.settings.campaigns
    twins = Twins(account, setting.envelope, Pacing(campaigns))
    return PlantKit(account, Pacing(campaigns), account.lanes, account.close, twins)


def push(setting: Setting) -> PlantKit:
    """A plant that keeps its own loop and asks us; its own controller's command comes with each question."""
    _wants_incumbent(setting, "pushed")
    plant = Pushed(setting.site)
    return PlantKit(plant, PushedIncumbent(plant), plant.lanes, pushed=plant)


BUILT_IN: Mapping[str, Callable[[Setting], PlantKit]] = {"cooling": cooling, "bidding": bidding, "push": push}


def kit_for(setting: Setting) -> PlantKit:
    """The kit of a site's plant. Raises SettingsError for a kind that is neither built in nor allow-listed and installed."""
    plant = setting.site.settings.plant
    if plant.kind in BUILT_IN:
        return BUILT_IN[plant.kind](setting)
    if plant.kind not in plant.plugins:
        raise SettingsError(
            f"plant kind `{plant.kind}` is none of {', '.join(BUILT_IN)}: if a package brings it, list it in `plant.plugins`"
        )
    for point in entry_points(group=GROUP):
        if point.name == plant.kind:
            found: PlantKit = point.load()(setting)
            return found
    raise SettingsError(
        f"plant kind `{plant.kind}` is allowed, but no installed package brings it: install the package"
    )


def _wants_incumbent(setting: Setting, kind: str) -> None:
    given = setting.site.settings.incumbent.kind
    if given != kind:
        raise SettingsError(
            f"incumbent `{given}` does not fit plant kind `{setting.site.settings.plant.kind}`: use `{kind}`"
        )
