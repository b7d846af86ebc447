"""A simulated plant at a stated speed: it comes back from `advance` no sooner than the wall clock allows."""

import time
from collections.abc import Callable

from controller.ports import Outcome, Plant
from safety.values import Command, Observation, Receipt


class Paced:
    """`speed` plant seconds pass per wall second. It never runs faster to catch up with time it has lost.

    `began` is told [s] how late each multiple of `period_us` came.
    """

    def __init__(self, plant: Plant, speed: float, period_us: int, began: Callable[[float], None]) -> None:
        self.plant, self.speed, self.period_us, self.began = plant, speed, period_us, began
        self._next_s = time.monotonic()

    @property
    def name(self) -> str:
        return self.plant.name

    @property
    def simulated(self) -> bool:
        return self.plant.simulated

    def observe(self) -> Observation:
        return self.plant.observe()

    def apply(self, command: Command, *, decision: str) -> Receipt:
        return self.plant.apply(command, decision=decision)

    def outcome(self) -> Outcome:
        return self.plant.outcome()

    def advance(self, until_us: int) -> None:
        before_us = self.plant.observe().taken_at
        self._next_s = max(self._next_s, time.monotonic()) + (until_us - before_us) / 1e6 / self.speed
        while (left_s := self._next_s - time.monotonic()) > 0:
            time.sleep(min(left_s, 0.25))
        self.plant.advance(until_us)
        if until_us % self.period_us == 0:
            self.began(time.monotonic() - self._next_s)
