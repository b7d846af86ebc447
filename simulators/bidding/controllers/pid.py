"""PID pacing: follow the spend curve of the forecast, and let a second loop hold the cost per conversion."""

from dataclasses import dataclass

import numpy as np

from simulators.bidding.controllers.base import (
    MULTIPLIER_MAX,
    MULTIPLIER_MIN,
    Floats,
    Memory,
    cost_per_predicted,
    is_new,
    left_ratio,
)
from simulators.bidding.world.observation import Account


@dataclass(frozen=True, slots=True)
class PidPacing:
    """Two loops on ln(multiplier); the lower one acts.

    Pacing error: the share of the budget still unspent against the share of the forecast's traffic still to come, as
    ln(ratio), of the tightest of the campaign's own and its shared budgets. Cost error: ln(allowed / incurred cost per
    predicted conversion). Velocity form with anti-windup: an integrator stops at the other loop's output, so whichever
    is not acting stays close. Gains: within half a per cent of the best of a small grid on the train split.
    """

    kp: float = 1.0
    ki: float = 0.5
    kd: float = 0.0
    cost_kp: float = 0.8
    cost_ki: float = 0.1
    slack: float = 0.7

    def start(self, view: Account) -> Memory:
        """Both loops at bid-at-target."""
        zero = np.zeros(view.budget_micros.shape)
        loops = {"pace": zero, "cost": zero, "pace_error": zero, "pace_before": zero, "cost_error": zero}
        return loops | {"reported": zero, "asked": zero + 1.0}

    def propose(self, memory: Memory, view: Account) -> tuple[Memory, Floats]:
        """One step of both loops with every new report."""
        if not is_new(memory, view):
            return memory, memory["asked"]
        after, multiplier = self.pace(memory, left_ratio(view), cost_per_predicted(view))
        return after | {"reported": np.full(multiplier.shape, float(view.reported)), "asked": multiplier}, multiplier

    def pace(self, memory: Memory, left: Floats, cost_ratio: Floats) -> tuple[Memory, Floats]:
        """The law itself, on arrays of one shape: budget left over traffic to come, cost over what the target allows."""
        error = np.clip(np.log(left), -1.5, 1.5)
        cost_error = np.clip(-np.log(np.maximum(cost_ratio, 1e-3)), -1.0, 1.0)
        bend = error - 2 * memory["pace_error"] + memory["pace_before"]
        pace = memory["pace"] + self.kp * (error - memory["pace_error"]) + self.ki * error + self.kd * bend
        cost = memory["cost"] + self.cost_kp * (cost_error - memory["cost_error"]) + self.cost_ki * cost_error
        low, high = np.log(MULTIPLIER_MIN), np.log(MULTIPLIER_MAX)
        pace, cost = np.clip(pace, low, high), np.clip(cost, low, high)
        pace, cost = np.minimum(pace, cost + self.slack), np.minimum(cost, pace + self.slack)
        after = {
            "pace": pace,
            "cost": cost,
            "pace_error": error,
            "pace_before": memory["pace_error"],
            "cost_error": cost_error,
        }
        return after, np.exp(np.minimum(pace, cost))
