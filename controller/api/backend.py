"""What the web process needs from the rest of the system, and nothing more.

Reads never raise for what is absent: they return None or an empty list. `BackendAwayError` says that a part cannot be
reached now; it becomes a 503 and a plain sentence on the page. Calls may block on a disk or a database, so routes
make them in a thread; only `decide` is asynchronous.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from controller.api.live import LiveStatus
from controller.api.push import DecideRequest, DecideResponse
from controller.decision import Decision
from controller.ports import Event
from safety.envelope import Envelope

KINDS = (
    "pause",
    "resume",
    "promote",
    "approve",
    "abort",
    "trip",
    "reset",
    "override",
    "override_clear",
    "stop",
    "start",
)
Outcome = Literal["pending", "applied", "refused", "stale"]
PENDING: Outcome = "pending"
APPLIED: Outcome = "applied"
REFUSED: Outcome = "refused"
STALE: Outcome = "stale"


class BackendAwayError(RuntimeError):
    """A part of the system cannot be reached now. The text says which, and what still works."""


@dataclass(frozen=True, slots=True)
class Act:
    """What an operator wants done. `expected_version` is the rollout version they saw; None: whatever it is."""

    id: str
    key: str
    plant: str
    kind: str
    payload: Mapping[str, Any]
    actor: str
    role: str
    expected_version: int | None
    created_us: int

    def same_as(self, other: "Act") -> bool:
        """Whether two acts ask for the same thing, whoever's id they carry."""
        return (self.plant, self.kind, dict(self.payload)) == (other.plant, other.kind, dict(other.payload))


@dataclass(frozen=True, slots=True)
class ActState:
    """An act and what the control process made of it."""

    act: Act
    outcome: Outcome = PENDING
    detail: str = ""
    version: int | None = None


class Backend(Protocol):
    """One site, seen from the web process."""

    def plants(self) -> list[str]:
        """The plants of this site."""
        ...

    def live(self, plant: str) -> LiveStatus | None:
        """The plant's live status, or None if the control process never wrote one."""
        ...

    def decisions(
        self, plant: str, *, limit: int, before_us: int | None = None, subject: str | None = None
    ) -> list[Decision]:
        """The newest decisions taken before `before_us` (plant time), newest first."""
        ...

    def decision(self, decision_id: str) -> Decision | None: ...

    def envelope(self, digest: str) -> Envelope | None:
        """The envelope of a digest, or None if this site does not hold it any more."""
        ...

    def events(self, plant: str, *, after: int, limit: int) -> list[tuple[int, Event]]:
        """Events numbered above `after`, oldest first, each with its number."""
        ...

    def last_event(self, plant: str) -> int:
        """The number of the newest event, 0 if there is none."""
        ...

    def submit(self, act: Act) -> Act:
        """Hand an act to the control process and poke it. With a key used before, the stored act is returned."""
        ...

    def act(self, act_id: str) -> ActState | None: ...

    def acts(self, plant: str, *, limit: int) -> list[ActState]:
        """The newest acts, newest first."""
        ...

    def stop(self, plant: str, *, actor: str, reason: str) -> None:
        """Write the latch that takes the candidate's authority, whatever else is down."""
        ...

    async def decide(self, plant: str, request: DecideRequest) -> DecideResponse:
        """One push-mode decision by the control process. Never raises: lateness and absence are answers."""
        ...
