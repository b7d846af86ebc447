"""The input manager as it is written in `envelope.toml`: `[[plausibility]]` and `[[vote]]`, in that order."""

from typing import Annotated, Literal

from pydantic import Field

from safety.inputs import Plausibility, Vote
from safety.loading.messages import SpecError
from safety.loading.spec_rules import (
    Id,
    Name,
    NotNegative,
    Number,
    Positive,
    Strict,
    Text,
    Time,
    condition_of,
    microseconds,
)


class PlausibilityModel(Strict):
    """What a signal must look like to be believed."""

    id: Id
    signal: Name
    low: Number
    high: Number
    rate_per_s: Positive | None = None
    stuck_s: Time | None = None
    agrees: Text | None = None
    unit: Text
    hazard: Text
    basis: Text

    def build(self) -> Plausibility:
        if self.low > self.high:
            raise SpecError("reversed-range", "plausibility", self.id, low=self.low, high=self.high)
        return Plausibility(
            id=self.id,
            signal=self.signal,
            low=self.low,
            high=self.high,
            rate_per_s=self.rate_per_s,
            stuck_us=None if self.stuck_s is None else microseconds(self.stuck_s),
            agrees=None if self.agrees is None else condition_of(self.agrees, "plausibility", self.id, "agrees"),
        )


class VoteModel(Strict):
    """Three sensors of one thing, and on which side of two it is safe to be."""

    id: Id
    signal: Name
    sensors: Annotated[list[Name], Field(min_length=3, max_length=3)]
    deviation: NotNegative
    safe_side: Literal["high", "low"]
    unit: Text
    hazard: Text
    basis: Text

    def build(self) -> Vote:
        one, two, three = self.sensors
        return Vote(
            id=self.id,
            signal=self.signal,
            sensors=(one, two, three),
            deviation=self.deviation,
            safe_side=self.safe_side,
        )
