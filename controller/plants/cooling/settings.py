"""`[plant.cooling]` of `site.toml`."""

from typing import Self

from pydantic import Field, model_validator

from controller.settings import Number, StrictModel


class CoolingSettings(StrictModel):
    """The simulated cooling plant: its weather, its IT load, its size, its limits, and the best fixed setting."""

    weather: str
    load: str = "mixed"
    zones: int = Field(ge=1, le=200)
    hard_low_c: Number
    hard_high_c: Number
    soft_high_c: Number
    best_static: dict[str, Number]

    @model_validator(mode="after")
    def _limits_in_order(self) -> Self:
        if not self.hard_low_c < self.soft_high_c <= self.hard_high_c:
            given = f"{self.hard_low_c:g}, {self.soft_high_c:g}, {self.hard_high_c:g}"
            raise ValueError(f"want `hard_low_c` < `soft_high_c` <= `hard_high_c`, given {given}: put them in order")
        return self
