"""The simulated halls that a policy trains on."""

import numpy as np
from numpy.typing import NDArray

from controller.learning.training_site import Control
from controller.plants.cooling.training.evaluate import STEP_US, trimming
from controller.plants.cooling.training.reward import CoolingReward, reward_of, usual_kwh
from simulators.cooling.controllers.incumbents import TrimConfig
from simulators.cooling.episode import SETTLE_STEPS, Episodes, Measured
from simulators.cooling.world.adr import Ranges

Floats = NDArray[np.float64]


class TrainingHalls:
    """Implements `learning.training_site.TrainingPlants` by episodes of simulated halls."""

    def __init__(self, episodes: Episodes, weights: CoolingReward) -> None:
        self.measured: Measured
        """The last control step."""
        self._episodes, self._weights = episodes, weights
        self._usual_kwh = usual_kwh(episodes.scenario)
        self._episode = -1

    @property
    def count(self) -> int:
        return self._episodes.lanes

    @property
    def signals(self) -> Floats:
        return self.measured.signals

    @property
    def setpoints(self) -> Floats:
        return self.measured.setpoints

    @property
    def taken_at(self) -> NDArray[np.int64]:
        return np.asarray((self._start + self._episodes.step_index) * STEP_US)

    @property
    def done(self) -> bool:
        return self._episodes.done

    def reset(self) -> None:
        """Begin the next episode, each hall at its own time of the year, settled for an hour."""
        self._episode += 1
        episodes, length = self._episodes, self._episodes.length + SETTLE_STEPS
        self._start = episodes.scenario.start_nodes(episodes.seed, np.arange(episodes.lanes), self._episode, length)
        self.measured = episodes.reset(start=self._start)

    def step(self, setpoints: Floats) -> None:
        self.measured = self._episodes.step(setpoints)

    def reward(self) -> Floats:
        return reward_of(self.measured, self._weights, self._usual_kwh)

    def incumbent(self) -> Control:
        return trimming(TrimConfig(zones=self._episodes.scenario.zones), self.measured)

    def summary(self) -> str:
        """The ranges that automatic randomisation has reached; empty without it."""
        how, ranges = self._episodes.scenario.randomisation, self._episodes.ranges
        if how is None or how.automatic is None or ranges is None:
            return ""
        return f"automatic randomisation in the end: {_shown(ranges)}"


def _shown(ranges: Ranges) -> str:
    used = [0.5 * (low + high) for low, high in ranges.table().values()]
    least, most = (sorted(zip(used, ranges.names, strict=True))[i] for i in (0, -1))
    return (
        f"{100.0 * float(np.mean(used)):.0f} % of all ranges, least `{least[1]}` ({100.0 * least[0]:.0f} %), "
        f"most `{most[1]}` ({100.0 * most[0]:.0f} %)"
    )
