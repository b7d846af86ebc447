"""Every kind of plant is found by its entry point; none takes the place of a built-in one, and a lost one is an error."""

import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from controller.errors import SettingsError
from controller.plants import registry
from controller.plants.registry import DISTRIBUTION, GROUP, PlantKind, check_plant, kind_of
from controller.settings import PlantSettings, Site, load_site
from tests.paths import ROOT

DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][GROUP]


def declare(folder: Path, distribution: str, **points: str) -> None:
    """The metadata of an installed distribution that declares these kinds."""
    info = folder / f"{distribution}-9.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 9.0\n")
    lines = "".join(f"{kind} = {where}\n" for kind, where in points.items())
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{lines}")


def plant(kind: str, *plugins: str) -> PlantSettings:
    return PlantSettings(name="p", kind=kind, plugins=list(plugins))


def test_the_installed_distribution_declares_the_plants_of_pyproject() -> None:
    installed = {
        point.name: point.value
        for point in entry_points(group=GROUP)
        if point.dist is not None and point.dist.name == DISTRIBUTION
    }
    assert installed == DECLARED, "install the checkout again: `pip install -e .`"


@pytest.mark.parametrize("kind", DECLARED)
def test_a_built_in_kind_needs_no_plugin(kind: str) -> None:
    assert isinstance(kind_of(plant(kind)), PlantKind)


@pytest.mark.parametrize("site", sorted((ROOT / "deploy" / "sites").iterdir()), ids=lambda path: path.name)
def test_a_shipped_site_has_settings_its_plant_accepts(site: Path) -> None:
    check_plant(load_site(site))


def test_another_package_cannot_replace_a_built_in_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(tmp_path, "a-foreign-package", cooling="nowhere:KIND")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert kind_of(plant("cooling", "cooling")) is kind_of(plant("cooling"))


def test_a_distribution_without_plants_says_install_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(tmp_path, DISTRIBUTION)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SettingsError, match=r"the installed `understudy` declares no plants.*install it again"):
        kind_of(plant("cooling"))


def test_an_uninstalled_checkout_says_install_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: [])
    with pytest.raises(SettingsError, match="declares no plants"):
        kind_of(plant("cooling"))


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("controller.plants.registry:GROUP", "is not a PlantKind"),
        ("controller.plants.no_such_module:KIND", "cannot be imported"),
        ("controller.plants.registry:NO_SUCH_NAME", "cannot be imported"),
    ],
)
def test_a_wrong_entry_point_is_named(
    where: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(tmp_path, "a-foreign-package", boiler=where)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SettingsError, match=message):
        kind_of(plant("boiler", "boiler"))


def incumbent(site: Site, kind: str) -> Site:
    settings = site.settings.model_copy(update={"incumbent": site.settings.incumbent.model_copy(update={"kind": kind})})
    return site.model_copy(update={"settings": settings})


def test_another_plants_incumbent_is_refused_without_a_plant() -> None:
    site = load_site(ROOT / "deploy" / "sites" / "push-demo")
    with pytest.raises(SettingsError, match="incumbent `pid_pacing` does not fit plant kind `push`: use `pushed`"):
        check_plant(incumbent(site, "pid_pacing"))
