"""`[plant.push]` of `site.toml`."""

from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from controller.settings import Number, StrictModel

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class PushedCost(StrictModel):
    """The quantity to keep small, as `name`, `unit` and `label`; the signal `per_hour_signal` is its rate per hour."""

    name: Name
    unit: str
    label: str
    per_hour_signal: str


class PushedGuard(StrictModel):
    """What must not grow: minutes times how far the highest of `signals` is `above` a value; `unit` is theirs times minutes."""

    name: Name
    unit: str
    label: str
    signals: list[str] = Field(min_length=1)
    above: Number


class PushSettings(StrictModel):
    """A plant that keeps its own loop: what it costs by the signals it sends, and when it is outside its limits."""

    cost: PushedCost
    guards: list[PushedGuard] = Field(default_factory=list)
    covariate_signals: list[str] = Field(default_factory=list)
    limits: dict[str, Annotated[tuple[Number, Number], Field(strict=False)]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, value: Any) -> Any:
        if isinstance(value, dict) and "power_signal" in value:
            raise ValueError("`power_signal` is now `cost.per_hour_signal`: write a table [plant.push.cost]")
        return value

    @field_validator("limits")
    @classmethod
    def _low_below_high(cls, value: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        for name, (low, high) in value.items():
            if low > high:
                raise ValueError(f"the low limit of `{name}`, {low:g}, is above the high one, {high:g}: swap them")
        return value
