"""Dual-gradient pacing: one price for the budget, one for the target, both learned from the last tick.

With l = lambda K and m = mu K (so both are pure numbers) the hindsight optimum wins where
bid = (1 + m) / (l + m) * K * value; each price rises while its constraint is being broken (facts, section 6.1).
"""

from dataclasses import dataclass

import numpy as np

from simulators.bidding.account import Account
from simulators.bidding.incumbents.base import (
    MULTIPLIER_MAX,
    MULTIPLIER_MIN,
    Floats,
    Memory,
    open_now,
    planned_frac,
    shared_planned,
)


@dataclass(frozen=True, slots=True)
class DualGradient:
    """Exponentiated-gradient steps on l (errors normalised by the budget still planned), plain steps on m.

    `rate` is the step of the budget's price, `target_rate` of the target's. Clipped, because a normalised step from a
    bad start otherwise swings between regimes. Rates: the best of a small grid on the train split.
    """

    rate: float = 0.35
    target_rate: float = 1.2
    start_price: float = 1.0

    def start(self, view: Account) -> Memory:
        """A budget price that bids at target, and no price on the target."""
        zero = np.zeros(view.budget_micros.shape)
        return {"budget": zero + self.start_price, "target": zero, "cost": zero, "predicted": zero}

    def propose(self, memory: Memory, view: Account) -> tuple[Memory, Floats]:
        """One gradient step on what the last tick cost and brought."""
        budget, target = memory["budget"], memory["target"]
        if view.tick > 0:
            cost = view.cost_micros - memory["cost"]
            left = np.maximum(view.budget_micros - memory["cost"], 1.0)
            share = view.forecast[:, :, view.tick - 1] / np.maximum(
                1 - planned_frac(view) + view.forecast[:, :, view.tick - 1], 1e-6
            )
            allowed = left * share
            over = np.clip(np.maximum(cost / allowed - 1, self._shared_over(view, cost)), -1.0, 2.0)
            budget = np.clip(budget * np.exp(self.rate * over), 0.0, 1 / MULTIPLIER_MIN)
            gain = view.target_cpa_micros * (view.predicted - memory["predicted"])
            target = np.clip(target + self.target_rate * (cost - gain) / np.maximum(allowed, gain + 1.0), 0.0, 10.0)
        after = {"budget": budget, "target": target, "cost": view.cost_micros, "predicted": view.predicted}
        multiplier = (1 + target) / np.maximum(budget + target, 1e-6)
        return after, np.clip(multiplier, MULTIPLIER_MIN, MULTIPLIER_MAX)

    def _shared_over(self, view: Account, cost: Floats) -> Floats:
        """How far the last tick's cost was above what its shared budgets allow, the tightest [L, C]; else -1."""
        over = np.full(cost.shape, -1.0)
        for p in open_now(view):
            if view.tick > view.shared_open[p][0]:
                member = view.shared_member[:, :, p]
                spent = (cost * member).sum(axis=1, keepdims=True)
                left = np.maximum(view.shared_micros[:, [p]] - view.shared_cost_micros[:, [p]] + spent, 1.0)
                before, now = (shared_planned(view, p, tick) for tick in (view.tick - 1, view.tick))
                allowed = left * np.maximum(now - before, 1e-9) / np.maximum(1 - before, 1e-6)
                over = np.where(member > 0, np.maximum(over, spent / allowed - 1), over)
        return over
