"""A plant from a separately installed package: loaded by its entry point if the site allows it, and only then."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.errors import SettingsError
from controller.plants.registry import PlantContext, build_plant
from controller.ports import Plant
from controller.settings import load_site
from controller.testing.plants import SimulatedPlantContract
from safety.loading.spec import load_envelope
from safety.values import Setpoints
from tests.paths import ROOT

EXAMPLE = ROOT / "examples" / "third_plant"
SITE = EXAMPLE / "site"


def install(target: Path) -> Path:
    """What `pip install --target` leaves of the example: its module, and metadata that names its entry points."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    stem = f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    (target / stem).mkdir(parents=True)
    (target / stem / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {where}\n" for name, where in points.items())
        for group, points in project["entry-points"].items()
    ]
    (target / stem / "entry_points.txt").write_text("\n".join(groups))
    shutil.copy(EXAMPLE / "warm_tank.py", target)
    return target


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    target = install(tmp_path / "installed")
    monkeypatch.syspath_prepend(str(target))
    yield target
    sys.modules.pop("warm_tank", None)


def context(state: Path, **plant: object) -> PlantContext:
    site = load_site(SITE)
    settings = site.settings.model_copy(update={"plant": site.settings.plant.model_copy(update=plant)})
    changed = site.model_copy(update={"settings": settings})
    return PlantContext(changed, load_envelope(SITE / "envelope.toml"), seed=1, state=state)


@pytest.mark.usefixtures("installed")
class TestWarmTank(SimulatedPlantContract):
    period_us = 300_000_000

    def plant(self, folder: Path) -> Plant:
        return build_plant(context(folder)).plant

    def setpoints(self) -> Setpoints:
        return {"heater_kw": 21.0}


@pytest.mark.usefixtures("installed")
def test_plant_not_allowed_by_the_site_is_not_imported(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"list it in `plant\.plugins`"):
        build_plant(context(tmp_path, plugins=[]))
    assert "warm_tank" not in sys.modules


def test_a_plant_that_is_allowed_but_not_installed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no installed package brings it"):
        build_plant(context(tmp_path))


def test_the_whole_system_runs_it_without_knowing_it(tmp_path: Path) -> None:
    target = install(tmp_path / "installed")
    command = [sys.executable, "-m", "controller.cli", "run", "--site", str(SITE), "--for", "18h", "--speed", "max"]
    command += ["--headless", "--state", str(tmp_path / "state"), "--report", str(tmp_path / "out.json")]
    ran = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(target)}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["ticks"] == report["decisions"] == 216
    assert [stage["name"] for stage in report["stages"]] == ["shadow", "50 %"]
    assert set(report["rungs"]) == {"candidate", "incumbent"}
    assert report["escapes"] == 0
    assert report["breach_s"] == {"applied": 0.0}
