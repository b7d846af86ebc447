"""The twins' controllers: the incumbent alone, the candidate with the whole plant, and one fixed setting if there is one.

They meet the plant's own weather and load, which no real plant can offer; the report uses them, and nothing that
decides on the real lane ever does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from controller.loop.tick import Companions
from controller.plants.snapshot import Twin
from controller.ports import Incumbent
from safety.decide import decide, situation
from safety.envelope import Envelope, fresh_memory, permitted
from safety.inputs import Amended, managed
from safety.values import Observation, Proposal, Setpoints, Signal, Source


class Lanes(Protocol):
    """A simulated plant that lives in several lanes at once; the first one is the plant itself."""

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
        self, plant: Lanes, envelope: Envelope, incumbent: Incumbent, best_static: Setpoints | None = None
    ) -> None:
        self.plant, self.envelope, self.incumbent = plant, envelope, incumbent
        self.best_static = best_static
        self.fresh = fresh_memory(envelope)
        self._asked: Observation | None = None

    def observations(self) -> list[Observation]:
        """The candidate's twin asks with the rest, once a period."""
        if self.plant.now_us % self.envelope.period_us:
            return []
        self._asked = self._look("candidate")
        return [self._view("candidate", self._asked)]

    def act(self, proposals: list[Proposal], measured: list[Mapping[str, Signal]]) -> None:
        """Decide for every lane as the loop decides for the plant."""
        if not proposals or self._asked is None:
            return
        self._drive("incumbent", self._look("incumbent"), None)
        asked = replace(self._asked, signals=Amended(self._asked.signals, measured[0]))
        self._drive("candidate", asked, proposals[0])
        if self.best_static is not None:
            self._command("best_static", self.best_static)
        self._asked = None

    def _look(self, lane: str) -> Observation:
        memory = self.plant.twins[lane].memory or self.fresh
        return self.plant.observation(self.plant.lane_names.index(lane), memory.last)

    def _view(self, lane: str, seen: Observation) -> Observation:
        """An observation as it is passed on to those who propose."""
        twin = self.plant.twins[lane]
        memory = twin.memory or self.fresh
        view, _ = managed(seen, self.envelope.inputs, memory.rules, self._elapsed_us(twin))
        return replace(view, permitted=permitted(self.envelope, situation(view, memory, self.envelope)))

    def _elapsed_us(self, twin: Twin) -> int:
        return 0 if twin.memory is None else self.envelope.period_us

    def _command(self, lane: str, setpoints: Setpoints | None) -> None:
        self.plant.command(self.plant.lane_names.index(lane), setpoints)

    def _drive(self, lane: str, seen: Observation, wanted: Proposal | None) -> None:
        twin = self.plant.twins[lane]
        memory = twin.memory or self.fresh
        own, incumbent = self.incumbent.propose(self._view(lane, seen), twin.incumbent or self.incumbent.fresh)
        proposals = {Source.INCUMBENT: own} | ({} if wanted is None else {Source.CANDIDATE: wanted})
        assigned = Source.INCUMBENT if wanted is None else Source.CANDIDATE
        elapsed_us = self._elapsed_us(twin)
        ruling = decide(seen, proposals, assigned, self.envelope, memory, elapsed_us=elapsed_us, epoch=0)
        applied = ruling.command.setpoints
        self._command(lane, applied or None)
        twin.memory = ruling.memory
        twin.incumbent = dict(self.incumbent.track(incumbent, applied) if applied else incumbent)
