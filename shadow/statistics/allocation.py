"""Did the candidate really get the share it was given? A sample-ratio check that may be read at any time."""

import math
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class AllocationTest:
    """Beta-binomial e-process for `P(candidate) = share`, `share` known before each block.

    A changed share starts new counts and keeps the wealth, which is a product of predictable bets either way. Permuted
    groups spread their counts less than coins do; the test is then conservative at group ends.
    Source: the Dirichlet-multinomial test of Lindon and Malek (arXiv 2011.03567), two arms.
    """

    share: float = 0.0
    candidate: int = 0
    incumbent: int = 0
    log_e: float = 0.0

    def update(self, is_candidate: bool, share: float) -> Self:
        """One more block, of which `share` in (0, 1) said how probable the candidate was."""
        if not 0.0 < share < 1.0:
            raise ValueError(f"`share` must lie strictly between 0 and 1, got {share}")
        seen = (self.candidate, self.incumbent) if share == self.share else (0, 0)
        prior = (PRIOR_BLOCKS * share, PRIOR_BLOCKS * (1.0 - share))
        arm = 0 if is_candidate else 1
        guess = (prior[arm] + seen[arm]) / (PRIOR_BLOCKS + seen[0] + seen[1])
        fair = share if is_candidate else 1.0 - share
        return type(self)(
            share, seen[0] + is_candidate, seen[1] + (not is_candidate), self.log_e + math.log(guess / fair)
        )

    def rejected(self, alpha: float) -> bool:
        """Whether the realised share is established to differ from the one declared."""
        return self.log_e >= -math.log(alpha)


PRIOR_BLOCKS = 20.0
"""Weight of the declared share in the guess, in blocks: less would bet on the noise of the first few."""
