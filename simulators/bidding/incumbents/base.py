"""What every incumbent is: a value with a start and a step, and no state of its own."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulators.bidding.account import Account

Floats = NDArray[np.float64]
Memory = dict[str, Floats]

MULTIPLIER_MIN = 0.02
MULTIPLIER_MAX = 8.0


class Incumbent(Protocol):
    """A pure controller: the memory it returns is all it remembers."""

    def start(self, view: Account) -> Memory:
        """Memory before the first tick; arrays [L, C]."""
        ...

    def propose(self, memory: Memory, view: Account) -> tuple[Memory, Floats]:
        """Memory after, and multipliers [L, C] for the coming tick."""
        ...


def cost_per_predicted(view: Account) -> Floats:
    """Cost so far over what the target allows for the conversions predicted so far [-]; one before there are any."""
    allowed = view.target_cpa_micros * view.predicted
    return np.asarray(np.where(allowed > 0, view.cost_micros / np.maximum(allowed, 1e-9), 1.0))


def planned_frac(view: Account) -> Floats:
    """Share of the budget that the traffic forecast says should be spent before this tick [L, C]."""
    return np.asarray(view.forecast[:, :, : view.tick].sum(axis=2))
