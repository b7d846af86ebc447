"""Names, units and ranges of what a simulated plant measures and obeys."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SignalSpec:
    """One measured value: its name, unit, the range it normally lies in, and what it means.

    `low` and `high` scale observations; a value outside them is unusual, not wrong.
    """

    name: str
    unit: str
    low: float
    high: float
    description: str


@dataclass(frozen=True, slots=True)
class SetpointSpec:
    """One commanded value in engineering units; `values` lists the allowed ones where only some are."""

    name: str
    unit: str
    low: float
    high: float
    values: tuple[float, ...] | None = None
