"""The incumbent of an advertiser account: PID pacing, as many advertisers run it today.

The control law itself is `simulators.bidding.controllers.pid`, written once for a batch; here it stands behind the port,
sees signals only, and its memory is a plain dict that is saved with every tick.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safety.values import Observation, Proposal, Setpoints, Source
from simulators.bidding.controllers.base import MULTIPLIER_MIN
from simulators.bidding.controllers.pid import PidPacing
from simulators.bidding.world.signals import setpoint_specs

Floats = NDArray[np.float64]
LOOPS = ("pace", "cost", "pace_error", "pace_before", "cost_error")
SIGNALS = ("time_left_frac", "left_ratio", "cost_ratio")


class Pacing:
    """Implements `ports.Incumbent`. Its memory, one number per campaign: both loops, their errors, what was `asked` last.

    It asks for nothing outside what the observation permits. Of a campaign it cannot see, it asks what it asked before.
    """

    def __init__(self, campaigns: int) -> None:
        self.law = PidPacing()
        self.campaigns = range(campaigns)
        self.setpoints = [spec.name for spec in setpoint_specs(campaigns)]

    @property
    def fresh(self) -> Mapping[str, Any]:
        return {name: [0.0] * len(self.campaigns) for name in (*LOOPS, "asked")}

    def propose(self, observation: Observation, memory: Mapping[str, Any]) -> tuple[Proposal, Mapping[str, Any]]:
        """Both loops one step on; a new flight begins at bid-at-target."""
        time_left, left, cost_ratio = (self._column(observation, name) for name in SIGNALS)
        seen = np.isfinite(time_left + left + cost_ratio)
        begins = time_left == 1.0
        loops = {name: np.array(memory[name]) for name in LOOPS}
        with np.errstate(invalid="ignore", divide="ignore"):  # of a campaign that is not seen
            paced, wanted = self.law.pace(loops, left, cost_ratio)
        after = {name: np.where(seen, np.where(begins, 0.0, paced[name]), loops[name]).tolist() for name in LOOPS}
        multipliers = np.where(seen, np.where(begins, 1.0, wanted), memory["asked"])
        targets = self._permitted(observation, multipliers)
        return Proposal(Source.INCUMBENT, targets), after | {"asked": list(targets.values())}

    def track(self, memory: Mapping[str, Any], applied: Setpoints) -> Mapping[str, Any]:
        """Go on from what was applied: both loops move along, so that the acting one stands at it."""
        row = [applied[name] for name in self.setpoints]
        if row == memory["asked"]:
            return memory
        pace, cost = np.array(memory["pace"]), np.array(memory["cost"])
        stands = np.log(np.maximum(row, MULTIPLIER_MIN))
        moved = stands - np.minimum(pace, cost)
        # The acting loop exactly, or rounding would move both again when the same command comes twice.
        paced = np.where(pace <= cost, stands, np.maximum(pace + moved, stands))
        costed = np.where(pace <= cost, np.maximum(cost + moved, stands), stands)
        return {**memory, "pace": paced.tolist(), "cost": costed.tolist(), "asked": row}

    def _column(self, observation: Observation, name: str) -> Floats:
        """One signal of every campaign; NaN where it is not good."""
        signals = (observation.signals.get(f"{name}_c{i}") for i in self.campaigns)
        return np.array([signal.value if signal is not None and signal.good else np.nan for signal in signals])

    def _permitted(self, observation: Observation, multipliers: Floats) -> dict[str, float]:
        targets = dict(zip(self.setpoints, multipliers.tolist(), strict=True))
        for name, allowed in observation.permitted.items():
            targets[name] = min(max(targets[name], allowed.low), allowed.high)
        return targets
