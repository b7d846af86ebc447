"""A batch of episodes of five-minute control steps, in engineering units; the environments are thin around it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.cooling.physics.compiled import compiled
from simulators.cooling.physics.outputs import Outputs
from simulators.cooling.physics.plant import SUB_STEP_S, advance
from simulators.cooling.physics.records import Records
from simulators.cooling.physics.state import State
from simulators.cooling.simulation import start_setpoints, start_state
from simulators.cooling.world import adr
from simulators.cooling.world.io_channel import Link
from simulators.cooling.world.randomisation import randomised, with_shares
from simulators.cooling.world.scenario import CONTROL_STEP_S, DisturbanceSource, Scenario
from simulators.cooling.world.signals import observe, readback

Floats = NDArray[np.float64]
SETTLE_STEPS = 12
"""Control steps under plain setpoints before an episode starts. [5 min]"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One control step of `n` plants."""

    signals: Floats
    """At its end, `[n, m]` in the order of `signal_specs`."""
    setpoints: Floats
    """What the plant obeyed: the command, after delay, rate limits and expiry; `[n, zones + 4]`."""
    readback: Floats
    """What the plant did about the command, `[n, zones + 4]`."""
    inlet_max_c: Floats
    """Hottest rack inlet of each zone at the end of any sub-step, `[n, zones]`."""
    cooling_kwh: Floats
    """`[n]`"""
    it_kwh: Floats
    """`[n]`"""
    parts_kwh: Floats
    """Fans, pumps, chillers, tower; `[n, 4]`."""
    water_kg: Floats
    """Tower make-up water, `[n]`."""


class Episodes:
    """`lanes` plants side by side; each lane is the same whatever the number of lanes.

    `numbers` says which load each lane gets, 0, 1, 2 .. if not given; lanes of one number get the same load.
    """

    def __init__(
        self, scenario: Scenario, seed: int, lanes: int, length: int, numbers: NDArray[np.int64] | None = None
    ) -> None:
        self.scenario, self.lanes, self.length = scenario, lanes, length
        self._numbers = np.arange(lanes) if numbers is None else numbers
        self.params = scenario.params()
        self.ranges = None if scenario.randomisation is None else adr.start(scenario.randomisation)
        """How far automatic randomisation has spread the plants by now; see `adr`."""
        self._edges, self._coped = np.full(lanes, -1), np.ones(lanes, dtype=np.bool_)
        self._link = Link(scenario, lanes)
        self.seed, self._episode = seed, -1

    def reset(self, seed: int | None = None, start: NDArray[np.int64] | None = None) -> Measured:
        """The next episode, settled under plain setpoints; a `seed` restarts the sequence of episodes.

        Args:
            seed: of load and of where in the year episodes start.
            start: five-minute node of the year for each lane `[n]`, instead of drawing it.
        """
        if seed is not None:
            self.seed, self._episode = seed, -1
        self._adapt()
        self._episode += 1
        self._draw_plants()
        if start is None:
            whole = self.length + SETTLE_STEPS
            start = self.scenario.start_nodes(self.seed, self._numbers, self._episode, whole)
        self._source = DisturbanceSource(self.scenario, self.seed, self._numbers, start, SETTLE_STEPS)
        self.step_index, setpoints = 0, start_setpoints(self.scenario.zones, self.lanes)
        self._link.restart(setpoints, self.seed, self._numbers, self._episode)
        self._state = start_state(self._source.row(0), setpoints, self.params.transit_slots(SUB_STEP_S))
        for _ in range(SETTLE_STEPS):
            measured = self.step(setpoints)
        return measured

    def _adapt(self) -> None:
        how = self.scenario.randomisation
        if how is None or how.automatic is None or self.ranges is None:
            return
        begun = self._episode >= 0
        self.ranges = adr.after(how.automatic, self.ranges, self._edges, self._coped) if begun else adr.start(how)
        self._coped = np.ones(self.lanes, dtype=np.bool_)

    def _draw_plants(self) -> None:
        how, name = self.scenario.randomisation, self.scenario.name
        if how is None or self.ranges is None:
            return
        if how.automatic is None:
            self.params = randomised(self.scenario.params(), how, name, self.seed, self._numbers, self._episode)
        else:
            drawn, self._edges = adr.drawn(how, self.ranges, name, self.seed, self._numbers, self._episode)
            self.params = with_shares(self.scenario.params(), how, drawn)

    def step(self, setpoints: Floats) -> Measured:
        """Five minutes under `setpoints` `[n, zones + 4]`."""
        now_s = (self.step_index - SETTLE_STEPS) * float(CONTROL_STEP_S)
        setpoints = self._link.down(setpoints, now_s)
        row = self._source.row(self.step_index)
        self._state, outputs = advance(self._state, setpoints, row, self.params)
        self.step_index += 1
        end, meters = outputs.at(-1), metered(outputs)
        self._watch(meters.inlet_max_c)
        return Measured(
            signals=self._link.up(observe(end, row.at(-1), self.params), now_s),
            setpoints=setpoints,
            readback=readback(setpoints, end),
            inlet_max_c=meters.inlet_max_c,
            cooling_kwh=meters.cooling_kwh,
            it_kwh=meters.it_kwh,
            parts_kwh=meters.parts_kwh,
            water_kg=meters.water_kg,
        )

    def _watch(self, hottest_c: Floats) -> None:
        how = self.scenario.randomisation
        if how is not None and how.automatic is not None and self.step_index > SETTLE_STEPS:
            self._coped &= np.maximum.reduce(hottest_c, axis=1) <= how.automatic.inlet_limit_c

    @property
    def state(self) -> State:
        """The plants as they are now."""
        return self._state

    @property
    def source(self) -> DisturbanceSource:
        """The disturbances of this episode, for references that may look ahead."""
        return self._source

    @property
    def done(self) -> bool:
        """Whether the episode has reached its length."""
        return self.step_index >= self.length + SETTLE_STEPS


@dataclass(frozen=True, slots=True)
class Metered:
    """Energy and water of `n` plants over a row of sub-steps."""

    inlet_max_c: Floats
    cooling_kwh: Floats
    it_kwh: Floats
    parts_kwh: Floats
    water_kg: Floats


def metered(outputs: Outputs) -> Metered:
    """What meters and the hottest inlets say of a row of sub-steps of `SUB_STEP_S`."""
    _, lanes, zones = outputs.zone.shape
    m = Metered(np.empty((lanes, zones)), np.empty(lanes), np.empty(lanes), np.empty((lanes, 4)), np.empty(lanes))
    read_meters(
        outputs.zone, outputs.plant, SUB_STEP_S, m.inlet_max_c, m.cooling_kwh, m.it_kwh, m.parts_kwh, m.water_kg
    )
    return m


@compiled
def read_meters(
    zones: Records, plants: Records, dt_s: float, inlet_max_c: Floats, cooling_kwh: Floats, it_kwh: Floats,
    parts_kwh: Floats, water_kg: Floats,
) -> None:  # fmt: skip
    """`metered` on arrays: fills the last five."""
    hours = dt_s / 3600.0
    for lane in range(plants.shape[1]):
        fans, it, pumps, chillers, tower, water = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for z in range(zones.shape[2]):
            inlet_max_c[lane, z] = zones[0, lane, z].inlet_c
        for k in range(plants.shape[0]):
            o = plants[k, lane]
            pumps, chillers = pumps + o.chw_pump_kw + o.cw_pump_kw, chillers + o.chiller_kw
            tower, water = tower + o.tower_kw, water + o.makeup_kg_s
            for z in range(zones.shape[2]):
                here = zones[k, lane, z]
                fans, it = fans + here.fan_kw, it + here.it_kw
                inlet_max_c[lane, z] = max(inlet_max_c[lane, z], here.inlet_c)
        parts_kwh[lane, 0], parts_kwh[lane, 1] = fans * hours, pumps * hours
        parts_kwh[lane, 2], parts_kwh[lane, 3] = chillers * hours, tower * hours
        cooling_kwh[lane], it_kwh[lane] = (fans + pumps + chillers + tower) * hours, it * hours
        water_kg[lane] = water * dt_s
