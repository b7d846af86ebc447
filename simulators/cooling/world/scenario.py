"""Named worlds to run the plant in: where, when, with what load; and the row of disturbances of each run."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from simulators.common.random_numbers import uniforms
from simulators.cooling.physics.compiled import compiled
from simulators.cooling.physics.params import Params, default_params, with_values
from simulators.cooling.physics.plant import SUB_STEP_S
from simulators.cooling.physics.records import Floats, Records
from simulators.cooling.physics.state import Disturbance
from simulators.cooling.world.faults import Fault, with_plant_faults
from simulators.cooling.world.load import NODE_S, NODES_PER_DAY, LoadProfile, load_fracs
from simulators.cooling.world.load_csv import LoadFile, read_load
from simulators.cooling.world.randomisation import Randomisation
from simulators.cooling.world.sensors_actuators import Actuators, Sensors
from simulators.cooling.world.weather import NODES, load_weather

CONTROL_STEP_S = NODE_S
SUB_STEPS = int(CONTROL_STEP_S / SUB_STEP_S)
WEEK_NODES = 7 * NODES_PER_DAY

SPLITS = {"train": (0, 1, 2), "validation": (3,), "test": (4,), "year": (0, 1, 2, 3, 4)}
"""Weeks of the year by their number modulo five, so that every split sees every season and none shares a week."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A site, the weeks episodes may start in, and the load."""

    name: str
    site: str = "greensboro"
    split: str = "year"
    zones: int = 4
    load: LoadProfile | LoadFile = field(default_factory=LoadProfile)
    changes: tuple[tuple[str, float], ...] = ()
    """Parameters of the plant that differ from the default."""
    faults: tuple[Fault, ...] = ()
    sensors: Sensors | None = None
    """Ideal if not given."""
    actuators: Actuators | None = None
    """Immediate if not given."""
    randomisation: Randomisation | None = None
    """Every lane the same plant if not given."""

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise ValueError(f"`split` is `{self.split}`; known are {', '.join(SPLITS)}")

    def params(self) -> Params:
        """The plant of this scenario."""
        return with_values(default_params(self.zones), **dict(self.changes))

    def start_nodes(self, seed: int, lanes: NDArray[np.int64], episode: int, length: int) -> NDArray[np.int64]:
        """The node of the year at which each lane's episode starts; the episode stays in a week of the split if it fits."""
        weeks = [week for week in range(52) if week % 5 in SPLITS[self.split]]
        draws = np.array([uniforms(f"{self.name}/start", seed, int(lane), episode, 1, 2)[0] for lane in lanes])
        week = np.array(weeks)[(draws[:, 0] * len(weeks)).astype(np.int64)]
        room = max(1, WEEK_NODES - length)
        return week * WEEK_NODES + (draws[:, 1] * room).astype(np.int64)


_SITES_BY_SPLIT = {
    "train": ("boulder", "chicago", "las-vegas", "newark", "oklahoma-city", "phoenix", "san-francisco", "tampa"),
    "validation": ("champaign", "colorado-springs", "fresno", "orlando"),
    "test": ("denver", "golden", "miami-airport", "sterling", "miami", "sand-point"),
}
"""Sites other than Greensboro, each in one split alone, so that neither weeks nor sites are shared. All but `miami` and
`sand-point` need the wheel pyenergyplus-lbnl."""


def _scenarios() -> Iterator[Scenario]:
    for split in SPLITS:
        yield Scenario(f"greensboro-{split}", split=split)
    for split, sites in _SITES_BY_SPLIT.items():
        yield from (Scenario(f"{site}-{split}", site=site, split=split) for site in sites)


SCENARIOS = {each.name: each for each in _scenarios()}


def scenario(name: str, **changes: object) -> Scenario:
    """The scenario of this name, with some fields changed."""
    if name not in SCENARIOS:
        raise ValueError(f"unknown scenario `{name}`; known are {', '.join(SCENARIOS)}")
    return replace(SCENARIOS[name], **changes)  # type: ignore[arg-type]


class DisturbanceSource:
    """Weather and load of a batch of runs, made a day at a time and interpolated to the sub-step's middle.

    `lanes` number the runs; a lane's numbers do not depend on which others are beside it. `start` is each lane's first
    node (five minutes) of the year, `faults_from` the control step that the scenario's faults count from.
    """

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        lanes: NDArray[np.int64],
        start: NDArray[np.int64],
        faults_from: int = 0,
    ) -> None:
        self._faults_from_s = faults_from * float(CONTROL_STEP_S)
        self.scenario, self.seed, self.lanes, self.start = scenario, seed, lanes, start
        self._weather = load_weather(scenario.site)
        params = scenario.params()
        self._design_kw = params["it_design_kw"]
        self._chillers = float(params["chiller_units"][0])
        self._day = -1
        self._air: NDArray[np.float64] = np.empty(0)
        self._it_kw: NDArray[np.float64] = np.empty(0)

    def row(self, step: int) -> Disturbance:
        """The sub-steps `[SUB_STEPS, n, ...]` of control step `step` since the start."""
        at, shape = self._made(step), (SUB_STEPS, len(self.lanes))
        row = Disturbance(np.empty((*shape, self.scenario.zones), Disturbance.ZONE), np.empty(shape, Disturbance.PLANT))
        between_nodes(self._air[at : at + 2], self._it_kw[at : at + 2], self._chillers, row.zone, row.plant)
        if not self.scenario.faults:
            return row
        now_s = (step + (np.arange(SUB_STEPS) + 0.5) / SUB_STEPS) * CONTROL_STEP_S - self._faults_from_s
        return with_plant_faults(row, self.scenario.faults, now_s)

    def _made(self, step: int) -> int:
        """Index of the step within its day, whose nodes are at hand afterwards."""
        day, at = divmod(step, NODES_PER_DAY)
        if day != self._day:
            first = self.start + day * NODES_PER_DAY
            self._air = self._weather.at(first % NODES, NODES_PER_DAY + 1)
            self._it_kw, self._day = np.ascontiguousarray(self._load(first) * self._design_kw), day
        return at

    def _load(self, first: NDArray[np.int64]) -> NDArray[np.float64]:
        load, name, zones = self.scenario.load, self.scenario.name, self.scenario.zones
        if isinstance(load, LoadProfile):
            return load_fracs(load, name, self.seed, self.lanes, first, NODES_PER_DAY + 1, zones)
        series = read_load(load.path, zones, float(np.mean(self._design_kw)), load.longest_gap_s)
        return series.at(first, NODES_PER_DAY + 1, zones)


@compiled
def between_nodes(air: Floats, it_kw: Floats, chillers: float, zones: Records, plants: Records) -> None:
    """Fill the sub-steps between two five-minute nodes, linear in time; nothing has failed.

    Args:
        air: dry bulb, wet bulb, dew point [C] and humidity ratio [kg/kg] at both nodes, `[2, n, 4]`.
        it_kw: IT power of each zone at both, `[2, n, zones]`.
        chillers: chillers installed.
        zones: `[k, n, zones]`.
        plants: `[k, n]`.
    """
    for k in range(plants.shape[0]):
        part = (k + 0.5) / plants.shape[0]
        for lane in range(plants.shape[1]):
            given, before, after = plants[k, lane], air[0, lane], air[1, lane]
            given.dry_bulb_c = before[0] + part * (after[0] - before[0])
            given.wet_bulb_c = before[1] + part * (after[1] - before[1])
            given.dew_point_c = before[2] + part * (after[2] - before[2])
            given.outdoor_kg_kg = before[3] + part * (after[3] - before[3])
            given.chillers_available, given.tower_available = chillers, 1.0
            for z in range(zones.shape[2]):
                here = zones[k, lane, z]
                here.it_kw = it_kw[0, lane, z] + part * (it_kw[1, lane, z] - it_kw[0, lane, z])
                here.fan_available, here.coil_available = 1.0, 1.0
