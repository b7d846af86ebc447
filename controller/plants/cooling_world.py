"""From a site's `[plant.cooling]` table to the world its simulated hall lives in: weather, load, and when it begins."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from controller.settings import CoolingSettings
from simulators.cooling.scenario import Scenario, calendar_node, scenario


def world_of(cooling: CoolingSettings) -> Scenario:
    """The scenario that the settings describe, for the whole year."""
    return scenario("greensboro-year", site=cooling.weather, zones=cooling.zones)


def start_node(cooling: CoolingSettings, timezone: str) -> int:
    """Where in the typical year the plant begins: weather files keep the site's standard time all year."""
    local = cooling.start.astimezone(ZoneInfo(timezone))
    return calendar_node((local - (local.dst() or timedelta())).replace(tzinfo=None))
