"""The bodies of the API: what is asked for and what is answered, with units, limits and examples."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from controller.protocol.status import (
    BlockStatus,
    BreakerStatus,
    GateStatus,
    OverrideStatus,
    PlantStatus,
    StageStatus,
    TripStatus,
)

Reason = Annotated[
    str, Field(min_length=3, max_length=500, description="why, in words; it is kept", examples=["unit 2 in service"])
]
Version = Annotated[
    int | None, Field(default=None, ge=0, lt=2**63, description="as `If-Match`, for clients that prefer a body")
]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PlantSummary(_Answer):
    """One plant in a line."""

    plant: str
    mode: str = Field(examples=["rollout"])
    in_control: str = Field(examples=["candidate"])
    stage: str = Field(examples=["4%"])
    trips: int
    age_s: float = Field(description="wall seconds since the control process last wrote its status")


class FindingView(_Answer):
    """What one rule said. `about` is `target`, `step` or `state`; `margin` is in the rule's unit, null if unknown."""

    rule: str = Field(examples=["T2-condensation"])
    tier: str = Field(examples=["T2"])
    outcome: str = Field(examples=["veto"])
    margin: float | None
    about: str
    detail: str = Field(examples=["`setpoint_a` 5.1 is outside [6, 12]"])


class JudgedView(_Answer):
    """The verdict on one proposal, or on the rung that was taken in the end."""

    rung: str
    accepted: bool
    first_out: str
    findings: list[FindingView]
    waiting: list[str]


class ProposalView(_Answer):
    """What a source wanted, in engineering units, or how it failed to say."""

    source: str
    status: str
    targets: dict[str, float | None]
    detail: str


class DecisionLine(_Answer):
    """A decision in a line: what was applied, whose it was, and the first reason if something was refused."""

    id: str = Field(examples=["plant-a.plant.1767225900000000"])
    plant: str
    subject: str
    taken_at: int = Field(description="plant time, microseconds since the epoch, UTC")
    rung: str = Field(examples=["candidate"])
    assigned: str
    why: str
    setpoints: dict[str, float]
    reason: str = Field(description="the first refusal in words, empty if nothing was refused")


class DecisionPage(_Answer):
    """Decisions, newest first. `next_before` goes into `before` for the next page; null once there are no more."""

    decisions: list[DecisionLine]
    next_before: str | None


class SignalView(_Answer):
    """A measured value at the time of the decision; null if it was not a number."""

    value: float | None
    quality: str
    age_us: int


class DecisionView(DecisionLine):
    """One decision, whole."""

    signals: dict[str, SignalView]
    applied: dict[str, float] | None = Field(description="the command in force before")
    readback: dict[str, float] | None
    proposals: list[ProposalView]
    judged: list[JudgedView]
    chosen: JudgedView
    removed: list[str] = Field(description="sources that had no authority this tick")
    state: list[FindingView]
    latches: list[str]
    propensity: float
    valid_for_us: int
    epoch: int
    latencies_us: dict[str, int]
    digests: dict[str, str]


class MarginView(_Answer):
    """A rule's distance to its limit, with why the rule exists. Negative refuses; null: not engaged or unknown."""

    rule: str
    tier: str
    margin: float | None
    unit: str
    hazard: str
    basis: str


class ExplainedProposal(_Answer):
    """One rung's judgement made again: target, the step the ramp allowed, verdict, and every rule's margin."""

    rung: str
    target: dict[str, float | None]
    step: dict[str, float | None]
    accepted: bool
    first_out: str
    margins: list[MarginView]


class Explanation(_Answer):
    """Why a decision came out as it did: the sentence, then every rule's margin, made again from the stored inputs."""

    decision: DecisionView
    story: list[str] = Field(description="the ladder in plain words, from the top rung to the one taken")
    replayed: bool = Field(description="whether the judgements could be made again, for margins")
    identical: bool | None = Field(description="whether that gave the recorded ruling to the bit")
    note: str
    judgements: list[ExplainedProposal]


class RolloutView(_Answer):
    """Where the rollout of a plant stands, and what the next gate waits for."""

    plant: str
    version: int
    mode: str
    stage: str
    stage_status: str
    stage_entered_us: int | None
    stages: list[StageStatus]
    gate: GateStatus
    block: BlockStatus

    @classmethod
    def of(cls, live: PlantStatus) -> "RolloutView":
        return cls(**{name: getattr(live, name) for name in cls.model_fields})


class BreakersView(_Answer):
    """The breaker of a plant, its trips and the rules that have latched."""

    plant: str
    version: int
    breaker: BreakerStatus
    trips: list[TripStatus]
    latches: list[str]


class OverrideView(_Answer):
    """The override in force, or null."""

    plant: str
    version: int
    override: OverrideStatus | None


class EventView(_Answer):
    """Something that happened besides a decision. `number` is its place in this site's order."""

    number: int
    id: str
    at: int = Field(description="plant time, microseconds since the epoch, UTC")
    kind: str = Field(examples=["trip"])
    actor: str
    text: str
    detail: dict[str, Any]


class IntentView(_Answer):
    """A change and its outcome. `pending`: the control process has not read it yet."""

    id: str
    plant: str
    kind: str
    payload: dict[str, Any]
    actor: str
    role: str
    expected_version: int | None
    created_us: int
    outcome: Literal["pending", "applied", "refused", "stale"]
    detail: str
    version: int | None = Field(description="of the rollout after the change")


class ChangeBody(_Asked):
    """A reason, and the version the change was made for."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "planned step, gate passed", "expected_version": 7}]}
    )

    reason: Reason
    expected_version: Version


class PromoteBody(ChangeBody):
    """`skip_gate` promotes although a check has not passed: allowed to an approver, kept with the reason."""

    skip_gate: bool = False


class TripBody(_Asked):
    """Open the breaker by hand."""

    reason: Reason
    expected_version: Version


class ResetBody(ChangeBody):
    """Reset the trip that was seen, so that a newer one is not reset unseen."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"trip_id": "0197f2c4", "reason": "sensor replaced, reads right", "expected_version": 9}]
        }
    )

    trip_id: Annotated[str, Field(min_length=1, max_length=100)]


class StopBody(_Asked):
    """Take the candidate's authority now. It needs no version: a stop is never stale."""

    reason: Reason = "stopped by hand"


Name = Annotated[str, Field(min_length=1, max_length=128)]
Command = Annotated[dict[Name, float], Field(min_length=1, max_length=200)]


class OverrideBody(_Asked):
    """Either `setpoints` to command, or `reject` to refuse the candidate's. The envelope judges it like any command."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"setpoints": {"setpoint_a": 22.0}, "reason": "acceptance test"}]}
    )

    setpoints: Command | None = None
    reject: bool = False
    reason: Reason
    expected_version: Version


class StandingBody(OverrideBody):
    """An override that lasts `for_s` seconds of plant time, then ends by itself."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reject": True, "for_s": 1800, "reason": "unit 2 in service"}]}
    )

    for_s: Annotated[int, Field(ge=1, le=7 * 24 * 3600)]
