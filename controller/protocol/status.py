"""The live status of a plant: declared here once. The control process builds it, encodes it and publishes it; the terminal,
the API, the console and the metrics decode the same type.

Every field has a docstring; the OpenAPI document and docs/reference/live-status.md take their descriptions from them.
"""

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec


class _Part:
    """A part of the status. The web process makes its schema from the docstrings of the fields."""

    __slots__ = ()
    __pydantic_config__: ClassVar[dict[str, Any]] = {"use_attribute_docstrings": True}


@dataclass(frozen=True, slots=True)
class BlockStatus(_Part):
    """The present time block."""

    index: int = 0
    """blocks since the epoch"""
    ends_us: int | None = None
    """plant time at which it ends [us]"""
    assigned: str = ""
    """source that the block is assigned to"""


@dataclass(frozen=True, slots=True)
class CheckStatus(_Part):
    """One check of a gate."""

    name: str
    """kind of the check"""
    outcome: str
    """`passed`, `pending`, `failed`, `inconclusive` or `errored`"""
    reason: str = ""
    """the comparison, as in `paired blocks (41) < required (100)`"""


@dataclass(frozen=True, slots=True)
class GateStatus(_Part):
    """What must hold before the candidate leaves the stage."""

    stage: str = ""
    """stage that the gate belongs to"""
    outcome: str = "pending"
    """outcome of all checks together"""
    checks: list[CheckStatus] = field(default_factory=list)
    """every check"""
    earliest_us: int | None = None
    """plant time before which not even a faultless candidate can leave the stage, computed from limits, levels and shares [us]"""


@dataclass(frozen=True, slots=True)
class StageStatus(_Part):
    """One stage of the rollout."""

    name: str
    """name of the stage"""
    state: str
    """`done`, `now` or `next`"""


@dataclass(frozen=True, slots=True)
class SetpointStatus(_Part):
    """One setpoint, in its own unit."""

    unit: str = ""
    """unit of every value here"""
    applied: float | None = None
    """value of the command in force; null: none"""
    incumbent: float | None = None
    """what the incumbent proposes; null: no answer"""
    candidate: float | None = None
    """what the candidate proposes; null: no answer"""
    low: float | None = None
    """lowest value permitted now"""
    high: float | None = None
    """highest value permitted now"""


@dataclass(frozen=True, slots=True)
class SignalStatus(_Part):
    """One measured value, in its own unit."""

    unit: str = ""
    """unit of every value here"""
    value: float | None = None
    """measured value; null: not a number"""
    quality: str = "good"
    """`good`, `bad` or `stale`"""
    age_us: int = 0
    """age of the measurement [us]"""
    low: float | None = None
    """lower limit at which a `trip` rule of the envelope latches; null: none"""
    high: float | None = None
    """upper limit at which a `trip` rule of the envelope latches; null: none"""


@dataclass(frozen=True, slots=True)
class MeasuredStatus(_Part):
    """A quantity that the plant declares, with what each lane has come to."""

    name: str = ""
    """name of the quantity"""
    unit: str = ""
    """unit of every value here; empty for a plain number"""
    label: str = ""
    """what people read"""
    lanes: dict[str, float | None] = field(default_factory=dict)
    """by lane: the sum since the start of the run"""


@dataclass(frozen=True, slots=True)
class TripStatus(_Part):
    """One latched trip: control has reverted to the incumbent until an operator resets it."""

    id: str
    """id to reset it by"""
    cause: str = ""
    """breaker cause, or id of the rule that latched"""
    first_out: str = ""
    """the first reason"""
    at_us: int = 0
    """plant time of the trip [us]; 0 for the latch of a rule"""
    critical: bool = False
    """whether the reset takes two people"""
    active: bool = False
    """whether the cause is still present"""


@dataclass(frozen=True, slots=True)
class ReadingStatus(_Part):
    """One breaker cause as read now."""

    cause: str
    """name of the cause"""
    state: str
    """`closed`, `open` or `unknown`"""
    reason: str = ""
    """the comparison"""
    critical: bool = False
    """whether a trip by this cause takes two people to reset"""


@dataclass(frozen=True, slots=True)
class BreakerStatus(_Part):
    """The breaker."""

    state: str = "unknown"
    """`armed` or `tripped`"""
    cause: str = ""
    """cause of the trip; empty: none"""
    readings: list[ReadingStatus] = field(default_factory=list)
    """every breaker cause"""


@dataclass(frozen=True, slots=True)
class OverrideStatus(_Part):
    """An operator's override in force."""

    setpoints: dict[str, float] | None = None
    """commanded values by setpoint; null: it only rejects the candidate"""
    reject: bool = False
    """whether the candidate is rejected"""
    until_us: int | None = None
    """plant time at which it expires [us]; null: after the next decision"""
    actor: str = ""
    """who set it"""
    reason: str = ""
    """why"""


@dataclass(frozen=True, slots=True)
class StopStatus(_Part):
    """STOP. Who set it and why stands in the latch file `STOP`; the reader fills that in."""

    active: bool = False
    """whether STOP is set"""
    actor: str = ""
    """who set it"""
    reason: str = ""
    """why"""


@dataclass(frozen=True, slots=True)
class StoreStatus(_Part):
    """The store. Only the shipper knows it, through `spool.sqlite.shipping`; the reader fills this in."""

    away: bool = False
    """whether the store cannot be reached"""
    lag: int = 0
    """entries of the spool that are not in the store yet"""
    last_ok_wall_us: int | None = None
    """wall time at which the store last took entries [us]"""


@dataclass(frozen=True, slots=True)
class PolicyStatus(_Part):
    """The child process that runs the candidate."""

    state: str = "down"
    """`up`, `starting` or `down`"""
    pid: int | None = None
    """process id"""
    rss_mb: float | None = None
    """resident memory [MiB]"""
    latency_us: float | None = None
    """latency of the last answer [us]"""
    why: str = ""
    """why it last failed"""
    digest: str = ""
    """SHA-256 of the bundle"""
    name: str = ""
    """name of the bundle"""


@dataclass(frozen=True, slots=True)
class SiteStatus(_Part):
    """The site and the digests in force."""

    name: str = ""
    """name of the site"""
    simulated: bool = True
    """whether the plant is simulated"""
    envelope_digest: str = ""
    """SHA-256 of the envelope"""
    kernel_digest: str = ""
    """SHA-256 of the kernel"""


EXAMPLE: dict[str, Any] = {
    "plant": "hall-a",
    "at_us": 1_767_225_900_000_000,
    "version": 7,
    "mode": "rollout",
    "in_control": "candidate",
    "assigned": "candidate",
    "why": "block 41 of stage 4%",
    "stage": "4%",
}


@dataclass(frozen=True, slots=True)
class PlantStatus(_Part):
    """All that is known of one plant now."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "use_attribute_docstrings": True,
        "json_schema_extra": {"example": EXAMPLE},
    }

    plant: str
    """name of the plant"""
    at_us: int
    """plant time of the last decision, microseconds since the epoch, UTC"""
    wall_us: int = 0
    """wall time at which the control process wrote this [us]"""
    tick: int = 0
    """regular decisions so far"""
    speed: float | None = None
    """plant seconds per wall second; null: as fast as possible"""
    version: int = 0
    """version of the rollout's state; it rises with every change, and a change is made for a version"""
    mode: str = "shadow"
    """`shadow`, `rollout`, `stopped`, `override`, `tripped`, `paused`, `aborted` or `completed`"""
    in_control: str = ""
    """rung whose command is in force"""
    assigned: str = ""
    """source that the tick is assigned to"""
    why: str = ""
    """why it is assigned to that source"""
    stage: str = ""
    """name of the stage"""
    stage_status: str = ""
    """why the stage is held or the rollout aborted, else the status of the rollout"""
    stage_entered_us: int | None = None
    """plant time at which the stage was entered [us]"""
    block: BlockStatus = BlockStatus()
    """the present time block"""
    gate: GateStatus = field(default_factory=GateStatus)
    """the next gate"""
    stages: list[StageStatus] = field(default_factory=list)
    """every stage of the rollout, in order"""
    setpoints: dict[str, SetpointStatus] = field(default_factory=dict)
    """by setpoint: command, proposals, permitted range"""
    signals: dict[str, SignalStatus] = field(default_factory=dict)
    """by signal, and by measure of the candidate's proposal: value, quality, age, limits"""
    last_decision: str = ""
    """id of the last decision"""
    vetoes: dict[str, int] = field(default_factory=dict)
    """by rule: refusals of the candidate, real or hypothetical"""
    escapes: int = 0
    """commands outside the envelope; anything but 0 is a fault of the kernel"""
    breach_s: dict[str, float | None] = field(default_factory=dict)
    """by lane: seconds outside the hard band. Lanes are `applied` and, on a simulated plant, its twins"""
    cost: MeasuredStatus = field(default_factory=MeasuredStatus)
    """what the plant declares as its cost, since the start of the run"""
    guards: list[MeasuredStatus] = field(default_factory=list)
    """the same for each guard of the plant, in its order"""
    trips: list[TripStatus] = field(default_factory=list)
    """every latched trip"""
    latches: list[str] = field(default_factory=list)
    """rules of the envelope whose trip is latched"""
    breaker: BreakerStatus = field(default_factory=BreakerStatus)
    """the breaker and its causes"""
    override: OverrideStatus | None = None
    """the override in force; null: none"""
    stop: StopStatus = StopStatus()
    """STOP"""
    store: StoreStatus = StoreStatus()
    """the store"""
    policy: PolicyStatus = PolicyStatus()
    """the process that runs the candidate"""
    site: SiteStatus = SiteStatus()
    """the site"""


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(PlantStatus)


def encode(status: PlantStatus) -> str:
    """The status as JSON text. Numbers that JSON cannot carry (NaN, infinities) become null."""
    return _ENCODER.encode(status).decode()


def decode(text: str | bytes) -> PlantStatus:
    """The status of JSON text; unknown keys are ignored. Raises ValueError if it is not a status."""
    return _DECODER.decode(text)


def number(value: float) -> float | None:
    """A number as JSON can carry it: null if it is not finite."""
    return value if math.isfinite(value) else None
