"""A simulated plant at a stated speed: it comes back from `advance` no sooner than the wall clock allows."""

import time
from collections.abc import Callable

from controller.ports import Outcome, Plant
from safety.values import Command, Observation, Receipt


class Paced:
    """`speed` plant seconds pass per wall second. It never runs faster to catch up with time it has lost."""

    def __init__(self, plant: Plant, speed: float, waiting: Callable[[], None] = lambda: None) -> None:
        """`waiting` is called a few times a second while there is nothing to do."""
        self.plant, self.speed, self.waiting = plant, speed, waiting
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
            self.waiting()
        self.plant.advance(until_us)
