"""Rules that fail when they are asked."""

from safety.rules.base import CommandRule, Situation
from safety.rules.state_rules import Novelty
from safety.values import Observation, RuleState, Setpoints


class Broken(CommandRule):
    """A rule that cannot answer."""

    @property
    def setpoints(self) -> tuple[str, ...]:
        return ("supply_c",)

    def margin(self, proposed: Setpoints, now: Situation) -> float:
        raise ZeroDivisionError("made to fail")


class BrokenState(Novelty):
    """A state rule with a memory that can neither age nor answer."""

    def fresh(self) -> RuleState:
        return (0.0,)

    def aged(self, state: RuleState, observation: Observation, elapsed_us: int) -> RuleState:
        raise ZeroDivisionError("made to fail")

    def margin(self, observation: Observation, state: RuleState) -> float:
        raise ZeroDivisionError("made to fail twice")
