"""Outdoor air over a typical year, from the TMY files that come with pvlib or any EPW or TMY file."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulators.cooling.physics.psychrometrics import outdoor_air

HOURS = 8760
NODES_PER_HOUR = 12
NODES = HOURS * NODES_PER_HOUR

SITES = {"greensboro": "723170TYA.CSV", "sand-point": "703165TY.csv", "miami": "12839.tm2"}
"""Sites whose typical years ship inside the pvlib wheel: humid mid-latitude, cold sea coast, hot and humid."""

ENERGYPLUS_SITES = {
    "boulder": "USA_CO_Boulder-Broomfield-Jefferson.County.AP.724699_TMY3.epw",
    "champaign": "USA_IL_University.of.Illinois-Willard.AP.725315_TMY3.epw",
    "chicago": "USA_IL_Chicago-OHare.Intl.AP.725300_TMY3.epw",
    "colorado-springs": "USA_CO_Colorado.Springs-Peterson.Field.724660_TMY3.epw",
    "denver": "USA_CO_Denver-Aurora-Buckley.AFB.724695_TMY3.epw",
    "fresno": "USA_CA_Fresno.Air.Terminal.723890_TMY3.epw",
    "golden": "USA_CO_Golden-NREL.724666_TMY3.epw",
    "las-vegas": "USA_NV_Las.Vegas-McCarran.Intl.AP.723860_TMY3.epw",
    "miami-airport": "USA_FL_Miami.Intl.AP.722020_TMY3.epw",
    "newark": "USA_NJ_Newark.Intl.AP.725020_TMY3.epw",
    "oklahoma-city": "USA_OK_Oklahoma.City-Will.Rogers.World.AP.723530_TMY3.epw",
    "orlando": "USA_FL_Orlando.Intl.AP.722050_TMY3.epw",
    "phoenix": "USA_AZ_Phoenix-Sky.Harbor.Intl.AP.722780_TMY3.epw",
    "san-francisco": "USA_CA_San.Francisco.Intl.AP.724940_TMY3.epw",
    "sterling": "USA_VA_Sterling-Washington.Dulles.Intl.AP.724030_TMY3.epw",
    "tampa": "USA_FL_Tampa.Intl.AP.722110_TMY3.epw",
}
"""Sites whose typical years ship inside the optional wheel pyenergyplus-lbnl."""


class WeatherError(ValueError):
    """A weather file that is missing or is not what its name says."""


@dataclass(frozen=True, slots=True)
class Weather:
    """A year of outdoor air at five-minute nodes, linear between the hours of the file.

    `nodes` is `[NODES + 1, 4]`: dry bulb, wet bulb, dew point [C], humidity ratio [kg/kg]; the last row is the first.
    """

    site: str
    nodes: NDArray[np.float64]

    def at(self, first_node: NDArray[np.int64], count: int) -> NDArray[np.float64]:
        """Nodes `[count, n, 4]` from each lane's first node on; the year wraps."""
        index = (first_node[None, :] + np.arange(count)[:, None]) % NODES
        chosen: NDArray[np.float64] = self.nodes[index]
        return chosen


@lru_cache(maxsize=16)
def load_weather(source: str) -> Weather:
    """The weather of a named site (`SITES`, `ENERGYPLUS_SITES`) or of a `.epw`, `.tm2` or TMY3 `.csv` file.

    Raises:
        WeatherError: no such file, a kind of file not known, or not 8,760 hours in it.
    """
    path = _site_file(source) or Path(source)
    if not path.is_file():
        raise WeatherError(
            f"weather file `{path}` does not exist; "
            f"give the path of a .epw, .tm2 or TMY3 .csv file or one of {', '.join(sorted(SITES))}"
        )
    dry, dew, pressure = _read(path)
    if len(dry) != HOURS:
        raise WeatherError(f"weather file `{path}` has {len(dry)} hours; a typical year has {HOURS}")
    return Weather(source, _nodes(dry, np.minimum(dew, dry), pressure))


def _site_file(source: str) -> Path | None:
    if source in SITES:
        return _package("pvlib", "pvlib", source) / "data" / SITES[source]
    if source in ENERGYPLUS_SITES:
        return _package("pyenergyplus", "pyenergyplus-lbnl", source) / "data/weather" / ENERGYPLUS_SITES[source]
    return None


def _package(module: str, wheel: str, source: str) -> Path:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise WeatherError(f"the weather of `{source}` comes with {wheel}, which is not installed; install {wheel}")
    return Path(spec.origin).parent


def _read(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Dry bulb [C], dew point [C] and pressure [Pa] of each hour."""
    import pvlib  # a second to import, and only ever needed here

    kind = path.suffix.lower()
    if kind == ".epw":
        frame, _ = pvlib.iotools.read_epw(path)
        columns, scale, pressure_pa = ("temp_air", "temp_dew", "atmospheric_pressure"), 1.0, 1.0
    elif kind == ".tm2":
        frame, _ = pvlib.iotools.read_tmy2(path)
        columns, scale, pressure_pa = ("DryBulb", "DewPoint", "Pressure"), 0.1, 100.0
    elif kind == ".csv":
        frame, _ = pvlib.iotools.read_tmy3(path, map_variables=True)
        columns, scale, pressure_pa = ("temp_air", "temp_dew", "pressure"), 1.0, 100.0
    else:
        raise WeatherError(f"weather file `{path}` ends in `{kind}`; known are .epw, .tm2 and TMY3 .csv")
    dry, dew, pressure = (np.asarray(frame[name], dtype=np.float64) for name in columns)
    return dry * scale, dew * scale, pressure * pressure_pa


def _nodes(dry: NDArray[np.float64], dew: NDArray[np.float64], pressure: NDArray[np.float64]) -> NDArray[np.float64]:
    wet, ratio = outdoor_air(dry, dew, pressure)
    hourly = np.stack([dry, wet, dew, ratio], axis=1)
    hourly = np.concatenate([hourly, hourly[:1]])
    hours = np.arange(NODES + 1) / NODES_PER_HOUR
    return np.stack([np.interp(hours, np.arange(HOURS + 1), column) for column in hourly.T], axis=1)
