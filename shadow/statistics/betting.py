"""A confidence sequence for the mean of bounded paired differences, by betting against every candidate mean."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class BettingSequence:
    """Hedged betting confidence sequence over differences in [-clip, clip].

    For each mean `m` on a grid two gamblers bet, one that the mean is above `m` and one that it is below. `m` stays
    in the set while neither has multiplied its half of the stake by `1 / alpha`. It covers a constant conditional
    mean at all times at once with probability `1 - alpha`. If the mean moves, excluding everything up to `m` still
    says that it was above `m` at some time; `MeanSequence` covers the running average instead.

    Source: Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting (arXiv 2010.09686),
    the hedged capital process with the predictable plug-in bet. `log_up` and `log_down` have shape [points].
    """

    alpha: float
    clip: float
    count: int
    total: float
    squares: float
    log_up: tuple[float, ...]
    log_down: tuple[float, ...]
    low: float
    high: float

    @classmethod
    def of(cls, alpha: float, clip: float, points: int = 400) -> Self:
        """An empty sequence at level `alpha` for differences in [-clip, clip], on a grid of `points` means."""
        if not (0.0 < alpha < 1.0 and clip > 0.0 and points >= 3):
            raise ValueError(f"need 0 < alpha < 1, clip > 0, points >= 3; got {alpha}, {clip}, {points}")
        zeros = (0.0,) * points
        return cls(alpha, clip, 0, 0.0, 0.0, zeros, zeros, -clip, clip)

    def update(self, difference: float) -> Self:
        """One more paired difference, clipped to [-clip, clip]."""
        if not math.isfinite(difference):
            raise ValueError(f"a paired difference must be finite, got {difference}")
        x = (min(max(difference, -self.clip), self.clip) / self.clip + 1.0) / 2.0
        bet = self._bet()
        m = _grid(len(self.log_up))
        up = np.asarray(self.log_up) + np.log1p(np.minimum(bet, 0.5 / m) * (x - m))
        down = np.asarray(self.log_down) + np.log1p(-np.minimum(bet, 0.5 / (1.0 - m)) * (x - m))
        total = self.total + x
        centre = (0.5 + total) / (self.count + 2)
        squares = self.squares + (x - centre) ** 2
        low, high = self._ends(up, down)
        return type(self)(
            self.alpha,
            self.clip,
            self.count + 1,
            total,
            squares,
            tuple(up.tolist()),
            tuple(down.tolist()),
            low,
            high,
        )

    def _bet(self) -> float:
        """The next stake, from the past only (eq. 26 of the source)."""
        i = self.count + 1
        variance = (0.25 + self.squares) / i
        return math.sqrt(2.0 * math.log(2.0 / self.alpha) / (i * math.log1p(i) * variance))

    def _ends(self, up: NDArray[np.float64], down: NDArray[np.float64]) -> tuple[float, float]:
        """Ends of the set of means whose gamblers have not won, one grid step outward; all of it if none is left."""
        alive = np.flatnonzero(np.maximum(up, down) < math.log(2.0 / self.alpha))
        if alive.size == 0:
            return -self.clip, self.clip
        steps = up.size + 1
        low, high = int(alive[0]) / steps, (int(alive[-1]) + 2) / steps
        return self.clip * (2.0 * low - 1.0), self.clip * (2.0 * high - 1.0)

    def interval(self) -> tuple[float, float]:
        """Lower and upper end, in units of the difference; the whole range when every mean has been excluded.

        Excluding all of them says that the mean moved: then nothing is claimed.
        """
        return self.low, self.high

    def mean(self) -> float:
        """Plain mean of the clipped differences, for display; NaN before the first."""
        return math.nan if self.count == 0 else self.clip * (2.0 * self.total / self.count - 1.0)


@lru_cache(maxsize=8)
def _grid(points: int) -> NDArray[np.float64]:
    grid = np.arange(1, points + 1) / (points + 1)
    grid.flags.writeable = False
    return grid
