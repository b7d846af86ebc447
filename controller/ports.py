"""What the loop needs from the world, as protocols. `bootstrap` chooses what stands behind each of them.

Implementations inherit the contract suites in `controller.testing`, which say what a protocol cannot.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from safety.values import Command, Observation, Proposal, Receipt, Setpoints, Signal


class Plant(Protocol):
    """One plant, real or simulated. Engineering units in and out; times are the plant's clock in microseconds, UTC."""

    @property
    def name(self) -> str: ...

    @property
    def simulated(self) -> bool: ...

    def observe(self) -> Observation:
        """What is known now. Never raises for a bad sensor: that is a signal of bad quality."""
        ...

    def apply(self, command: Command, *, decision: str) -> Receipt:
        """Send a command. The port enforces its expiry, relinquishes when it passes, and refuses a lower epoch."""
        ...

    def advance(self, until_us: int) -> None:
        """Come back at plant time `until_us`: a real plant waits, a simulated one integrates."""
        ...

    def outcome(self) -> "Outcome":
        """What the plant did since `outcome` was last asked: energy, breaches, covariates."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one control interval cost, and the circumstances that were not the controller's doing.

    `covariates` are named so that evidence can adjust for them (weather, load); none of them may depend on commands.
    """

    from_us: int
    to_us: int
    energy_kwh: float
    breach_s: float
    hot_degree_minutes: float
    covariates: Mapping[str, float]


class Incumbent(Protocol):
    """The controller that runs the plant today: deterministic, always available, its memory a plain value."""

    @property
    def fresh(self) -> Mapping[str, Any]:
        """Its memory when nothing is remembered."""
        ...

    def propose(self, observation: Observation, memory: Mapping[str, Any]) -> tuple[Proposal, Mapping[str, Any]]: ...

    def track(self, memory: Mapping[str, Any], applied: Setpoints) -> Mapping[str, Any]:
        """The memory after somebody's command was applied, so that taking over is bumpless."""
        ...


class Candidate(Protocol):
    """The policy under shadow or rollout, behind a process boundary. Its failures are statuses, never exceptions."""

    @property
    def digest(self) -> str:
        """The bundle's name."""
        ...

    def propose(self, observations: Sequence[Observation]) -> list[Proposal]:
        """One proposal per observation, in one round trip; a failure of the child is a status on each of them."""
        ...

    def close(self) -> None: ...


# Measures a candidate's proposal, such as how novel it is: what the candidate saw, what it proposes -> signals by name.
Meter = Callable[[Observation, Proposal], Mapping[str, Signal]]


class Companions:
    """Further lanes run beside the plant with the same candidate, such as a simulation's twins. By default there are none."""

    def observations(self) -> list[Observation]:
        """What their candidates are to be asked, in the same round trip as the plant's."""
        return []

    def act(self, proposals: list[Proposal], measured: list[Mapping[str, Signal]]) -> None:
        """Command the lanes, given the candidate's answers to `observations` and what was measured of each answer."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened besides a decision: a stage entered, a trip, an operator's act, an alarm. For the audit.

    `kind` is one of `stage`, `trip`, `reset`, `intent`, `override`, `alarm`, `process`, `note`; `actor` an operator or `system`.
    """

    id: str
    at: int
    kind: str
    actor: str
    text: str
    detail: Mapping[str, Any]
