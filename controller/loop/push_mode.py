"""Push mode in the control process: one question of the plant is one tick of its loop."""

from controller.bootstrap import ControlSystem
from controller.protocol.push import DecideRequest, DecideResponse, answer, observation, proposal
from controller.records.decision import Decision


class Answering:
    """Answers questions for one plant, in order. A question asked again is answered again, not decided again."""

    def __init__(self, system: ControlSystem) -> None:
        self.system = system
        self.last: Decision | None = system.spool.last_decision() if system.kit.pushed is not None else None

    def answer(self, plant: str, request: DecideRequest) -> DecideResponse:
        """The command for the plant to apply, or why there is none: then its own command stands."""
        pushed = self.system.kit.pushed
        if plant != self.system.plant.name:
            return DecideResponse("refused", f"no plant `{plant}` here, this is `{self.system.plant.name}`")
        if pushed is None:
            return DecideResponse("refused", f"plant `{plant}` is run by its own loop here, it is not in push mode")
        if self.last is not None and request.taken_at <= self.last.observation.taken_at:
            return self._again(request.taken_at, self.last)
        pushed.ask(observation(plant, request), proposal(request))
        self.last = self.system.loop.tick(pushed.observe())
        return answer(self.last)

    def _again(self, taken_at: int, last: Decision) -> DecideResponse:
        if taken_at == last.observation.taken_at:
            return answer(last)
        return DecideResponse(
            "refused",
            f"`taken_at` {taken_at} is before the last decision's {last.observation.taken_at}: time runs forwards",
        )
