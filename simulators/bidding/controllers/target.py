"""Bid at target: every impression at what a conversion may cost. No memory, no pacing."""

from dataclasses import dataclass

import numpy as np

from simulators.bidding.controllers.base import Floats, Memory
from simulators.bidding.world.observation import Account


@dataclass(frozen=True, slots=True)
class BidAtTarget:
    """bid = `multiplier` * target CPA * predicted chance; truthful at 1."""

    multiplier: float = 1.0

    def start(self, view: Account) -> Memory:
        """Nothing to remember."""
        return {}

    def propose(self, memory: Memory, view: Account) -> tuple[Memory, Floats]:
        """The same multiplier for all."""
        return memory, np.full(view.budget_micros.shape, self.multiplier)
