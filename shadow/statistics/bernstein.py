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
    """How far the sum of `t` centred values strays, at all times at once, with probability `1 - alpha`.

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


@dataclass(frozen=True, slots=True)
class AteSequence:
    """Average effect of treating a block, for blocks treated by independent coins of known propensity.

    Outcomes lie in [0, 1]; each arm is predicted by its running mean. `p_min` bounds every propensity away from 0 and 1
    and is fixed beforehand. Permuted groups are not independent coins: for them use paired differences.
    """

    alpha: float
    p_min: float
    count: int = 0
    total: float = 0.0
    v: float = 0.0
    treated_count: int = 0
    treated_total: float = 0.0
    control_count: int = 0
    control_total: float = 0.0

    def update(self, outcome: float, treated: bool, propensity: float) -> Self:
        """One more block: outcome in [0, 1], whether it was treated, and the probability that it would be."""
        if not 0.0 <= outcome <= 1.0:
            raise ValueError(f"`outcome` must lie in [0, 1], got {outcome}")
        if not self.p_min <= propensity <= 1.0 - self.p_min:
            raise ValueError(f"`propensity` must lie in [{self.p_min}, {1.0 - self.p_min}], got {propensity}")
        treated_guess = (0.5 + self.treated_total) / (1 + self.treated_count)
        control_guess = (0.5 + self.control_total) / (1 + self.control_count)
        guess = treated_guess if treated else control_guess
        surprise = (treated - propensity) / (propensity * (1.0 - propensity)) * (outcome - guess)
        return type(self)(
            self.alpha,
            self.p_min,
            self.count + 1,
            self.total + treated_guess - control_guess + surprise,
            self.v + surprise**2,
            self.treated_count + treated,
            self.treated_total + treated * outcome,
            self.control_count + (not treated),
            self.control_total + (not treated) * outcome,
        )

    def interval(self) -> tuple[float, float]:
        """Lower and upper end of the average effect so far, inside [-1, 1]."""
        if self.count == 0:
            return -1.0, 1.0
        half = stitched_boundary(self.v, 1.0, self.alpha / 2.0, 2.0 / self.p_min) / self.count
        mean = self.total / self.count
        return max(-1.0, mean - half), min(1.0, mean + half)
