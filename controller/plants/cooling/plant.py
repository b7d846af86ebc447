"""The simulated cooling hall behind the plant port: real weather, several lanes, resumable to the bit.

Lane 0 is the plant. The others are twins that meet the same weather and load under other controllers, so that
the report can say what each would have cost. A period is integrated in one go, and read out sub-step by sub-step; when
a guard changes the command in between, it is integrated again from there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from controller.errors import SettingsError, StateError
from controller.plants.cooling.scenario import start_node, world_of
from controller.plants.cooling.settings import CoolingSettings
from controller.plants.snapshot import (
    SnapshotFile,
    Twin,
    WireStanding,
    WireTwin,
    standing_of,
    twin_of,
    wire_standing,
    wire_twin,
)
from controller.ports import Outcome, OutcomeSpec, Quantity
from controller.settings import Site
from safety.command_lease import Standing, in_force, taken
from safety.envelope import Envelope
from safety.values import Authority, Command, Observation, Receipt, Setpoints, Signal
from simulators.cooling.physics.plant import SUB_STEP_S, advance
from simulators.cooling.physics.state import State
from simulators.cooling.simulation import start_setpoints, start_state
from simulators.cooling.world.redundant_sensors import Redundancy, sensor_specs
from simulators.cooling.world.scenario import SUB_STEPS, DisturbanceSource
from simulators.cooling.world.signals import observe, readback, setpoint_specs, signal_specs

_Reported = tuple[int, float, float, float, float, float]
LANES = ("applied", "incumbent", "candidate", "best_static")
OUTCOME = OutcomeSpec(
    cost=Quantity("energy", "kWh", "Energy of all cooling equipment"),
    guards=(Quantity("hot", "K min", "Degree-minutes above the recommended band"),),
    covariates=(Quantity("it_kwh", "kWh", "IT energy"), Quantity("wet_bulb_c_h", "C h", "Outdoor wet bulb")),
)
SUB_STEP_US = int(SUB_STEP_S * 1_000_000)
SCHEMA = 2


@dataclass(slots=True)
class _Segment:
    """A stretch of one period under one command: from sub-step `first` to the period's end."""

    first: int
    state: State
    end: State
    power_kw: NDArray[np.float64]
    inlet_c: NDArray[np.float64]
    signals: list[list[list[float]]]
    readbacks: list[list[list[float]]]


@dataclass(slots=True)
class Meters:
    """What has been measured since the start of the run, per lane. Shapes `[lanes]`; circumstances are lane 0's."""

    energy_kwh: NDArray[np.float64]
    breach_s: NDArray[np.float64]
    hot_degree_minutes: NDArray[np.float64]
    it_kwh: float = 0.0
    wet_bulb_c_h: float = 0.0
    hours: float = 0.0


class _Snapshot(msgspec.Struct, array_like=True):
    schema: int
    seed: int
    period: int
    state: bytes
    setpoints: list[list[float]]
    signals: list[list[float]]
    readback: list[list[float]]
    meters: tuple[list[float], list[float], list[float], float, float, float]
    reported: _Reported
    standing: WireStanding
    twins: dict[str, WireTwin]


class SignalRow(Mapping[str, Signal]):
    """One row of readings as signals, made when looked up: a guard looks at a few of forty, ten times a period."""

    __slots__ = ("_columns", "_made", "_values")

    def __init__(self, columns: Mapping[str, int], values: list[float]) -> None:
        self._columns, self._values = columns, values
        self._made: dict[str, Signal] = {}

    def __getitem__(self, name: str) -> Signal:
        signal = self._made.get(name)
        if signal is None:
            signal = self._made[name] = Signal(self._values[self._columns[name]])
        return signal

    def get(self, name: str, default: Any = None) -> Any:
        signal = self._made.get(name)
        if signal is None:
            column = self._columns.get(name)
            if column is None:
                return default
            signal = self._made[name] = Signal(self._values[column])
        return signal

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


class CoolingHall:
    """A simulated hall and its twins. Implements `ports.Plant`; `command` and `observation` are for the twins' lanes."""

    simulated = True
    outcome_spec = OUTCOME

    def __init__(
        self, site: Site, cooling: CoolingSettings, envelope: Envelope, *, seed: int, snapshot: Path | None
    ) -> None:
        """The hall as it was saved in `snapshot`, or at the start of its run.

        Raises:
            SettingsError: site, settings and envelope do not describe one hall.
            StateError: `snapshot` is of another run or cannot be read.
        """
        self.name = site.settings.plant.name
        self.settings, self.envelope, self.seed = cooling, envelope, seed
        start = site.settings.plant.start
        if start is None:
            raise SettingsError("`plant.start` is missing: weather and load of a cooling plant begin at a stated time")
        self.start_us = site.start_us
        self.lane_names = LANES
        world = world_of(cooling, site.folder)
        self._specs = setpoint_specs(cooling.zones)
        self._check_names(envelope)
        specs = (*signal_specs(cooling.zones), *sensor_specs(cooling.zones))
        self._columns = {spec.name: column for column, spec in enumerate(specs)}
        self._setpoint_names = [spec.name for spec in self._specs]
        self._params = world.params()
        same = np.zeros(len(LANES), dtype=np.int64)  # every lane has the noise of lane 0
        self._source = DisturbanceSource(world, seed, same, same + start_node(start, site.settings.timezone))
        self._sensors = Redundancy(seed, same, cooling.zones)
        self._local = start_setpoints(cooling.zones, 1)[0]
        self._store = None if snapshot is None else SnapshotFile(snapshot)
        self._standing = Standing()
        self._reported: _Reported = (self.start_us, 0.0, 0.0, 0.0, 0.0, 0.0)
        self.meters = Meters(np.zeros(len(LANES)), np.zeros(len(LANES)), np.zeros(len(LANES)))
        self.twins = {name: Twin() for name in LANES[1:]}
        self._begin()
        self._resume()

    @property
    def now_us(self) -> int:
        """Plant time [us]."""
        return self.start_us + (self._period * SUB_STEPS + self._sub) * SUB_STEP_US

    def observe(self) -> Observation:
        """The readings of lane 0's sensors now."""
        return self.observation(0, in_force(self._standing, self.now_us))

    def observation(self, lane: int, applied: Setpoints | None) -> Observation:
        """The readings of one lane's sensors now."""
        values, does = self._read(lane)
        return Observation(
            plant=self.name,
            subject="",
            taken_at=self.now_us,
            signals=SignalRow(self._columns, values),
            applied=applied,
            readback=dict(zip(self._setpoint_names, does, strict=True)),
            authority=Authority.OURS,
        )

    def apply(self, command: Command, *, decision: str) -> Receipt:
        """Take a command, or refuse that of a lower epoch."""
        detail = ""
        try:
            self._standing = taken(self._standing, command, self.now_us)
        except ValueError as error:
            detail = str(error)
        setpoints = in_force(self._standing, self.now_us)
        self._set(0, setpoints)
        _, does = self._read(0)
        read_back = dict(zip(self._setpoint_names, does, strict=True))
        return Receipt(decision, setpoints, read_back, self.now_us, accepted=not detail, detail=detail)

    def command(self, lane: int, setpoints: Setpoints | None) -> None:
        """Command a twin; None leaves it to the local system."""
        self._set(lane, setpoints)

    def advance(self, until_us: int) -> None:
        """Integrate until plant time `until_us`; a command that expires on the way is dropped when it does."""
        if in_force(self._standing, self.now_us) is not None and in_force(self._standing, until_us) is None:
            command = self._standing.command
            self._forward(self._standing.since_us + (command.valid_for_us if command else 0))
            self._set(0, None)
        self._forward(until_us)

    def outcome(self) -> Outcome:
        """Cost, guard and breaches of lane 0 since the last call."""
        self._count()
        meters, (since_us, energy, breach, hot, it, wet) = self.meters, self._reported
        now = (
            self.now_us,
            float(meters.energy_kwh[0]),
            float(meters.breach_s[0]),
            float(meters.hot_degree_minutes[0]),
            meters.it_kwh,
            meters.wet_bulb_c_h,
        )
        self._reported = now
        return Outcome(
            from_us=since_us,
            to_us=now[0],
            cost=now[1] - energy,
            guards={"hot": now[3] - hot},
            covariates={"it_kwh": now[4] - it, "wet_bulb_c_h": now[5] - wet},
            breach_s=now[2] - breach,
        )

    def lanes(self) -> dict[str, dict[str, float]]:
        """Cost, guard and breaches so far, by lane."""
        self._count()
        energy = {name: float(value) for name, value in zip(LANES, self.meters.energy_kwh, strict=True)}
        breach = {name: float(value) for name, value in zip(LANES, self.meters.breach_s, strict=True)}
        hot = {name: float(value) for name, value in zip(LANES, self.meters.hot_degree_minutes, strict=True)}
        return {"cost": energy, "hot": hot, "breach_s": breach}

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    def _check_names(self, envelope: Envelope) -> None:
        ours = [spec.name for spec in self._specs]
        if envelope.names != set(ours):
            wrong = ", ".join(sorted(envelope.names ^ set(ours)))
            raise SettingsError(f"envelope.toml and the plant disagree on these setpoints: {wrong}")
        if wrong := ", ".join(sorted(self.settings.best_static.keys() ^ set(ours))):
            raise SettingsError(f"`plant.cooling.best_static` and the plant disagree on these setpoints: {wrong}")

    def _begin(self) -> None:
        """The start of a run: a plant near rest under a plain command, everything measured at zero."""
        lanes = len(LANES)
        self._period = self._sub = 0
        self._setpoints = start_setpoints(self.settings.zones, lanes)
        self._row = self._source.row(0)
        self._segment: _Segment | None = None
        self._state = start_state(self._row, self._setpoints, self._params.transit_slots(SUB_STEP_S))
        self._counted = 0
        first = self._integrate(0, self._state)
        self._signals_now, self._readback_now = first.signals[0], first.readbacks[0]

    def _read(self, lane: int) -> tuple[list[float], list[float]]:
        if self._sub == 0 or self._segment is None or self._sub == self._segment.first:
            return self._signals_now[lane], self._readback_now[lane]
        at = self._sub - self._segment.first - 1
        return self._segment.signals[at][lane], self._segment.readbacks[at][lane]

    def _set(self, lane: int, setpoints: Setpoints | None) -> None:
        row = self._local if setpoints is None else [setpoints[spec.name] for spec in self._specs]
        if np.array_equal(self._setpoints[lane], row):
            return
        self._cut()
        self._setpoints = self._setpoints.copy()
        self._setpoints[lane] = row

    def _cut(self) -> None:
        """End the segment here, so that the rest of the period can be integrated under another command."""
        segment = self._segment
        if segment is None:
            return
        self._count()
        if self._sub > segment.first:
            self._signals_now = segment.signals[self._sub - segment.first - 1]
            self._readback_now = segment.readbacks[self._sub - segment.first - 1]
            until = self._sub - segment.first
            self._state, _ = advance(
                segment.state, self._setpoints, self._row.at(slice(segment.first, self._sub)), self._params
            )
            assert until > 0
        self._segment = None

    def _forward(self, until_us: int) -> None:
        while self.now_us < until_us:
            if self._segment is None:
                self._segment = self._integrate(self._sub, self._state)
            left = (until_us - self.now_us) // SUB_STEP_US
            self._sub = min(SUB_STEPS, self._sub + max(1, left))
            if self._sub == SUB_STEPS:
                self._next_period()

    def _integrate(self, first: int, state: State) -> _Segment:
        part = self._row.at(slice(first, SUB_STEPS))
        end, out = advance(state, self._setpoints, part, self._params)
        signals = observe(out, part, self._params)
        setpoints = np.broadcast_to(self._setpoints, (signals.shape[0], *self._setpoints.shape))
        does = readback(setpoints, out)
        shown = self._sensors.beside(signals, self._period * SUB_STEPS + first)
        return _Segment(
            first=first,
            state=state,
            end=end,
            power_kw=signals[:, :, -1],
            inlet_c=out["inlet_c"],
            signals=shown.tolist(),
            readbacks=does.tolist(),
        )

    def _next_period(self) -> None:
        segment = self._segment
        assert segment is not None
        self._count()
        self._signals_now, self._readback_now = segment.signals[-1], segment.readbacks[-1]
        self._state, self._segment = segment.end, None
        self._period, self._sub, self._counted = self._period + 1, 0, 0
        self._row = self._source.row(self._period)
        if self._store is not None:
            self._store.save(self._snapshot())

    def _count(self) -> None:
        """Add to the meters what has passed since they were last read."""
        segment = self._segment
        if segment is None or self._counted >= self._sub:
            self._counted = self._sub
            return
        start, stop = max(self._counted, segment.first) - segment.first, self._sub - segment.first
        hours = SUB_STEP_S / 3600.0
        inlet, meters, limits = segment.inlet_c[start:stop], self.meters, self.settings
        meters.energy_kwh += segment.power_kw[start:stop].sum(axis=0) * hours
        outside = ((inlet < limits.hard_low_c) | (inlet > limits.hard_high_c)).any(axis=-1)
        meters.breach_s += outside.sum(axis=0) * SUB_STEP_S
        hot = np.maximum(inlet.max(axis=-1) - limits.soft_high_c, 0.0)
        meters.hot_degree_minutes += hot.sum(axis=0) * (SUB_STEP_S / 60.0)
        row = self._row.at(slice(self._counted, self._sub))
        meters.it_kwh += float(row["it_kw"][:, 0].sum()) * hours
        meters.wet_bulb_c_h += float(row["wet_bulb_c"][:, 0].sum()) * hours
        meters.hours += (stop - start) * hours
        self._counted = self._sub

    def _snapshot(self) -> bytes:
        m = self.meters
        return msgspec.msgpack.encode(
            _Snapshot(
                SCHEMA,
                self.seed,
                self._period,
                self._state.to_bytes(),
                self._setpoints.tolist(),
                self._signals_now,
                self._readback_now,
                (
                    m.energy_kwh.tolist(),
                    m.breach_s.tolist(),
                    m.hot_degree_minutes.tolist(),
                    m.it_kwh,
                    m.wet_bulb_c_h,
                    m.hours,
                ),
                self._reported,
                wire_standing(self._standing),
                {name: wire_twin(twin) for name, twin in self.twins.items()},
            )
        )

    def _resume(self) -> None:
        saved = None if self._store is None else self._store.load()
        if saved is None:
            return
        try:
            s = msgspec.msgpack.decode(saved, type=_Snapshot)
            if s.schema != SCHEMA:
                raise StateError(
                    f"the saved plant is of version {s.schema}, this program of {SCHEMA}: "
                    "start a new run in another state directory"
                )
            if s.seed != self.seed:
                raise StateError(
                    f"the saved plant is of seed {s.seed}, this run of {self.seed}: name another state directory"
                )
            self._state = State.from_bytes(s.state)
        except (msgspec.MsgspecError, ValueError) as error:
            raise StateError(
                f"the saved plant cannot be read ({error}): start a new run in another state directory"
            ) from error
        self._period, self._sub, self._counted = s.period, 0, 0
        self._setpoints = np.array(s.setpoints)
        self._signals_now, self._readback_now = s.signals, s.readback
        energy, breach, hot, it, wet, hours = s.meters
        self.meters = Meters(np.array(energy), np.array(breach), np.array(hot), it, wet, hours)
        self._reported, self._standing = s.reported, standing_of(s.standing)
        self.twins = {name: twin_of(wire) for name, wire in s.twins.items()}
        self._row, self._segment = self._source.row(self._period), None
