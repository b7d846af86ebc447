"""A plant around another: whatever a subclass does not do itself is passed on."""

from controller.ports import Outcome, OutcomeSpec, Plant
from safety.values import Command, Observation, Receipt


class Around:
    """Implements `ports.Plant` by the plant inside."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant

    @property
    def name(self) -> str:
        return self.plant.name

    @property
    def simulated(self) -> bool:
        return self.plant.simulated

    @property
    def outcome_spec(self) -> OutcomeSpec:
        return self.plant.outcome_spec

    def observe(self) -> Observation:
        return self.plant.observe()

    def apply(self, command: Command, *, decision: str) -> Receipt:
        return self.plant.apply(command, decision=decision)

    def outcome(self) -> Outcome:
        return self.plant.outcome()

    def advance(self, until_us: int) -> None:
        self.plant.advance(until_us)
