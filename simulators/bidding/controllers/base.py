"""What every incumbent is: a value with a start and a step, and no state of its own."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulators.bidding.world.observation import Account

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


def planned_frac(view: Account, tick: int | None = None) -> Floats:
    """Share of the budget that the traffic forecast says should be spent before `tick`, or before now [L, C]."""
    return np.asarray(view.forecast[:, :, : view.tick if tick is None else tick].sum(axis=2))


def is_new(memory: Memory, view: Account) -> bool:
    """Whether there is a report that `memory` has not seen; without one a controller can but hold what it asked for."""
    return view.reported > int(memory["reported"].flat[0])


def shared_planned(view: Account, p: int, tick: int) -> Floats:
    """Share of a shared budget that the forecasts of its campaigns put before `tick` [L, 1], weighed by their budgets."""
    first, last = view.shared_open[p]
    weight = (view.budget_micros * view.shared_member[:, :, p])[:, :, None] * view.forecast[:, :, first:last]
    before = weight[:, :, : max(tick - first, 0)].sum(axis=(1, 2))
    return np.asarray(before / np.maximum(weight.sum(axis=(1, 2)), 1e-9))[:, None]


def left_ratio(view: Account) -> Floats:
    """The share of the budget left over the share of the traffic to come [L, C]: of the tightest budget there is.

    Both as of the newest report, or a late one would look like money saved; and at most one while money is tied up.
    Where a shared budget is the tightest, all its campaigns see the same number, so pacing that starts them alike bids
    alike for all. The best division of a shared budget has this form: one multiplier on the worth of a conversion.
    """
    ratio = _left(view.cost_micros, view.budget_micros, planned_frac(view, view.reported))
    for p in open_now(view):
        shared = _left(
            view.shared_cost_micros[:, [p]], view.shared_micros[:, [p]], shared_planned(view, p, view.reported)
        )
        ratio = np.where(view.shared_member[:, :, p] > 0, np.minimum(ratio, shared), ratio)
    return np.where(tied_up(view), np.minimum(ratio, 1.0), ratio)


def tied_up(view: Account) -> NDArray[np.bool_]:
    """Whether more than half of what is unspent is reserved for bills to come [L, C].

    There a higher bid wins less, because every win reserves its whole bid: a pacer that is behind must not bid higher.
    """
    return np.asarray(view.reserved_micros > view.available_micros)


def open_now(view: Account) -> list[int]:
    """The shared budgets that pay for the coming tick."""
    return [p for p, (first, last) in enumerate(view.shared_open) if first <= view.tick < last]


def _left(cost: Floats, budget: Floats, planned: Floats) -> Floats:
    """Left over to come, both at least a thousandth."""
    return np.asarray(np.maximum(1 - cost / budget, 1e-3) / np.maximum(1 - planned, 1e-3))
