"""Empirical-Bernstein confidence sequences: they cover the running average of conditional means, drifting or not.

Source: Howard, Ramdas, McAuliffe and Sekhon, Time-uniform, nonparametric, nonasymptotic confidence sequences
(arXiv 1810.08240), theorem 4 and corollary 2, with the polynomial stitched boundary.
"""

import math
from dataclasses import dataclass
from typing import Self

from scipy.special import zeta

ETA = 2.0
S = 1.4
_K1 = (ETA**0.25 + ETA**-0.25) / math.sqrt(2.0)
_K2 = (math.sqrt(ETA) + 1.0) / 2.0
_LOG_TAIL = math.log(float(zeta(S)) / math.log(ETA) ** S)


def stitched_boundary(v: float, v_min: float, alpha: float, reach: float) -> float:
    """The bound that the sum of `t` centred values keeps at all times at once with probability `1 - alpha`.

    `v` is the sum of squared surprises, `v_min` the value below which it is not resolved, `reach` the largest surprise.
    """
    v = max(v, v_min)
    span = S * math.log(math.log(ETA * v / v_min)) + _LOG_TAIL - math.log(alpha)
    return math.sqrt(_K1**2 * v * span + (_K2 * reach * span) ** 2) + _K2 * reach * span


@dataclass(frozen=True, slots=True)
class MeanSequence:
    """Running average of values in [-clip, clip], predicted by their own past mean."""

    alpha: float
    clip: float
    count: int = 0
    total: float = 0.0
    v: float = 0.0

    def update(self, value: float) -> Self:
        """One more value, clipped to [-clip, clip]."""
        if not math.isfinite(value):
            raise ValueError(f"a value must be finite, got {value}")
        value = min(max(value, -self.clip), self.clip)
        surprise = value - self.total / max(1, self.count)
        return type(self)(self.alpha, self.clip, self.count + 1, self.total + value, self.v + surprise**2)

    def interval(self) -> tuple[float, float]:
        """Lower and upper end, inside [-clip, clip]."""
        if self.count == 0:
            return -self.clip, self.clip
        reach = 2.0 * self.clip
        half = stitched_boundary(self.v, (reach / 4.0) ** 2, self.alpha / 2.0, reach) / self.count
        mean = self.total / self.count
        return max(-self.clip, mean - half), min(self.clip, mean + half)
