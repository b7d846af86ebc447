"""The live status of a plant as the control process writes it: typed, with a default for all that may be missing.

One reader serves the API, the console and the metrics, so that they cannot disagree on what a field means.
"""

import math
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True)


class Block(_Part):
    """The time block the rollout is in, who it is assigned to, and when it ends."""

    index: int = 0
    ends_us: int | None = None
    assigned: str = ""


class Check(_Part):
    """One condition of a gate, with the comparison in words: `paired blocks (41) < required (100)`."""

    name: str
    outcome: str
    reason: str = ""


class Gate(_Part):
    """What must hold to leave the stage, and the earliest plant time at which it can."""

    stage: str = ""
    outcome: str = "pending"
    checks: list[Check] = []
    earliest_us: int | None = None


class Stage(_Part):
    """A stage of the rollout: `done`, `now` or `next`."""

    name: str
    state: str


class SetpointStatus(_Part):
    """A setpoint in its own unit: what is applied, what each source wants, and the envelope's band."""

    unit: str = ""
    applied: float | None = None
    incumbent: float | None = None
    candidate: float | None = None
    low: float | None = None
    high: float | None = None


class SignalStatus(_Part):
    """A measured value, what is known of it, and its limits if it has any."""

    unit: str = ""
    value: float | None = None
    quality: str = "good"
    age_us: int = 0
    low: float | None = None
    high: float | None = None


class Measured(_Part):
    """A quantity that the plant declares, with what each lane has come to since the start of the run, in `unit`."""

    name: str = ""
    unit: str = ""
    label: str = ""
    lanes: dict[str, float | None] = {}


class Trip(_Part):
    """A latched switch back to the incumbent. `active`: its cause is still there."""

    id: str
    cause: str = ""
    first_out: str = ""
    at_us: int = 0
    critical: bool = False
    active: bool = False


class Breaker(_Part):
    """The state of the breaker and why."""

    state: str = "unknown"
    cause: str = ""


class Override(_Part):
    """An operator's standing command, or veto of the candidate, until a plant time."""

    setpoints: dict[str, float] | None = None
    reject: bool = False
    until_us: int | None = None
    actor: str = ""
    reason: str = ""


class Stop(_Part):
    """Whether the candidate has been stopped, by whom and why."""

    active: bool = False
    actor: str = ""
    reason: str = ""


class StoreStatus(_Part):
    """Whether the store can be reached, and how many rows wait in the spool."""

    away: bool = False
    lag: int = 0
    last_ok_wall_us: int | None = None


class PolicyStatus(_Part):
    """The child process that holds the candidate."""

    state: str = "down"
    pid: int | None = None
    rss_mb: float | None = None
    latency_us: float | None = None
    digest: str = ""
    name: str = ""


class SiteStatus(_Part):
    """The site, whether its plant is simulated, and the digests in force."""

    name: str = ""
    simulated: bool = True
    envelope_digest: str = ""
    kernel_digest: str = ""


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


class PlantStatus(_Part):
    """All that is known of one plant now."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, coerce_numbers_to_str=True, json_schema_extra={"example": EXAMPLE}
    )

    plant: str
    at_us: int = Field(description="plant time, microseconds since the epoch, UTC")
    wall_us: int = Field(default=0, description="wall time at which the control process wrote this")
    tick: int = 0
    speed: float | None = Field(default=None, description="plant seconds per wall second; null is as fast as it goes")
    version: int = Field(default=0, description="of the rollout's state; changes are made for a version")
    mode: str = "shadow"
    in_control: str = ""
    assigned: str = ""
    why: str = ""
    stage: str = ""
    stage_status: str = ""
    stage_entered_us: int | None = None
    block: Block = Block()
    gate: Gate = Gate()
    stages: list[Stage] = []
    setpoints: dict[str, SetpointStatus] = {}
    signals: dict[str, SignalStatus] = {}
    last_decision: str = ""
    vetoes: dict[str, int] = {}
    escapes: int = 0
    breach_s: dict[str, float | None] = {}
    cost: Measured = Measured()
    guards: list[Measured] = []
    trips: list[Trip] = []
    latches: list[str] = []
    breaker: Breaker = Breaker()
    override: Override | None = None
    stop: Stop = Stop()
    store: StoreStatus = StoreStatus()
    policy: PolicyStatus = PolicyStatus()
    site: SiteStatus = SiteStatus()


def read(status: Any) -> PlantStatus:
    """The typed status of the JSON value the control process wrote. Raises ValueError on one that is not a status."""
    return PlantStatus.model_validate(finite(status))


def finite(value: Any) -> Any:
    """The same JSON value with null for every number that JSON cannot carry, and no part given as null where absent."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [finite(inner) for inner in value]
    return value


def number(value: float) -> float | None:
    """A number as JSON can carry it: null if it is not finite."""
    return value if math.isfinite(value) else None


def as_json(value: Any) -> bytes:
    """Plain values as JSON."""
    return msgspec.json.encode(finite(value))
