"""Push mode in the control process: one question of the plant is one tick of its loop."""

from typing import Protocol

from controller.loop.tick import PlantLoop
from controller.protocol.push import DecideRequest, DecideResponse, answer, observation, proposal
from controller.records.decision import Decision
from safety.values import Observation, Proposal


class Pushed(Protocol):
    """A plant that keeps its own loop: it observes what its last question says."""

    def ask(self, seen: Observation, wanted: Proposal) -> None: ...

    def observe(self) -> Observation: ...


class Answering:
    """Answers questions for one plant, in order. A question asked again is answered again, not decided again.

    `pushed` is None where the plant is driven by its loop here: then every question is refused.
    """

    def __init__(self, loop: PlantLoop, pushed: Pushed | None) -> None:
        self.loop, self.pushed = loop, pushed
        self.last: Decision | None = loop.parts.spool.last_decision() if pushed is not None else None

    def answer(self, plant: str, request: DecideRequest) -> DecideResponse:
        """Return the command for the plant to apply, or the reason for none; then the plant's own command stands."""
        ours = self.loop.parts.plant.name
        if plant != ours:
            return DecideResponse("refused", f"no plant `{plant}` here, this is `{ours}`")
        if self.pushed is None:
            return DecideResponse("refused", f"plant `{plant}` is run by its own loop here, it is not in push mode")
        if self.last is not None and request.taken_at <= self.last.observation.taken_at:
            return self._again(request.taken_at, self.last)
        self.pushed.ask(observation(plant, request), proposal(request))
        self.last = self.loop.tick(self.pushed.observe())
        return answer(self.last)

    def _again(self, taken_at: int, last: Decision) -> DecideResponse:
        if taken_at == last.observation.taken_at:
            return answer(last)
        return DecideResponse(
            "refused",
            f"`taken_at` {taken_at} is before the last decision's {last.observation.taken_at}: time runs forwards",
        )
