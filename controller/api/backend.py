"""What the web process needs from the rest of the system, and nothing more.

Reads never raise for what is absent: they return None or an empty list. `BackendAwayError` says that a part cannot be
reached now; it becomes a 503 and a plain sentence on the page. Calls may block on a disk or a database, so routes
make them in a thread; only `decide` is asynchronous.
"""

from typing import Literal, Protocol

from controller.ports import Event
from controller.protocol.push import DecideRequest, DecideResponse
from controller.protocol.status import PlantStatus
from controller.records.decision import Decision
from controller.records.operator_queue import Intent, IntentState
from safety.envelope import Envelope

IntentOutcome = Literal["pending", "applied", "refused", "stale"]
PENDING: IntentOutcome = "pending"
REFUSED: IntentOutcome = "refused"
STALE: IntentOutcome = "stale"


class BackendAwayError(RuntimeError):
    """A part of the system cannot be reached now. The text says which, and what still works."""


class Backend(Protocol):
    """One site, seen from the web process."""

    def plants(self) -> list[str]:
        """The plants of this site."""
        ...

    def live(self, plant: str) -> PlantStatus | None:
        """The plant's live status, or None if the control process never wrote one."""
        ...

    def decisions(
        self, plant: str, *, limit: int, before: str | None = None, subject: str | None = None
    ) -> list[Decision]:
        """The newest decisions, newest first; with `before`, those older than the decision of that id."""
        ...

    def decision(self, decision_id: str) -> Decision | None: ...

    def envelope(self, digest: str) -> Envelope | None:
        """The envelope of a digest, or None if this site does not hold it any more."""
        ...

    def events(self, plant: str, *, after: int, limit: int) -> list[tuple[int, Event]]:
        """Events numbered above `after`, oldest first, each with its number."""
        ...

    def last_event(self, plant: str) -> int:
        """The number of the newest event, 0 if no event is recorded."""
        ...

    def submit(self, act: Intent) -> Intent:
        """Submit an act and notify the control process. Returns the act stored under its key: this one, or an earlier one."""
        ...

    def act(self, act_id: str) -> IntentState | None: ...

    def acts(self, plant: str, *, limit: int) -> list[IntentState]:
        """The newest acts, newest first."""
        ...

    def stop(self, plant: str, *, actor: str, reason: str) -> None:
        """Write the latch that takes the candidate's authority, whatever else is down."""
        ...

    async def decide(self, plant: str, request: DecideRequest) -> DecideResponse:
        """One push-mode decision by the control process. Never raises: lateness and absence are answers."""
        ...
