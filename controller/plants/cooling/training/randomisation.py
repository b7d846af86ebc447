"""`[randomisation]` of `training.toml`: from the table in the file to the plants that a policy trains on."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from controller.learning.spec_types import Count, Fraction, Number, Positive, SpecModel, TrainingError
from simulators.cooling.world import randomisation


class Fixed(SpecModel):
    """Always `value`."""

    kind: Literal["fixed"]
    value: Number

    def spread(self) -> randomisation.Spread:
        return randomisation.fixed(self.value)


class Uniform(SpecModel):
    """Anywhere from `low` to `high`."""

    kind: Literal["uniform"]
    low: Number
    high: Number

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"`low` is {self.low:g}, above `high`, {self.high:g}: swap them")
        return self

    def spread(self) -> randomisation.Spread:
        return randomisation.uniform(self.low, self.high)


class Normal(SpecModel):
    """Around `mean`, cut at three standard deviations."""

    kind: Literal["normal"]
    mean: Number
    sd: Positive

    def spread(self) -> randomisation.Spread:
        return randomisation.normal(self.mean, self.sd)


class Lognormal(SpecModel):
    """Around `median`; `relative_sd` is that of the logarithm. Cut at three of them."""

    kind: Literal["lognormal"]
    median: Positive
    relative_sd: Positive

    def spread(self) -> randomisation.Spread:
        return randomisation.lognormal(self.median, self.relative_sd)


Distribution = Annotated[Fixed | Uniform | Normal | Lognormal, Field(discriminator="kind")]


class AutomaticSpec(SpecModel):
    """Ranges that grow with the policy; see `simulators.cooling.world.randomisation.Automatic` for each key."""

    inlet_limit_c: Number = 27.0
    step: Fraction = 0.1
    grow_at: Fraction = 0.8
    shrink_at: Fraction = 0.5
    episodes: Count = 10
    edge_frac: Fraction = 0.5


class RandomisationSpec(SpecModel):
    """The distribution of training plants: the table's spreads or none, then a calibrated file's, then those given by name."""

    base: Literal["table", "default"] = "table"
    width: Fraction = 1.0
    params: str | None = None
    parameter: dict[str, Distribution] = Field(default_factory=dict)
    automatic: AutomaticSpec | None = None


def randomisation_of(spec: RandomisationSpec, folder: Path) -> randomisation.Randomisation:
    """The distributions of a spec whose file lies in `folder`. Raises TrainingError with one clear sentence."""
    try:
        automatic = None if spec.automatic is None else randomisation.Automatic(**spec.automatic.model_dump())
        table = randomisation.plausible() if spec.base == "table" else {}
        how = randomisation.Randomisation(tuple(table.items()), spec.width, automatic)
        if spec.params is not None:
            how = how.with_spreads(randomisation.from_params_toml(folder / spec.params))
        return how.with_spreads({name: each.spread() for name, each in spec.parameter.items()})
    except ValueError as error:
        raise TrainingError(f"[randomisation]: {error}") from error
