"""EPW files are read as what they are."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from simulators.cooling.world.scenario import SCENARIOS
from simulators.cooling.world.weather import ENERGYPLUS_SITES, NODES_PER_HOUR, SITES, WeatherError, load_weather

HEADER = [
    "LOCATION,Testville,TS,USA,TMY3,123456,36.10,-79.95,-5.0,273.0",
    *[
        "DESIGN CONDITIONS,0",
        "TYPICAL/EXTREME PERIODS,0",
        "GROUND TEMPERATURES,0",
        "HOLIDAYS/DAYLIGHT SAVINGS,No,0,0,0",
    ],
    *["COMMENTS 1,made for a test", "COMMENTS 2,", "DATA PERIODS,1,1,Data,Sunday, 1/ 1,12/31"],
]
DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def _row(month: int, day: int, hour: int, dry_c: float, dew_c: float) -> str:
    rest = [0] * 10 + [180, 3.0] + [5, 5, 20.0, 77777, 9, "999999999", 10, 0.1, 0, 88, 0.2, 0.0, 0.0]
    return ",".join(map(str, [2001, month, day, hour, 60, "?9", dry_c, dew_c, 60, 98000, *rest]))


@pytest.fixture
def epw(tmp_path: Path) -> Path:
    """A year whose dry bulb is the number of the day plus a hundredth of the hour, and whose dew point is 5 C."""
    rows, number = [], 0
    for month, days in enumerate(DAYS, start=1):
        for day in range(1, days + 1):
            rows += [_row(month, day, hour + 1, 10.0 + number / 50.0 + hour / 100.0, 5.0) for hour in range(24)]
            number += 1
    path = tmp_path / "testville.epw"
    path.write_text("\n".join([*HEADER, *rows]) + "\n")
    return path


def test_an_epw_file_becomes_a_year_of_weather(epw: Path) -> None:
    nodes = load_weather(str(epw)).nodes
    day, hour = 200, 13
    dry, wet, dew, ratio = nodes[(24 * day + hour) * NODES_PER_HOUR]
    assert dry == pytest.approx(10.0 + day / 50.0 + hour / 100.0)
    assert dew == pytest.approx(5.0)
    assert dew < wet < dry
    assert ratio == pytest.approx(0.00559, abs=1e-4)  # at 98 kPa


def test_sites_of_the_optional_wheel_are_found(epw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site/pyenergyplus/data/weather"
    folder.mkdir(parents=True)
    (tmp_path / "site/pyenergyplus/__init__.py").write_text("")
    epw.rename(folder / ENERGYPLUS_SITES["chicago"])
    monkeypatch.syspath_prepend(tmp_path / "site")
    load_weather.cache_clear()
    assert load_weather("chicago").nodes[0, 0] == pytest.approx(10.0)
    load_weather.cache_clear()


@pytest.mark.skipif(find_spec("pyenergyplus") is not None, reason="the wheel is installed")
def test_a_site_whose_wheel_is_missing_says_what_to_install() -> None:
    with pytest.raises(WeatherError, match="install pyenergyplus-lbnl"):
        load_weather("denver")


def test_only_greensboro_is_in_two_splits() -> None:
    splits: dict[str, set[str]] = {}
    for world in SCENARIOS.values():
        splits.setdefault(world.site, set()).add(world.split)
    assert set(splits) == {*SITES, *ENERGYPLUS_SITES}
    assert all(len(each) == 1 for site, each in splits.items() if site != "greensboro")
