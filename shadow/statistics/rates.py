"""Is a rate of bad ticks above a limit, or provably below it? Two e-processes over the same two counts."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from scipy.special import betainc, betaincc, betaln


@dataclass(frozen=True, slots=True)
class RateTest:
    """Counts of trials and events against a limit `p0` [events per trial], and a Beta(a, b) prior on the rate.

    The prior is cut to one side of `p0`. Both tests bet, on each trial, a mixture over that side against `p0`. The
    wealth is an e-process for any dependence between trials. So by Ville's inequality it reaches `1 / alpha` with
    probability at most `alpha` under the hypothesis, at whatever moment it is read.
    """

    p0: float
    a: float
    b: float
    trials: int = 0
    events: int = 0

    def update(self, event: bool) -> Self:
        """One more trial."""
        return type(self)(self.p0, self.a, self.b, self.trials + 1, self.events + event)

    def seen(self, trials: int, events: int) -> Self:
        """The same test with these counts. Only the counts matter, not their order."""
        if not 0 <= events <= trials:
            raise ValueError(f"`events` ({events}) must lie between 0 and `trials` ({trials})")
        return type(self)(self.p0, self.a, self.b, trials, events)

    def _log_wealth(self, log_side: float, log_prior_side: float) -> float:
        clean = self.trials - self.events
        return (
            float(betaln(self.a + self.events, self.b + clean))
            - float(betaln(self.a, self.b))
            + (log_side - log_prior_side)
            - self.events * math.log(self.p0)
            - clean * math.log1p(-self.p0)
        )


class BreachTest(RateTest):
    """H0: the rate is at most `p0`. Large wealth says it is above: stop."""

    __slots__ = ()

    @classmethod
    def of(cls, p0: float) -> Self:
        """Test `rate <= p0` with prior Beta(1, 1 / (3 p0)), which reacts soonest to two to ten times the limit."""
        return cls(_checked(p0), 1.0, 1.0 / (3.0 * p0))

    def log_e(self) -> float:
        """Natural logarithm of the e-value; minus infinity where the tail underflows (conservative)."""
        tail = float(betaincc(self.a + self.events, self.b + self.trials - self.events, self.p0))
        return -math.inf if tail <= 0.0 else self._log_wealth(math.log(tail), _log_above(self.a, self.b, self.p0))

    def rejected(self, alpha: float) -> bool:
        """Whether a rate above `p0` is established at level `alpha`."""
        return self.log_e() >= -math.log(alpha)


class CertifyTest(RateTest):
    """H0: the rate is at least `p0`. Large wealth certifies that it is below: go on."""

    __slots__ = ()

    @classmethod
    def of(cls, p0: float) -> Self:
        """Test `rate >= p0` with prior Beta(1/2, 5 / p0)."""
        return cls(_checked(p0), 0.5, 5.0 / p0)

    def log_e(self) -> float:
        """Natural logarithm of the e-value; minus infinity where the tail underflows (conservative)."""
        tail = float(betainc(self.a + self.events, self.b + self.trials - self.events, self.p0))
        return -math.inf if tail <= 0.0 else self._log_wealth(math.log(tail), _log_below(self.a, self.b, self.p0))

    def certified(self, alpha: float) -> bool:
        """Whether a rate below `p0` is established at level `alpha`."""
        return self.log_e() >= -math.log(alpha)


@lru_cache(maxsize=256)
def earliest_possible(p0: float, alpha: float, events: int = 0) -> int:
    """The fewest trials, `events` of them bad, after which `rate < p0` can be certified at level `alpha`.

    Wealth rises with every clean trial, so bisection finds it. Never configure this number: it follows.
    """
    test = CertifyTest.of(p0)
    high = max(1, events)
    while not test.seen(high, events).certified(alpha):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if test.seen(max(middle, events), events).certified(alpha) else (middle, high)
    return high


def _checked(p0: float) -> float:
    if not 0.0 < p0 < 1.0:
        raise ValueError(f"`p0` must lie strictly between 0 and 1, got {p0}")
    return p0


@lru_cache(maxsize=256)
def _log_below(a: float, b: float, p0: float) -> float:
    return math.log(float(betainc(a, b, p0)))


@lru_cache(maxsize=256)
def _log_above(a: float, b: float, p0: float) -> float:
    return math.log(float(betaincc(a, b, p0)))
