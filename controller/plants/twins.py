"""The twins' controllers: the incumbent alone, the candidate with the whole plant, and the best static setting.

They live through the plant's own weather and load, which no real plant can offer; the report uses them, and nothing that
decides on the real lane ever does.
"""

from controller.loop import Companions
from controller.plants.cooling import LANES, CoolingHall
from controller.ports import Incumbent
from safety.decide import decide
from safety.envelope import Envelope, fresh_memory
from safety.values import Observation, Proposal, Setpoints, Source


class Twins(Companions):
    """Commands lanes 1 to 3 of a hall, at the beginning of every period."""

    def __init__(self, hall: CoolingHall, envelope: Envelope, incumbent: Incumbent, best_static: Setpoints) -> None:
        self.hall, self.envelope, self.incumbent = hall, envelope, incumbent
        self.best_static = best_static
        self.fresh = fresh_memory(envelope)
        self._asked: Observation | None = None

    def observations(self) -> list[Observation]:
        """The candidate's twin asks with the rest, once a period."""
        if self.hall.now_us % self.envelope.period_us:
            return []
        self._asked = self._look("candidate")
        return [self._asked]

    def act(self, proposals: list[Proposal]) -> None:
        """Decide for every lane as the loop decides for the plant."""
        if not proposals or self._asked is None:
            return
        self._drive("incumbent", self._look("incumbent"), None)
        self._drive("candidate", self._asked, proposals[0])
        self.hall.command(LANES.index("best_static"), self.best_static)
        self._asked = None

    def _look(self, lane: str) -> Observation:
        memory = self.hall.twins[lane].memory or self.fresh
        return self.hall.observation(LANES.index(lane), memory.last)

    def _drive(self, lane: str, seen: Observation, wanted: Proposal | None) -> None:
        twin = self.hall.twins[lane]
        memory = twin.memory or self.fresh
        own, incumbent = self.incumbent.propose(seen, twin.incumbent or self.incumbent.fresh)
        proposals = {Source.INCUMBENT: own} | ({} if wanted is None else {Source.CANDIDATE: wanted})
        assigned = Source.INCUMBENT if wanted is None else Source.CANDIDATE
        elapsed_us = 0 if twin.memory is None else self.envelope.period_us
        ruling = decide(seen, proposals, assigned, self.envelope, memory, elapsed_us=elapsed_us, epoch=0)
        applied = ruling.command.setpoints
        self.hall.command(LANES.index(lane), applied or None)
        twin.memory = ruling.memory
        twin.incumbent = dict(self.incumbent.track(incumbent, applied) if applied else incumbent)
