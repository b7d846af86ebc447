"""Weather, load and start of the simulated hall, from the site's `[plant.cooling]` table and `plant.start`."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from controller.errors import SettingsError
from controller.plants.cooling.settings import CoolingSettings
from simulators.cooling.world.load import LOADS
from simulators.cooling.world.load_csv import LoadFile, LoadFileError, read_load
from simulators.cooling.world.scenario import Scenario, scenario
from simulators.cooling.world.typical_year import calendar_node


def world_of(cooling: CoolingSettings, folder: Path) -> Scenario:
    """The scenario that the settings of the site in `folder` describe, for the whole year.

    Raises:
        SettingsError: the load file cannot be used.
    """
    world = scenario("greensboro-year", site=cooling.weather, zones=cooling.zones)
    if cooling.load in LOADS:
        return replace(world, load=LOADS[cooling.load])
    if not cooling.load.lower().endswith(".csv"):
        raise SettingsError(
            f"`plant.cooling.load` is `{cooling.load}`; want {', '.join(LOADS)} or the path of a .csv file"
        )
    path = folder / cooling.load
    try:
        read_load(path, cooling.zones, float(np.mean(world.params()["it_design_kw"])))
    except LoadFileError as error:
        raise SettingsError(f"`plant.cooling.load`: {error}") from error
    return replace(world, load=LoadFile(path))


def start_node(start: datetime, timezone: str) -> int:
    """The five-minute node of the typical year at which `start` lies: weather files keep the site's standard time all year."""
    local = start.astimezone(ZoneInfo(timezone))
    return calendar_node((local - (local.dst() or timedelta())).replace(tzinfo=None))
