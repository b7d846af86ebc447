"""`[plant.push]` of `site.toml`."""

from typing import Annotated

from pydantic import Field, field_validator

from controller.settings import Number, StrictModel


class PushSettings(StrictModel):
    """A plant that keeps its own loop: which of the signals it sends say what it costs, and when it is outside its limits."""

    power_signal: str
    covariate_signals: list[str] = Field(default_factory=list)
    limits: dict[str, Annotated[tuple[Number, Number], Field(strict=False)]] = Field(default_factory=dict)

    @field_validator("limits")
    @classmethod
    def _low_below_high(cls, value: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        for name, (low, high) in value.items():
            if low > high:
                raise ValueError(f"the low limit of `{name}`, {low:g}, is above the high one, {high:g}: swap them")
        return value
