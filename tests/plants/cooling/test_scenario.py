"""What `[plant.cooling]` says about load and date is what the hall meets."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.errors import SettingsError
from controller.plants.cooling.scenario import start_node, world_of
from controller.plants.cooling.settings import CoolingSettings
from controller.settings import load_site
from simulators.cooling.world.load import HPC
from simulators.cooling.world.load_csv import LoadFile
from tests.paths import ROOT

DEMO = ROOT / "deploy/sites/demo"


@pytest.fixture
def cooling() -> CoolingSettings:
    return load_site(DEMO).plant_settings("cooling", CoolingSettings)


def test_load_is_named_or_read_from_the_site_folder(cooling: CoolingSettings, tmp_path: Path) -> None:
    assert world_of(cooling.model_copy(update={"load": "hpc"}), tmp_path).load == HPC
    (tmp_path / "load.csv").write_text("time,load_kw\n2024-01-01T00:00,500\n2024-01-08T00:00,600\n")
    assert world_of(cooling.model_copy(update={"load": "load.csv"}), tmp_path).load == LoadFile(tmp_path / "load.csv")


@pytest.mark.parametrize(
    ("load", "message"), [("heavy", "want mixed, cloud, hpc or the path"), ("nowhere.csv", "cannot be read")]
)
def test_a_wrong_load_is_one_clear_error(cooling: CoolingSettings, tmp_path: Path, load: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        world_of(cooling.model_copy(update={"load": load}), tmp_path)


@pytest.mark.parametrize(
    ("start", "day", "hour"),
    [(datetime(2023, 1, 1, 5, tzinfo=UTC), 0, 0), (datetime(2023, 7, 1, 5, tzinfo=UTC), 181, 0)],
)
def test_start_uses_standard_time_in_summer_and_winter(start: datetime, day: int, hour: int) -> None:
    node = start_node(start, "America/New_York")
    assert node % (365 * 288) == day * 288 + hour * 12
