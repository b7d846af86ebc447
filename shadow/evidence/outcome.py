"""From intervals to blocks, from blocks to groups, from groups to one paired difference each.

Why the differences are valid evidence. The candidate's positions in a group are drawn by a keyed hash, uniformly and
independently of everything before the group. The expectation each block is held against is fitted on incumbent blocks
that ended before the group began, and covariates are things no controller changes (weather, IT load), so a block's
expectation does not depend on who was drawn for it. Given the past, the mean of the candidate's relative residuals
minus that of the incumbent's is therefore unbiased for the difference candidate makes in that group, however wrong
the expectation is: a poor fit only widens the noise. Groups are scored or not by facts known when they begin (the
share, a fitted model); a group that a trip or a pause cuts short is scored with what it has, as intended for treatment.
"""

from dataclasses import dataclass
from typing import Self

from shadow.evidence.expectation import expected_kwh


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
    """Intervals measured after the washout; the four sums below are over them, or over all where it says so."""
    energy_kwh: float = 0.0
    covariates: tuple[float, ...] = ()
    hot_degree_minutes: float = 0.0
    """Over all intervals: the washout is left out of benefit, never of safety."""
    breach_s: float = 0.0
    """Over all intervals."""


@dataclass(frozen=True, slots=True)
class Arm:
    """Finished blocks of one side of a group: how many, summed relative residuals, summed hot degree-minutes."""

    blocks: int = 0
    residual: float = 0.0
    hot_degree_minutes: float = 0.0

    def add(self, residual: float, hot_degree_minutes: float) -> Self:
        """The arm with one more block."""
        return type(self)(self.blocks + 1, self.residual + residual, self.hot_degree_minutes + hot_degree_minutes)


@dataclass(frozen=True, slots=True)
class OpenGroup:
    """A permuted group under way, held against the expectation fitted when it began."""

    entry: int
    group: int
    coefficients: tuple[float, ...]
    floor_kwh: float
    candidate: Arm = Arm()
    incumbent: Arm = Arm()
    candidate_unmeasured: int = 0

    def add(self, block: OpenBlock, least_measured: int) -> Self:
        """The group with one more finished block. Without enough measured intervals there is no residual to add."""
        if block.measured < max(1, least_measured):
            blind = self.candidate_unmeasured + (block.assigned == "candidate")
            return self._with(self.candidate, self.incumbent, blind)
        energy, hot = self._residual(block), block.hot_degree_minutes
        if block.assigned == "candidate":
            return self._with(self.candidate.add(energy, hot), self.incumbent, self.candidate_unmeasured)
        return self._with(self.candidate, self.incumbent.add(energy, hot), self.candidate_unmeasured)

    def differences(self) -> tuple[float, float] | None:
        """Saving [fraction of expected energy] and relief [hot degree-minutes per block], positive where the candidate
        is better; None where the candidate's turn had not come.

        A group cut short before any incumbent block is held against the expectation alone.
        """
        c, i = self.candidate, self.incumbent
        if c.blocks == 0:
            return None
        n = max(1, i.blocks)
        saving = i.residual / n - c.residual / c.blocks
        return saving, i.hot_degree_minutes / n - c.hot_degree_minutes / c.blocks

    def _residual(self, block: OpenBlock) -> float:
        n = block.measured
        covariates = [total / n for total in block.covariates]
        return block.energy_kwh / n / expected_kwh(self.coefficients, covariates, self.floor_kwh) - 1.0

    def _with(self, candidate: Arm, incumbent: Arm, candidate_unmeasured: int) -> Self:
        return type(self)(
            self.entry, self.group, self.coefficients, self.floor_kwh, candidate, incumbent, candidate_unmeasured
        )
