"""The kinds of measured condition a gate may ask for, as the specification writes them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(gt=0.0, lt=1.0)]
Count = Annotated[int, Field(ge=1)]
COST = "cost"
"""The `metric` that is not a guard."""


class Strict(BaseModel):
    """Frozen; unknown keys, coerced types, NaN and infinities are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class DurationCheck(Strict):
    """At least `days` of plant time have been observed with the candidate asked on every tick, trips included."""

    kind: Literal["duration"]
    days: Annotated[float, Field(gt=0.0)]


class RefusalsBelow(Strict):
    """The rate of unusable proposals is certified below `p0`; FAILED when refusals are established above it."""

    kind: Literal["refusals_below"]
    scope: Literal["shadowed", "driven"]
    p0: Probability
    alpha: Probability
    breach_alpha: Probability


class RefusalsNotAbove(Strict):
    """Refusals are not established to be above `p0`. It finds gross faults and certifies nothing."""

    kind: Literal["refusals_not_above"]
    scope: Literal["shadowed", "driven"]
    p0: Probability
    breach_alpha: Probability


class CleanBlocks(Strict):
    """The candidate has driven `blocks` whole blocks in this stage without a breach."""

    kind: Literal["clean_blocks"]
    blocks: Count


class PairedBlocks(Strict):
    """`groups` paired differences have been gathered in this stage, and few were lost to missing measurements."""

    kind: Literal["paired_blocks"]
    groups: Count
    max_unscored_frac: Annotated[float, Field(ge=0.0, lt=1.0)]


class NonInferior(Strict):
    """The lower end of the benefit is above `-delta`; FAILED when the upper end is below it.

    `metric` is `cost` (`delta` a fraction of expected cost) or the name of a guard (its own unit, per block).
    """

    kind: Literal["non_inferior"]
    metric: Annotated[str, Field(min_length=1)]
    delta: Annotated[float, Field(gt=0.0)]


class Saving(Strict):
    """The lower end of the saving is above zero; FAILED when its upper end is below `-delta`."""

    kind: Literal["saving"]
    delta: Annotated[float, Field(gt=0.0)]


class AllocationCheck(Strict):
    """The realised share does not differ from the declared one; ERRORED when it does, for then nothing was measured."""

    kind: Literal["allocation"]
    alpha: Probability


class FrozenProposals(Strict):
    """The candidate's targets have moved while its surroundings did. Reported only: a constant policy can be right."""

    kind: Literal["frozen_proposals"]
    least_span: Annotated[float, Field(ge=0.0)]


CheckSpec = Annotated[
    DurationCheck
    | RefusalsBelow
    | RefusalsNotAbove
    | CleanBlocks
    | PairedBlocks
    | NonInferior
    | Saving
    | AllocationCheck
    | FrozenProposals,
    Field(discriminator="kind"),
]

NEEDS_SCORED_GROUPS = (PairedBlocks, NonInferior, Saving)
REPORTED_ONLY = (FrozenProposals,)
