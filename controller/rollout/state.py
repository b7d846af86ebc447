"""Where a rollout stands: a value that is stored after every change and read back as it was."""

import hashlib
import uuid
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import msgspec

from controller.rollout import schema_1
from controller.rollout.spec import RolloutSpec

SCHEMA = 2


class RolloutStatus(StrEnum):
    """RUNNING, WAITING_APPROVAL and COMPLETED give the candidate its share; every other one gives it nothing."""

    RUNNING = "running"
    WAITING_APPROVAL = "waiting_approval"
    COMPLETED = "completed"
    PAUSED = "paused"
    TRIPPED = "tripped"
    LOCKED_OUT = "locked_out"
    ABORTED = "aborted"


DRIVING = frozenset({RolloutStatus.RUNNING, RolloutStatus.WAITING_APPROVAL, RolloutStatus.COMPLETED})
LATCHED = frozenset({RolloutStatus.TRIPPED, RolloutStatus.LOCKED_OUT})


@dataclass(frozen=True, slots=True)
class Marks:
    """Counts of the evidence when the stage was entered: what came after is the difference."""

    ticks: int = 0
    clean_blocks: int = 0
    groups: int = 0
    groups_unscored: int = 0


@dataclass(frozen=True, slots=True)
class Transition:
    """One stage left for another, and why."""

    at_us: int
    from_stage: str
    to_stage: str
    why: str
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RolloutTrip:
    """A latched trip: the cause that came first, others of the same tick, and whether two people must reset it."""

    id: str
    at_us: int
    cause: str
    reason: str
    critical: bool
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signature:
    """One person's consent."""

    who: str
    at_us: int
    reason: str


@dataclass(frozen=True, slots=True)
class Promotion:
    """A promotion agreed on, due at the next end of a block or group."""

    to_stage: int
    why: str
    by: tuple[str, ...]
    skips_gate: bool


@dataclass(frozen=True, slots=True)
class RolloutState:
    """Where a rollout of one bundle on one plant stands. `version` rises by one with every change."""

    rollout_id: str
    spec_digest: str
    status: RolloutStatus
    stage: int
    entry: int
    """Counts entries into stages; a new entry draws new groups."""
    entered_at_us: int
    first_block: int
    """The stage has the candidate drive from this block on."""
    patience_from_us: int
    marks: Marks = Marks()
    re_entry: bool = False
    """In shadow after a trip: settle time and clean ticks are asked for as well."""
    held: str = ""
    """Why the gate was found inconclusive; empty while it was not. Only a person ends this."""
    version: int = 0
    history: tuple[Transition, ...] = ()
    trip: RolloutTrip | None = None
    trips_at_us: tuple[int, ...] = ()
    reset_by: tuple[Signature, ...] = ()
    approvals: tuple[Signature, ...] = ()
    promotion: Promotion | None = None
    aborted_why: str = ""


def to_plain(state: RolloutState) -> dict[str, Any]:
    """Dicts, lists, strings and numbers only."""
    plain: dict[str, Any] = msgspec.to_builtins(state)
    return {"schema": SCHEMA} | plain


def from_plain(plain: Any, spec: RolloutSpec, rollout_id: str, now_us: int) -> RolloutState:
    """The state `to_plain` was given. What cannot be read is TRIPPED, critically: nobody knows what was latched.

    A state made under another specification is tripped too: its approvals were given for something else. State of schema 1
    names the specification by the digest it had in its former keys.
    """
    try:
        if plain["schema"] not in (1, SCHEMA):
            return unknown(
                rollout_id, now_us, f"stored state has schema {plain['schema']!r}, this program reads 1 and {SCHEMA}"
            )
        state = msgspec.convert({k: v for k, v in plain.items() if k != "schema"}, RolloutState)
    except (msgspec.ValidationError, KeyError, TypeError, AttributeError) as error:
        return unknown(rollout_id, now_us, f"stored state cannot be read: {error}")
    if plain["schema"] == 1 and state.spec_digest in schema_1.digests_of(spec.model_dump()):
        state = replace(state, spec_digest=spec.digest())
    if state.rollout_id != rollout_id:
        return unknown(rollout_id, now_us, f"stored state belongs to rollout `{state.rollout_id}`")
    if state.spec_digest == spec.digest() and 0 <= state.stage < len(spec.stages):
        return state
    return (
        state
        if state.status in LATCHED or state.status is RolloutStatus.ABORTED
        else _specification_changed(state, now_us)
    )


def unknown(rollout_id: str, now_us: int, reason: str) -> RolloutState:
    """The state to be in when none is known: tripped, at the lowest stage, with an entry no earlier state had."""
    return RolloutState(
        rollout_id,
        spec_digest="",
        status=RolloutStatus.TRIPPED,
        stage=0,
        entry=now_us // 1_000_000,
        entered_at_us=now_us,
        first_block=0,
        patience_from_us=now_us,
        trip=RolloutTrip(trip_id(rollout_id, 0, now_us), now_us, "unknown_state", reason, critical=True),
        trips_at_us=(now_us,),
    )


def _specification_changed(state: RolloutState, now_us: int) -> RolloutState:
    reason = "the specification is not the one this rollout began with: restore it, or reset to go on under the new one"
    trip = RolloutTrip(
        trip_id(state.rollout_id, state.version, now_us), now_us, "specification_changed", reason, critical=True
    )
    return replace(
        state,
        status=RolloutStatus.TRIPPED,
        stage=0,
        version=state.version + 1,
        trip=trip,
        trips_at_us=(*state.trips_at_us, now_us),
        approvals=(),
        promotion=None,
    )


def trip_id(rollout_id: str, version: int, now_us: int) -> str:
    """A UUID of version 7 made from plant time and the state's version, so that replay makes the same one."""
    tail = int.from_bytes(hashlib.sha256(f"{rollout_id}\x1f{version}\x1f{now_us}".encode()).digest()[:10], "big")
    number = (now_us // 1000 & (1 << 48) - 1) << 80 | tail
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=number))
