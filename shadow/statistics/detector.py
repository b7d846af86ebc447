"""Has something become worse just now? Long good conduct buys no credit here, unlike in a breach test."""

from dataclasses import dataclass
from typing import Self

CEILING = 1e12
"""Readings stop here, so that a long bad spell is forgotten after tens of good ticks, not thousands."""


@dataclass(frozen=True, slots=True)
class ChangeDetector:
    """Shiryaev-Roberts and CUSUM e-detectors for `E[x | past] <= p0`, x in [0, 1].

    Tripping when either reading first reaches `A` means at least `A` updates on average to a false trip, whatever the
    dependence. `bet` in [0, 1 / p0] is the stake. Source: Shin, Ramdas and Rinaldo (arXiv 2203.03532).
    """

    p0: float
    bet: float
    count: int = 0
    shiryaev_roberts: float = 0.0
    cusum: float = 0.0

    @classmethod
    def of(cls, p0: float, bet: float) -> Self:
        """A detector that has seen nothing."""
        if not (0.0 < p0 < 1.0 and 0.0 <= bet <= 1.0 / p0):
            raise ValueError(f"need 0 < p0 < 1 and 0 <= bet <= 1 / p0; got p0 {p0}, bet {bet}")
        return cls(p0, bet)

    def update(self, x: float) -> Self:
        """One more value in [0, 1]; an event counts 1, its absence 0."""
        if not 0.0 <= x <= 1.0:
            raise ValueError(f"`x` must lie in [0, 1], got {x}")
        growth = 1.0 + self.bet * (x - self.p0)
        ratio, peak = (self.shiryaev_roberts + 1.0) * growth, max(self.cusum, 1.0) * growth
        return type(self)(self.p0, self.bet, self.count + 1, min(ratio, CEILING), min(peak, CEILING))
