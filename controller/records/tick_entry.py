"""All that one tick makes durable, and the port that takes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from controller.ports import Event
from controller.records.decision import Decision
from safety.values import Receipt


@dataclass(frozen=True, slots=True)
class TickEntry:
    """All that one tick makes durable, in one transaction.

    `checkpoint` is the loop's own state after the tick (rollout, evidence, incumbent memory), opaque to the spool;
    `durable` asks for a full sync (trips, approvals) instead of the tick's cheaper one.
    """

    decision: Decision | None
    receipt: Receipt | None = None
    comparison: Mapping[str, Any] | None = None
    events: tuple[Event, ...] = ()
    checkpoint: bytes | None = None
    durable: bool = False


class Spool(Protocol):
    """The local durable log. One transaction per tick; a decision acknowledged here is never lost or doubled."""

    def append(self, entry: TickEntry) -> None: ...

    def last_decision(self) -> Decision | None: ...

    def recent(self, limit: int) -> list[Decision]:
        """The last decisions, newest first."""
        ...

    def checkpoint(self) -> bytes | None: ...
