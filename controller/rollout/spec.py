"""`rollout.toml` as frozen values: the stages, what must hold to leave them, and what trips."""

import hashlib
import tomllib
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from controller.rollout.checks import (
    COST,
    NEEDS_SCORED_GROUPS,
    REPORTED_ONLY,
    CheckSpec,
    Count,
    NonInferior,
    Probability,
    Strict,
)
from controller.rollout.errors import RolloutSpecError
from controller.rollout.schema_1 import REFUSAL, is_schema_1
from shadow.evidence import DetectorSettings, EvidenceSettings

INSTANT_CAUSES = (
    "hard_veto",
    "breach",
    "envelope_trip",
    "audit_failure",
    "memory_over_limit",
    "candidate_failed",
    "candidate_nan",
    "candidate_shape",
    "candidate_late",
)
"""In the order in which a tick names its first-out cause."""

MAX_GROUP_BLOCKS = 100
Seconds = Annotated[int, Field(ge=0)]


class BenefitSpec(Strict):
    """What a benefit is measured in, fixed before anything is seen. `guard_clips` is by guard, in its unit per block."""

    alpha: Probability
    cost_clip_frac: Annotated[float, Field(gt=0.0, le=1.0)]
    guard_clips: dict[str, Annotated[float, Field(gt=0.0)]] = Field(default_factory=dict)
    min_scored_share: Annotated[float, Field(gt=0.0, le=1.0)]
    model_blocks: Count
    forgetting: Annotated[float, Field(gt=0.5, le=1.0)]


class StageSpec(Strict):
    """A share of control, the people needed to enter it, and the checks that must all pass to leave it."""

    name: Annotated[str, Field(min_length=1)]
    share: Annotated[float, Field(ge=0.0, le=1.0)]
    approvals: Annotated[int, Field(ge=0)]
    patience_days: Annotated[float, Field(gt=0.0)]
    checks: Annotated[tuple[CheckSpec, ...], Field(min_length=1, strict=False)]

    @model_validator(mode="after")
    def _decides_something(self) -> Self:
        if all(isinstance(check, REPORTED_ONLY) for check in self.checks):
            raise ValueError(f"stage `{self.name}` has no check that decides: it would promote on nothing")
        return self


class InstantBreaker(Strict):
    """Trips when its cause is present `in_a_row` ticks running."""

    kind: Literal["instant"]
    cause: str
    in_a_row: Count
    critical: bool


class StatisticalBreaker(Strict):
    """Trips when a change detector over `signal` reaches `false_trip_every`, its mean run to a false trip.

    Unknown below `minimum` updates. `refused` and `unusable` update per tick, `inferior` per scored group; for the last
    `p0` is the badness at the limit, (1 + limit / clip) / 2.
    """

    kind: Literal["statistical"]
    signal: Literal["refused", "unusable", "inferior"]
    p0: Probability
    bet: Annotated[float, Field(gt=0.0)]
    false_trip_every: Annotated[float, Field(gt=1.0, le=1e9)]
    minimum: Count
    critical: bool

    @model_validator(mode="after")
    def _bet_is_affordable(self) -> Self:
        if self.bet > 1.0 / self.p0:
            raise ValueError(f"`bet` ({self.bet}) must not exceed 1 / `p0` ({1.0 / self.p0:.4g})")
        return self


BreakerSpec = Annotated[InstantBreaker | StatisticalBreaker, Field(discriminator="kind")]


class ResetSpec(Strict):
    """What follows a trip: cool-down before a reset, clean shadow before a share, and when one person is not enough."""

    cool_down_s: Seconds
    settle_s: Seconds
    clean_ticks: Count
    lock_out_trips: Annotated[int, Field(ge=2)]
    lock_out_window_s: Annotated[int, Field(ge=1)]


class RolloutSpec(Strict):
    """A whole rollout. Its digest names it; an approval holds for one digest only."""

    schema_version: Literal[2]
    period_s: Count
    block_ticks: Count
    washout_ticks: Annotated[int, Field(ge=0)]
    keep_incumbent_frac: Annotated[float, Field(gt=0.0, lt=0.5)]
    skip_approvals: Count
    outcome: BenefitSpec
    reset: ResetSpec
    stages: Annotated[tuple[StageSpec, ...], Field(min_length=2, strict=False)]
    breakers: Annotated[tuple[BreakerSpec, ...], Field(strict=False)]

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        faults = [*_stage_faults(self), *_metric_faults(self), *_breaker_faults(self)]
        if self.washout_ticks >= self.block_ticks:
            faults.append(f"`washout_ticks` ({self.washout_ticks}) must be below `block_ticks` ({self.block_ticks})")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def block_us(self) -> int:
        """Length of a block [us]."""
        return self.period_s * self.block_ticks * 1_000_000

    def group_of(self, stage: int) -> tuple[int, int]:
        """Blocks in a permuted group of this stage, and how many of them are the candidate's; (0, 0) in shadow.

        At full share some blocks stay the incumbent's, or nobody would see the world drift.
        """
        share = self.stages[stage].share
        return group_shape(share, self.keep_incumbent_frac)

    def scores_benefit(self, stage: int) -> bool:
        """Whether the groups of this stage are scored for benefit."""
        size, chosen = self.group_of(stage)
        return size > 0 and chosen / size >= self.outcome.min_scored_share

    def evidence_settings(self) -> EvidenceSettings:
        """The settings that the evidence is collected under."""
        outcome = self.outcome
        return EvidenceSettings(
            self.period_s * 1_000_000,
            self.block_ticks,
            self.washout_ticks,
            outcome.alpha,
            outcome.cost_clip_frac,
            outcome.guard_clips,
            outcome.min_scored_share,
            outcome.model_blocks,
            outcome.forgetting,
            tuple(DetectorSettings(b.signal, b.p0, b.bet) for b in self.breakers if isinstance(b, StatisticalBreaker)),
        )

    def digest(self) -> str:
        """SHA-256 of the canonical JSON form, hexadecimal."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


@lru_cache(maxsize=64)
def group_shape(share: float, keep_incumbent_frac: float) -> tuple[int, int]:
    """Blocks in a group and candidate blocks among them: 0.01 gives (100, 1), 1.0 less 0.05 gives (20, 19)."""
    if share <= 0.0:
        return 0, 0
    fraction = Fraction(min(share, 1.0 - keep_incumbent_frac)).limit_denominator(MAX_GROUP_BLOCKS)
    return fraction.denominator, fraction.numerator


def load_spec(text: str) -> RolloutSpec:
    """The specification in TOML `text`; `RolloutSpecError` names every place that is wrong."""
    try:
        plain = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RolloutSpecError(f"rollout specification is not TOML: {error}") from None
    if is_schema_1(plain):
        raise RolloutSpecError(f"rollout specification: {REFUSAL}")
    try:
        return RolloutSpec.model_validate(plain)
    except ValidationError as error:
        raise RolloutSpecError(_in_words(error)) from None


def check_guards(spec: RolloutSpec, guards: Iterable[str]) -> None:
    """Refuse a specification that clips other guards than the plant measures. Raises RolloutSpecError."""
    clipped, measured = set(spec.outcome.guard_clips), set(guards)
    if unknown := sorted(clipped - measured):
        known = ", ".join(f"`{name}`" for name in sorted(measured)) or "none"
        raise RolloutSpecError(f"`outcome.guard_clips.{unknown[0]}` is not a guard of this plant; its guards: {known}")
    if missing := sorted(measured - clipped):
        raise RolloutSpecError(f"guard `{missing[0]}` has no clip: add `outcome.guard_clips.{missing[0]}`")


def check_against(spec: RolloutSpec, site_is_simulated: bool) -> None:
    """Refuse a stage that nobody approves, unless the plant is declared simulated."""
    alone = [stage.name for stage in spec.stages if stage.share > 0.0 and stage.approvals == 0]
    if alone and not site_is_simulated:
        raise RolloutSpecError(
            f"`approvals = 0` in stages {', '.join(f'`{name}`' for name in alone)}, but the plant is not declared "
            "simulated: a real plant wants at least 1 person per stage"
        )


def _in_words(error: ValidationError) -> str:
    places = [_place(detail) for detail in error.errors(include_url=False)]
    return "rollout specification: " + "; ".join(places)


def _place(detail: Any) -> str:
    where = ".".join(str(part) for part in detail["loc"])
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        message = "unknown key, remove it or correct its spelling"
    elif detail["type"] == "missing":
        message = "missing, add it"
    message = message[0].lower() + message[1:]
    return f"`{where}`: {message}" if where else message


def _stage_faults(spec: RolloutSpec) -> list[str]:
    faults = []
    names, shares = [s.name for s in spec.stages], [s.share for s in spec.stages]
    if len(set(names)) < len(names):
        faults.append(f"stage names must differ, got {names}")
    if shares[0] != 0.0 or any(b <= a for a, b in pairwise(shares)):
        faults.append(f"shares must begin with 0 (shadow) and rise from stage to stage, got {shares}")
    for index, stage in enumerate(spec.stages):
        size, chosen = spec.group_of(index)
        wanted = min(stage.share, 1.0 - spec.keep_incumbent_frac)
        if stage.share > 0.0 and (chosen == 0 or abs(chosen / size - wanted) > 1e-9):
            faults.append(
                f"stage `{stage.name}`: no group of at most {MAX_GROUP_BLOCKS} blocks has exactly a share of {wanted}"
            )
        if any(isinstance(c, NEEDS_SCORED_GROUPS) for c in stage.checks) and not spec.scores_benefit(index):
            faults.append(
                f"stage `{stage.name}` asks for a benefit, which is scored from a share of "
                f"{spec.outcome.min_scored_share} on: its gate could never pass"
            )
    return faults


def _metric_faults(spec: RolloutSpec) -> list[str]:
    metrics = {c.metric for s in spec.stages for c in s.checks if isinstance(c, NonInferior)}
    return [
        f"metric `{metric}` is neither `{COST}` nor in `outcome.guard_clips`: give its clip there, or fix the name"
        for metric in sorted(metrics - {COST, *spec.outcome.guard_clips})
    ]


def _breaker_faults(spec: RolloutSpec) -> list[str]:
    causes = [b.cause if isinstance(b, InstantBreaker) else b.signal for b in spec.breakers]
    faults = []
    if len(set(causes)) < len(causes):
        faults.append(f"each cause has one breaker, got {causes}")
    if missing := [cause for cause in INSTANT_CAUSES if cause not in causes]:
        faults.append(f"breakers are missing for the causes {missing}: add them")
    unknown = [b.cause for b in spec.breakers if isinstance(b, InstantBreaker) and b.cause not in INSTANT_CAUSES]
    if unknown:
        faults.append(f"unknown causes {unknown}; valid: {list(INSTANT_CAUSES)}")
    return faults
