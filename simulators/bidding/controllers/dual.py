"""Dual-gradient pacing: one price for the budget, one for the target, both learned from the last report.

With l = lambda K and m = mu K (so both are pure numbers) the hindsight optimum wins where
bid = (1 + m) / (l + m) * K * value. Each price rises while its constraint is being broken (facts, section 6.1).
"""

from dataclasses import dataclass

import numpy as np

from simulators.bidding.controllers.base import (
    MULTIPLIER_MAX,
    MULTIPLIER_MIN,
    Floats,
    Memory,
    is_new,
    open_now,
    planned_frac,
    shared_planned,
    tied_up,
)
from simulators.bidding.world.observation import Account


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
        prices = {"budget": zero + self.start_price, "target": zero, "cost": zero, "predicted": zero}
        return prices | {"reported": zero, "asked": zero + 1 / self.start_price}

    def propose(self, memory: Memory, view: Account) -> tuple[Memory, Floats]:
        """One gradient step on what was reported since the last one; without a new report, what was asked before."""
        if not is_new(memory, view):
            return memory, memory["asked"]
        cost, since = view.cost_micros - memory["cost"], int(memory["reported"].flat[0])
        left = np.maximum(view.budget_micros - memory["cost"], 1.0)
        before, now = (planned_frac(view, tick) for tick in (since, view.reported))
        allowed = left * (now - before) / np.maximum(1 - before, 1e-6)
        over = np.clip(np.maximum(cost / allowed - 1, self._shared_over(view, cost, since)), -1.0, 2.0)
        over = np.where(tied_up(view), np.maximum(over, 0.0), over)
        budget = np.clip(memory["budget"] * np.exp(self.rate * over), 0.0, 1 / MULTIPLIER_MIN)
        gain = view.target_cpa_micros * (view.predicted - memory["predicted"])
        dear = (cost - gain) / np.maximum(allowed, gain + 1.0)
        target = np.clip(memory["target"] + self.target_rate * dear, 0.0, 10.0)
        multiplier = np.clip((1 + target) / np.maximum(budget + target, 1e-6), MULTIPLIER_MIN, MULTIPLIER_MAX)
        after = {"budget": budget, "target": target, "cost": view.cost_micros, "predicted": view.predicted}
        return after | {"reported": np.full(cost.shape, float(view.reported)), "asked": multiplier}, multiplier

    def _shared_over(self, view: Account, cost: Floats, since: int) -> Floats:
        """Excess of the reported cost over what the tightest shared budget allowed [L, C]; -1 without one."""
        over = np.full(cost.shape, -1.0)
        for p in open_now(view):
            if since >= view.shared_open[p][0]:
                member = view.shared_member[:, :, p]
                spent = (cost * member).sum(axis=1, keepdims=True)
                left = np.maximum(view.shared_micros[:, [p]] - view.shared_cost_micros[:, [p]] + spent, 1.0)
                before, now = (shared_planned(view, p, tick) for tick in (since, view.reported))
                allowed = left * np.maximum(now - before, 1e-9) / np.maximum(1 - before, 1e-6)
                over = np.where(member > 0, np.maximum(over, spent / allowed - 1), over)
        return over
