"""What a candidate meets in service: a year of what it sees and would ask for, from shadow to the whole plant.

In shadow the incumbent drives and the candidate only proposes; at a share they alternate in blocks; at the end the
candidate drives. Each is run apart, in 52 weeks side by side with redundant sensors, and its rows are kept by week. The weeks
of the training split fit and calibrate the statistics of novelty; the others measure how often they refuse wrongly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.learning.batched_ramp import limits_of
from controller.learning.conformal import statistics_of
from controller.learning.tensors import Tensors
from controller.plants.cooling.training.evaluate import Year, trimming
from controller.plants.cooling.training.hall import Hall
from controller.plants.cooling.training.score_card import WEEKS
from controller.policies.manifest import NoveltyStatistics
from controller.policies.novelty import score
from controller.policies.server import load
from controller.protocol import policy_wire
from simulators.cooling.controllers.incumbents import TrimConfig
from simulators.cooling.world.scenario import SPLITS, WEEK_NODES

Floats = NDArray[np.float64]
DRIVERS = ("incumbent", "alternating", "candidate")
SEEDS = (11, 12)
"""Of load and sensors; training and evaluation have others."""
BLOCK_TICKS = 48
EVERY = 4
"""Rows are kept every so many ticks: in between they hardly move."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows [weeks, m, d] of one driver: normalised inputs, then normalised targets."""

    driver: str
    rows: Floats

    def of(self, splits: Sequence[int]) -> Floats:
        """The rows [n, d] of weeks whose number modulo five is one of these."""
        weeks = np.isin(np.arange(WEEKS) % 5, splits)
        return self.rows[weeks].reshape(-1, self.rows.shape[-1])


def service_rows(
    graph: bytes, tensors: Tensors, hall: Hall, steps: int = WEEK_NODES, seeds: Sequence[int] = SEEDS
) -> list[Rows]:
    """The rows of every driver, over `steps` of each week and every seed."""
    return [
        Rows(driver, np.concatenate([_year(graph, tensors, hall, driver, seed, steps) for seed in seeds], axis=1))
        for driver in DRIVERS
    ]


def fitted(served: Sequence[Rows]) -> NoveltyStatistics:
    """Statistics of the training weeks: all but the last third of them fit, the rest calibrate, each driver apart."""
    *fit, calibrate = SPLITS["train"]
    return statistics_of(np.concatenate([each.of(fit) for each in served]), [each.of([calibrate]) for each in served])


def false_refusals(statistics: NoveltyStatistics, served: Sequence[Rows], thin: int = 10) -> dict[str, float]:
    """The share of rows of weeks never trained on that would be refused, by driver; every `thin`-th row is used."""
    unseen = [number for number in range(5) if number not in SPLITS["train"]]
    shares = {
        each.driver: np.mean([score(statistics, row) > 1.0 for row in each.of(unseen)[::thin].tolist()])
        for each in served
    }
    return {driver: round(float(share), 5) for driver, share in shares.items()}


def _year(graph: bytes, tensors: Tensors, hall: Hall, driver: str, seed: int, steps: int) -> Floats:
    """Rows [weeks, steps / EVERY, d] of one driver and seed."""
    run = load(policy_wire.Load(graph, len(tensors.inputs), len(tensors.outputs)))
    year, limits = Year(hall, seed, steps), limits_of(hall.envelope)
    trim, since = trimming(TrimConfig(zones=hall.zones), year.measured), np.ones(year.measured.setpoints.shape)
    kept = []
    for tick in range(steps):
        seen, applied, taken_at = year.voted, year.measured.setpoints, year.taken_at
        targets = tensors.targets(run(tensors.features(seen, applied, taken_at)))
        own = trim(seen, applied)
        if tick % EVERY == 0:
            kept.append(np.hstack([tensors.normalised(seen, applied, taken_at), tensors.normalised_targets(targets)]))
        theirs = _candidates_turn(driver, tick)
        step = limits.ramp(np.where(theirs[:, None], targets, own), applied, since)
        since = np.where(limits.discrete & (step != applied), 0.0, since) + 1.0
        year.step(step)
    return np.stack(kept, axis=1)


def _candidates_turn(driver: str, tick: int) -> NDArray[np.bool_]:
    """Whose turn it is in each week [weeks]: weeks begin their blocks at different times."""
    if driver != "alternating":
        return np.full(WEEKS, driver == "candidate")
    return np.asarray((tick + 7 * np.arange(WEEKS)) // BLOCK_TICKS % 2 == 1)
