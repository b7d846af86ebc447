"""What is asked of the store, and the values it answers with."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import msgspec
from sqlalchemy import ColumnElement, and_, true

from controller.records.codec import decode
from controller.records.decision import Decision, decision_id
from controller.records.models import DECISION


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """Selects decisions; None means any value. Times are plant time [us], `until_us` not included."""

    plant: str | None = None
    subject: str | None = None
    since_us: int | None = None
    until_us: int | None = None
    stage: str | None = None
    assigned: str | None = None
    rung: str | None = None
    candidate_accepted: bool | None = None
    incumbent_accepted: bool | None = None
    candidate_first_out: str | None = None
    candidate_status: str | None = None
    overridden: bool | None = None


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """A decision in the store: its typed columns, and the exact record they were derived from."""

    plant: str
    subject: str
    taken_at: int
    stage: str
    block: int
    assigned: str
    rung: str
    candidate_accepted: bool | None
    incumbent_accepted: bool | None
    candidate_first_out: str
    incumbent_first_out: str
    candidate_status: str
    override: str
    latency_us: int
    policy_digest: str
    envelope_digest: str
    kernel_digest: str
    site_digest: str
    prev_hash: bytes
    hash: bytes
    record: bytes

    @property
    def id(self) -> str:
        return decision_id(self.plant, self.subject, self.taken_at)

    def decode(self) -> Decision:
        """The decision itself. Raises RecordError if this build cannot read it."""
        return decode(self.record)


@dataclass(frozen=True, slots=True)
class StoredTransition:
    """One stage left and another entered, at plant time `at` [us]."""

    id: str
    plant: str
    at: int
    from_stage: str
    to_stage: str
    why: str
    actor: str
    version: int | None
    detail: Mapping[str, Any]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        return cls(**{**row, "detail": msgspec.json.decode(row["detail"])})


@dataclass(frozen=True, slots=True)
class StoredTrip:
    """A latched switch to the incumbent, and its reset if there was one."""

    id: str
    plant: str
    at: int
    cause: str
    first_out: str
    critical: bool
    actor: str
    reset_at: int | None
    reset_by: str | None
    reset_reason: str | None

    @property
    def active(self) -> bool:
        return self.reset_at is None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        return cls(**row)


@dataclass(frozen=True, slots=True)
class Act:
    """One line of the audit."""

    id: str
    plant: str
    at: int
    kind: str
    actor: str
    text: str
    detail: Mapping[str, Any]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        return cls(**{**row, "detail": msgspec.json.decode(row["detail"])})


BYTES = ("prev_hash", "hash", "record")
STORED = tuple(field.name for field in fields(StoredDecision))
EQUAL = (
    "plant",
    "subject",
    "stage",
    "assigned",
    "rung",
    "candidate_accepted",
    "incumbent_accepted",
    "candidate_first_out",
    "candidate_status",
)


def decision_of(row: Mapping[str, Any]) -> StoredDecision:
    """The value of a row of `decision`."""
    values: dict[str, Any] = {name: bytes(row[name]) if name in BYTES else row[name] for name in STORED}
    return StoredDecision(**values)


def matching(wanted: DecisionFilter) -> ColumnElement[bool]:
    """The condition of a filter."""
    given = ((name, getattr(wanted, name)) for name in EQUAL)
    conditions = [DECISION.c[name] == value for name, value in given if value is not None]
    if wanted.since_us is not None:
        conditions.append(DECISION.c.taken_at >= wanted.since_us)
    if wanted.until_us is not None:
        conditions.append(DECISION.c.taken_at < wanted.until_us)
    if wanted.overridden is not None:
        conditions.append(DECISION.c.override != "" if wanted.overridden else DECISION.c.override == "")
    return and_(true(), *conditions)
