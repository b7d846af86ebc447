"""A running hall whose candidate does what a test says, without a child process; what happens at a stated plant time; and
operators with their queue."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from controller import bootstrap
from controller.plants.cooling.plant import CoolingHall
from controller.plants.wrapper import Around
from controller.policies.client import Health
from controller.ports import Event, Meter, Plant
from controller.records.decision import Decision
from controller.records.operator_queue import Intent, IntentState, Kind, OperatorQueue
from safety.values import Observation, Proposal, Setpoints, Source
from simulators.cooling.world.faults import Fault
from tests.loop.loop_fixture import DEMO, as_usual, in_charge, run_ticks

GUARD_US, PERIOD_US = 30_000_000, 300_000_000
START_US = 1_672_531_200_000_000
STEADY: Setpoints = {
    "supply_air_c": 19.0,
    **{f"fan_z{zone}_frac": 0.65 for zone in range(1, 5)},
    "chws_c": 9.0,
    "tower_c": 20.0,
    "chillers_on": 2.0,
}
Wants = Callable[[Observation], Setpoints]
Act = Callable[[], None]


class Killed(BaseException):
    """The process ends here, as if by `kill -9`: nothing catches this."""


class Scripted:
    """A candidate that wants what a function says. Implements `ports.Candidate`."""

    health = Health("up", 0, 0, 0, "")

    def __init__(self, digest: str, wants: Wants) -> None:
        self.digest, self.wants = digest, wants

    def propose(self, observations: Sequence[Observation]) -> list[Proposal]:
        return [Proposal(Source.CANDIDATE, self.wants(seen)) for seen in observations]

    def close(self) -> None:
        """Nothing to end."""


class Timed(Around):
    """A plant at which something happens when its clock reaches a stated time."""

    def __init__(self, plant: Plant, at: Mapping[int, Act]) -> None:
        super().__init__(plant)
        self.at = dict(at)

    def advance(self, until_us: int) -> None:
        super().advance(until_us)
        self.at.pop(until_us, lambda: None)()


class Operator:
    """Books acts as a person at another process would."""

    _numbers = count(1)

    def __init__(self, running: bootstrap.ControlSystem, name: str = "ann") -> None:
        self.running, self.name = running, name
        self.queue = OperatorQueue(running.options.state / "intents.sqlite")

    def does(self, kind: Kind, reason: str = "a test", key: str = "", version: int | None = None, **more: Any) -> str:
        """Submit an act and notify the loop. Returns the id of the stored intent."""
        number = f"i{next(self._numbers)}"
        plant, payload = self.running.plant.name, {"reason": reason, **more}
        intent = Intent(number, key or number, plant, kind, payload, self.name, "approver", version, 0)
        stored = self.queue.submit(intent)
        self.running.operators.notify()
        return stored.id

    def intent(self, intent_id: str) -> IntentState:
        """The state of a queued act."""
        state = self.queue.get(intent_id)
        assert state is not None
        return state


@contextmanager
def hall(
    state: Path,
    wants: Wants = lambda _: STEADY,
    *,
    site: Path = DEMO,
    faults: tuple[Fault, ...] = (),
    candidate: str = "",
    driving: bool = True,
    meter: Meter = as_usual,
) -> Iterator[bootstrap.ControlSystem]:
    """The demo's control system with a scripted candidate, in charge of the whole plant unless not `driving`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "_candidate", lambda loaded, options: Scripted(loaded.bundle.digest, wants))
        patch.setattr(bootstrap, "NoveltyMeter", lambda manifest: meter)
        running = bootstrap.build_control(bootstrap.Options(site=site, state=state, candidate=candidate))
    with running:
        befall(running, *faults)
        if driving:
            in_charge(running)
        yield running


def befall(running: bootstrap.ControlSystem, *faults: Fault) -> None:
    """Let faults happen to the hall and to its twins; their times count from the start of the run."""
    plant = plant_of(running)
    plant._source.scenario = replace(plant._source.scenario, faults=faults)
    plant._row = plant._source.row(plant._period)


def plant_of(running: bootstrap.ControlSystem) -> CoolingHall:
    assert isinstance(running.built.plant, CoolingHall)
    return running.built.plant


def at(running: bootstrap.ControlSystem, acts: Mapping[int, Act]) -> None:
    """Let acts happen at stated times [us since the start of the run], before whatever the loop does then."""
    times = {START_US + after_us: act for after_us, act in acts.items()}
    running.loop.parts = replace(running.loop.parts, plant=Timed(running.built.plant, times))


def play(running: bootstrap.ControlSystem, ticks: int, acts: Mapping[int, Act] | None = None) -> list[Decision]:
    """Run so many ticks, with acts at stated times; the decisions made, oldest first."""
    at(running, acts or {})
    return run_ticks(running, ticks)


def events(running: bootstrap.ControlSystem, kind: str = "") -> list[Event]:
    """The recorded events besides decisions, oldest first."""
    return [event for event in reversed(running.spool.events(500)) if kind in ("", event.kind)]


def after(decisions: list[Decision], seconds: float) -> list[Decision]:
    """The decisions made later than so many seconds since the start of the run."""
    return [d for d in decisions if d.observation.taken_at > START_US + seconds * 1_000_000]


def second(decision: Decision) -> float:
    """The time of a decision [s since the start of the run]."""
    return (decision.observation.taken_at - START_US) / 1_000_000
