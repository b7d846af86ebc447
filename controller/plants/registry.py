"""The kinds of plants, and the search for the kind that a site names.

Every kind, built in or not, is an entry point of the group `understudy.plants` that names a `PlantKind`. Those of the
distribution `understudy` are always allowed. One of another package is allowed only if `site.toml` names it under
`plant.plugins`; otherwise it is not imported.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol

from controller.errors import SettingsError
from controller.ports import Companions, Incumbent, Plant
from controller.settings import PlantModel, PlantSettings, Site, load_site
from safety.envelope import Envelope
from safety.values import Observation, Proposal

if TYPE_CHECKING:
    from controller.learning.training_site import TrainingSite

GROUP = "understudy.plants"
DISTRIBUTION = "understudy"
LaneTotals = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class PlantContext:
    """The arguments that a plant is built from: the site, its envelope, the run's seed and its state directory."""

    site: Site
    envelope: Envelope
    seed: int
    state: Path


class PushPlant(Plant, Protocol):
    """A plant that keeps its own loop: each of its questions is one tick."""

    def ask(self, seen: Observation, wanted: Proposal) -> None:
        """The next question: what the plant sees, and what its own controller wants."""
        ...


@dataclass(frozen=True, slots=True)
class BuiltPlant:
    """A plant behind its port, with the incumbent that runs it and what is measured beside it.

    `lanes` gives `cost`, each guard by its name and `breach_s`, by lane (`applied`, and twins if there are any);
    `companions` commands twins; `pushed` is the plant once more if it keeps its own loop.
    """

    plant: Plant
    incumbent: Incumbent
    lanes: Callable[[], LaneTotals]
    close: Callable[[], None] = lambda: None
    companions: Companions = field(default_factory=Companions)
    pushed: PushPlant | None = None


@dataclass(frozen=True, slots=True)
class PlantKind(Generic[PlantModel]):
    """A kind of plant, which an entry point of the group names.

    `settings` is the model of the table `[plant.<kind>]`; `incumbents` are the values that `incumbent.kind` may have.
    `build` makes the plant. `training` makes what `understudy train` and `evaluate` need of a site's folder; None if the
    plant has no training. `push` says that the plant keeps its own loop.
    """

    settings: type[PlantModel]
    incumbents: tuple[str, ...]
    build: Callable[[PlantContext, PlantModel], BuiltPlant]
    training: "Callable[[Path, PlantModel], TrainingSite[Any]] | None" = None
    push: bool = False


def build_plant(context: PlantContext) -> BuiltPlant:
    """Build the plant of a site. Raises SettingsError where `check_plant` does, and for settings that the plant refuses."""
    kind = kind_of(context.site.settings.plant)
    return kind.build(context, _checked(context.site, kind))


def check_plant(site: Site) -> None:
    """Check kind, own table and incumbent of a site's plant without setting it up. Raises SettingsError."""
    _checked(site, kind_of(site.settings.plant))


def training_site(folder: Path) -> "TrainingSite[Any]":
    """The site in `folder` as training needs it. Raises SettingsError where its plant cannot be trained for."""
    site = load_site(folder)
    kind = kind_of(site.settings.plant)
    settings = _checked(site, kind)
    if kind.training is None:
        raise SettingsError(
            f"site `{folder}`: plant kind `{site.settings.plant.kind}` has no training: name another site"
        )
    return kind.training(folder, settings)


def kind_of(plant: PlantSettings) -> PlantKind[Any]:
    """The kind that a site's plant is of.

    Raises:
        SettingsError: the kind is not built in, and not both allow-listed and installed; or it cannot be imported.
    """
    points = sorted(entry_points(group=GROUP), key=lambda point: not _built_in(point))
    for point in points:
        if point.name == plant.kind and (_built_in(point) or plant.kind in plant.plugins):
            return _loaded(point)
    if plant.kind in plant.plugins:
        raise SettingsError(
            f"plant kind `{plant.kind}` is allowed, but no installed package brings it: install the package"
        )
    known = sorted(point.name for point in points if _built_in(point))
    if not known:
        raise SettingsError(
            f"the installed `{DISTRIBUTION}` declares no plants (entry point group `{GROUP}`): it is absent or older than "
            "this code; install it again, from a checkout with `pip install -e .`"
        )
    raise SettingsError(
        f"unknown plant kind `{plant.kind}`; valid: {', '.join(known)}: if a package brings it, list it in `plant.plugins`"
    )


def _built_in(point: EntryPoint) -> bool:
    return point.dist is not None and point.dist.name == DISTRIBUTION


def _loaded(point: EntryPoint) -> PlantKind[Any]:
    try:
        kind = point.load()
    except (ImportError, AttributeError) as error:
        raise SettingsError(
            f"plant kind `{point.name}` cannot be imported from `{point.value}` ({error}): install its package again"
        ) from error
    if not isinstance(kind, PlantKind):
        raise SettingsError(f"plant kind `{point.name}`: `{point.value}` is not a PlantKind: correct the entry point")
    return kind


def _checked(site: Site, kind: PlantKind[PlantModel]) -> PlantModel:
    """The plant's own settings. Raises SettingsError for these, or for another plant's incumbent."""
    plant, incumbent = site.settings.plant, site.settings.incumbent.kind
    settings = site.plant_settings(plant.kind, kind.settings)
    if incumbent not in kind.incumbents:
        wanted = " or ".join(f"`{name}`" for name in kind.incumbents)
        raise SettingsError(f"incumbent `{incumbent}` does not fit plant kind `{plant.kind}`: use {wanted}")
    return settings
