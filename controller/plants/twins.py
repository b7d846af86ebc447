"""The twins' controllers: the incumbent alone, the candidate with the whole plant, and one fixed setting if there is one.

They meet the plant's own weather and load, which no real plant can offer; the report uses them, and nothing that
decides on the real lane ever does.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from controller.loop.pilot import Pilot
from controller.plants.snapshot import Twin
from controller.ports import Companions, Incumbent
from safety.envelope import Envelope, fresh_memory
from safety.inputs import Managed
from safety.values import Observation, Proposal, Setpoints, Signal, Source


class LanedPlant(Protocol):
    """A simulated plant that runs in several lanes at once; the first one is the plant itself."""

    @property
    def now_us(self) -> int: ...

    @property
    def lane_names(self) -> Sequence[str]: ...

    @property
    def twins(self) -> Mapping[str, Twin]: ...

    def observation(self, lane: int, applied: Setpoints | None) -> Observation: ...

    def command(self, lane: int, setpoints: Setpoints | None) -> None: ...


class Twins(Companions):
    """Commands the lanes `incumbent`, `candidate` and, given `best_static`, the one of that name, once a period."""

    def __init__(
        self, plant: LanedPlant, envelope: Envelope, incumbent: Incumbent, best_static: Setpoints | None = None
    ) -> None:
        self.plant, self.pilot, self.best_static = plant, Pilot(envelope, incumbent), best_static
        self.fresh = fresh_memory(envelope)
        self._managed: Managed | None = None

    def observations(self) -> list[Observation]:
        """The candidate's twin asks with the rest, once a period."""
        if self.plant.now_us % self.pilot.envelope.period_us:
            return []
        self._managed = self._manage("candidate")
        return [self._managed.observation]

    def act(self, proposals: list[Proposal], measured: list[Mapping[str, Signal]]) -> None:
        """Decide for every lane as the loop decides for the plant."""
        if not proposals or self._managed is None:
            return
        self._fly("incumbent", self._manage("incumbent"), None, {})
        self._fly("candidate", self._managed, proposals[0], measured[0])
        if self.best_static is not None:
            self._command("best_static", self.best_static)
        self._managed = None

    def _manage(self, lane: str) -> Managed:
        """The readings of a lane now, as the policies get them."""
        twin = self.plant.twins[lane]
        memory = twin.memory or self.fresh
        reported = self.plant.observation(self.plant.lane_names.index(lane), memory.last)
        elapsed_us = 0 if twin.memory is None else self.pilot.envelope.period_us
        return self.pilot.manage(reported, memory, elapsed_us=elapsed_us)

    def _fly(self, lane: str, managed: Managed, candidate: Proposal | None, measured: Mapping[str, Signal]) -> None:
        twin = self.plant.twins[lane]
        assigned = Source.INCUMBENT if candidate is None else Source.CANDIDATE
        incumbent = twin.incumbent or self.pilot.incumbent.fresh
        flown = self.pilot.fly(managed, incumbent, candidate, assigned=assigned, measured=measured)
        self._command(lane, flown.ruling.command.setpoints or None)
        twin.memory, twin.incumbent = flown.ruling.memory, dict(flown.incumbent)

    def _command(self, lane: str, setpoints: Setpoints | None) -> None:
        self.plant.command(self.plant.lane_names.index(lane), setpoints)
