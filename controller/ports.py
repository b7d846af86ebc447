"""What the loop needs from the world, as protocols. `bootstrap` chooses what stands behind each of them.

Implementations inherit the contract suites in `controller.testing`, which say what a protocol cannot.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from safety.values import Command, Observation, Proposal, Receipt, Setpoints, Signal


class Plant(Protocol):
    """One plant, real or simulated. Engineering units in and out; times are the plant's clock in microseconds, UTC."""

    @property
    def name(self) -> str: ...

    @property
    def simulated(self) -> bool: ...

    @property
    def outcome_spec(self) -> "OutcomeSpec":
        """The quantities that each `outcome` measures, with units; constant during a run."""
        ...

    def observe(self) -> Observation:
        """Return the signals as known now. Never raises for a bad sensor: its signal has the quality BAD."""
        ...

    def apply(self, command: Command, *, decision: str) -> Receipt:
        """Send a command. The port enforces its expiry, relinquishes when it passes, and refuses a lower epoch."""
        ...

    def advance(self, until_us: int) -> None:
        """Come back at plant time `until_us`: a real plant waits, a simulated one integrates."""
        ...

    def outcome(self) -> "Outcome":
        """Return the outcome of the time since the last call of `outcome`, in the quantities of `outcome_spec`."""
        ...


@dataclass(frozen=True, slots=True)
class Quantity:
    """One quantity that a plant measures: its key, its unit as people write it (empty for a plain number), its label."""

    name: str
    unit: str
    label: str


RESERVED = ("cost", "breach_s")
"""Keys that reports and `rollout.toml` use beside the names of guards."""


@dataclass(frozen=True, slots=True)
class OutcomeSpec:
    """What a plant measures of every control interval. All of it is summed over intervals.

    `cost` is to be made small; each of `guards` must not grow while it is; `covariates` explain the cost and depend on no
    command. Raises ValueError where two quantities, or a guard and a reserved key, have the same name.
    """

    cost: Quantity
    guards: tuple[Quantity, ...] = ()
    covariates: tuple[Quantity, ...] = ()

    def __post_init__(self) -> None:
        names = [self.cost.name, *(guard.name for guard in self.guards), *(given.name for given in self.covariates)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two quantities of the outcome are named `{twice[0]}`: rename one")
        if taken := [guard.name for guard in self.guards if guard.name in RESERVED]:
            raise ValueError(f"a guard is named `{taken[0]}`, which is a reserved key: rename it")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one control interval came to, in the quantities and units of the plant's `OutcomeSpec`.

    `cost` and each guard are NaN where the interval could not be measured. `breach_s` is the time outside hard limits [s].
    """

    from_us: int
    to_us: int
    cost: float
    guards: Mapping[str, float]
    covariates: Mapping[str, float]
    breach_s: float


class Incumbent(Protocol):
    """The controller that runs the plant today: deterministic, always available, its memory a plain value."""

    @property
    def fresh(self) -> Mapping[str, Any]:
        """Its memory when nothing is remembered."""
        ...

    def propose(self, observation: Observation, memory: Mapping[str, Any]) -> tuple[Proposal, Mapping[str, Any]]: ...

    def track(self, memory: Mapping[str, Any], applied: Setpoints) -> Mapping[str, Any]:
        """Return the memory after a command of any source was applied, for a bumpless transfer."""
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
    """Further lanes run beside the plant with the same candidate, such as a simulation's twins. By default no lane."""

    def observations(self) -> list[Observation]:
        """What their candidates are to be asked, in the same round trip as the plant's."""
        return []

    def act(self, proposals: list[Proposal], measured: list[Mapping[str, Signal]]) -> None:
        """Command the lanes, given the candidate's answers to `observations` and what was measured of each answer."""


class EventDetail(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"from_stage": "from"}):
    """What programs read of an event, beside its text. Every field is None where it does not apply, and is then not stored."""

    plant: str | None = None
    """plant, where it is not that of the tick's decision"""
    stage: str | None = None
    """stage that was entered, is held, or waits for approvals"""
    from_stage: str | None = None
    """stage that was left"""
    first_block: int | None = None
    """block from which on the candidate has its share"""
    version: int | None = None
    """version of the rollout's state"""
    why: str | None = None
    """why a stage was entered"""
    aborted: bool | None = None
    """whether the rollout was aborted"""
    completed: bool | None = None
    """whether the rollout was completed"""
    trip: str | None = None
    """id of the trip"""
    cause: str | None = None
    """breaker cause of the trip"""
    first_out: str | None = None
    """rule or breaker that was first"""
    critical: bool | None = None
    """whether the reset takes two people"""
    locked_out: bool | None = None
    """whether trips were so frequent that the rollout is locked out"""
    latch: str | None = None
    """rule whose trip was latched or reset"""
    intent: str | None = None
    """id of the intent"""
    kind: str | None = None
    """kind of the intent"""
    reason: str | None = None
    """reason that the operator gave"""
    decision: str | None = None
    """id of the decision that is stored with other bytes"""
    rung: str | None = None
    """rung of the command that was applied instead"""
    setpoints: dict[str, float] | None = None
    """setpoints of that command"""


NO_DETAIL = EventDetail()


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
    detail: EventDetail = NO_DETAIL
