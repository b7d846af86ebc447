"""From intervals to blocks, from blocks to groups, from groups to one paired difference each.

Why the differences are valid evidence. The candidate's positions in a group are drawn by a keyed hash, uniformly and
independently of everything before the group. Each block is compared with an expectation that is fitted on incumbent
blocks that ended before the group began. Covariates are things that no controller changes (weather, demand). So a
block's expectation does not depend on who was drawn for it.

Given the past, the mean of the candidate's relative residuals minus that of the incumbent's is therefore an unbiased
estimate of the difference that the candidate makes in that group. This holds however wrong the expectation is: a poor
fit only widens the noise. Whether a group is scored depends on facts known when it begins (the share, a fitted model).
A group that a trip or a pause cuts short is scored with what it has, by intention to treat.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from shadow.evidence.expectation import expected_cost


@dataclass(frozen=True, slots=True)
class OpenBlock:
    """A block under way.

    `assigned`, `entry`, `group` and `share` are those of its first tick and stay: intention to treat.
    """

    block: int
    assigned: str
    entry: int
    group: int
    share: float
    ticks: int = 0
    """Decisions taken in it."""
    kept: int = 0
    """Of these, how many were still assigned as the first one; fewer means a breaker or a person ended it early."""
    driven: int = 0
    """Of these, how many the candidate drove."""
    measured: int = 0
    """Intervals measured after the washout; the sums below are over them, or over all where it says so."""
    cost: float = 0.0
    covariates: tuple[float, ...] = ()
    guards: Mapping[str, float] = field(default_factory=dict)
    """Over all intervals: the washout is left out of benefit, never of safety."""
    breach_s: float = 0.0
    """Over all intervals."""


def added(sums: Mapping[str, float], more: Mapping[str, float]) -> dict[str, float]:
    """`sums` with the finite values of `more` added by name; one that could not be measured adds nothing."""
    return {**sums, **{name: sums.get(name, 0.0) + value for name, value in more.items() if math.isfinite(value)}}


@dataclass(frozen=True, slots=True)
class Arm:
    """Finished blocks of one side of a group: how many, summed relative residuals, summed guards."""

    blocks: int = 0
    residual: float = 0.0
    guards: Mapping[str, float] = field(default_factory=dict)

    def add(self, residual: float, guards: Mapping[str, float]) -> Self:
        """The arm with one more block."""
        return type(self)(self.blocks + 1, self.residual + residual, added(self.guards, guards))


@dataclass(frozen=True, slots=True)
class OpenGroup:
    """A permuted group under way, held against the expectation fitted when it began."""

    entry: int
    group: int
    coefficients: tuple[float, ...]
    floor: float
    candidate: Arm = Arm()
    incumbent: Arm = Arm()
    candidate_unmeasured: int = 0

    def add(self, block: OpenBlock, least_measured: int) -> Self:
        """The group with one more finished block. Without enough measured intervals there is no residual to add."""
        if block.measured < max(1, least_measured):
            blind = self.candidate_unmeasured + (block.assigned == "candidate")
            return self._with(self.candidate, self.incumbent, blind)
        residual, guards = self._residual(block), block.guards
        if block.assigned == "candidate":
            return self._with(self.candidate.add(residual, guards), self.incumbent, self.candidate_unmeasured)
        return self._with(self.candidate, self.incumbent.add(residual, guards), self.candidate_unmeasured)

    def differences(self) -> tuple[float, dict[str, float]] | None:
        """Saving [fraction of expected cost] and, by guard, relief [unit of the guard per block], positive where the
        candidate is better; None where the candidate's turn had not come.

        A group cut short before any incumbent block is held against the expectation alone.
        """
        c, i = self.candidate, self.incumbent
        if c.blocks == 0:
            return None
        n = max(1, i.blocks)
        saving = i.residual / n - c.residual / c.blocks
        relief = {name: i.guards.get(name, 0.0) / n - total / c.blocks for name, total in c.guards.items()}
        return saving, relief

    def _residual(self, block: OpenBlock) -> float:
        n = block.measured
        covariates = [total / n for total in block.covariates]
        return block.cost / n / expected_cost(self.coefficients, covariates, self.floor) - 1.0

    def _with(self, candidate: Arm, incumbent: Arm, candidate_unmeasured: int) -> Self:
        return type(self)(
            self.entry, self.group, self.coefficients, self.floor, candidate, incumbent, candidate_unmeasured
        )
