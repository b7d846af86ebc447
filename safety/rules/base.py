"""What every kind of rule is. Each answers one question with a margin: >= 0 accepts, anything else refuses.

The kinds themselves, a closed set, are in `safety.rules.command_rules` and `safety.rules.state_rules`. Every predicate
is a positive permissive (`low <= x <= high`), so a NaN anywhere refuses. A command rule judges setpoints; a state rule judges the
observation and may only take authority away from sources. Rules are values; what a rule must remember is a tuple of
numbers kept for it in `Memory.rules`, changed only by `aged` and `applied`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan

from safety.rules.conditions import Condition
from safety.values import Observation, RuleState, Setpoints, Signal, Source, Tier

ANY = "any"
POLICY = "policy"
US_PER_S = 1_000_000


@dataclass(frozen=True, slots=True)
class Situation:
    """What a command rule may look at besides the setpoints it judges.

    `last` is the command in force (None: no command); `reference` the incumbent's own step (None: it made no step);
    `dt_s` the time a step may use; `states` the memory of the stateful rules.
    """

    signals: Mapping[str, Signal]
    last: Setpoints | None
    reference: Setpoints | None
    dt_s: float
    states: Mapping[str, RuleState]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What every rule carries: its name, its precedence, whom it binds, and why it exists."""

    id: str
    tier: Tier
    applies_to: str = ANY
    hazard: str
    basis: str
    unit: str = ""

    def fresh(self) -> RuleState:
        """The state of this rule when nothing is remembered."""
        return ()

    def aged(self, state: RuleState, observation: Observation, elapsed_us: int) -> RuleState:
        """The state after `elapsed_us` more, seen against the present observation."""
        return state

    def applied(self, state: RuleState, last: Setpoints | None, setpoints: Setpoints) -> RuleState:
        """The state after a command has been issued."""
        return state


def state_of(states: Mapping[str, RuleState], rule: Rule, fresh: RuleState) -> RuleState:
    """The remembered state of a rule; `fresh` where that is unknown or was remembered for a rule of another kind."""
    state = states.get(rule.id, ())
    return state if len(state) >= len(fresh) and not isnan(sum(state)) else fresh


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRule(Rule):
    """Judges a target, a step, or both. `step_only` rules (slew, dwell, trust region) are about the way, not the goal.

    A rule that `needs_last` has nothing to compare with while no command is in force and none is read back.
    """

    step_only = False
    needs_last = False

    @property
    def setpoints(self) -> tuple[str, ...]:
        """The setpoints this rule constrains."""
        raise NotImplementedError

    def margin(self, proposed: Setpoints, now: Situation) -> float:
        """Distance to the limit in the rule's unit; >= 0 accepts, `inf` means not engaged, NaN refuses."""
        raise NotImplementedError

    def explain(self, proposed: Setpoints, now: Situation) -> str:
        """The refusal in an operator's words."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRule(Rule):
    """Judges the observation. While it refuses, sources lose authority: the policy alone, or (`applies_to = any`) all."""

    latching = False
    critical = False

    @property
    def removes(self) -> tuple[Source, ...]:
        return (Source.CANDIDATE,) if self.applies_to == POLICY else tuple(Source)

    def margin(self, observation: Observation, state: RuleState) -> float:
        """Distance to the limit in the rule's unit; >= 0 accepts, NaN is unknown and refuses."""
        raise NotImplementedError

    def explain(self, observation: Observation, state: RuleState) -> str:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class FailSafe:
    """One entry of the fail-safe list: while `when` holds (None: always) command `vector` (None: relinquish)."""

    id: str
    when: Condition | None
    vector: Setpoints | None = field(default=None)
