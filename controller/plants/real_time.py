"""A simulated plant at a stated speed: it comes back from `advance` no sooner than the wall clock allows."""

import time
from collections.abc import Callable

from controller.plants.wrapper import Around
from controller.ports import Plant

LONGEST_SLEEP_S = 0.25


class Paced(Around):
    """`speed` plant seconds pass per wall second. It never runs faster to catch up with time it has lost."""

    def __init__(
        self,
        plant: Plant,
        speed: float,
        waiting: Callable[[], None] = lambda: None,
        began: Callable[[float], None] = lambda late_s: None,
        period_us: int = 1,
        monotonic_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`waiting` is called a few times a second while there is nothing to do; `began` at every multiple of
        `period_us` of plant time, with how much later than due it came [s of wall time]."""
        super().__init__(plant)
        self.speed, self.waiting, self.began = speed, waiting, began
        self._period_us, self._monotonic_s, self._sleep = period_us, monotonic_s, sleep
        self._due_s = monotonic_s()

    def advance(self, until_us: int) -> None:
        before_us = self.plant.observe().taken_at
        due_s = self._due_s + (until_us - before_us) / 1e6 / self.speed
        overrun = self._monotonic_s() > due_s
        while (left_s := due_s - self._monotonic_s()) > 0:
            self._sleep(min(left_s, LONGEST_SLEEP_S))
            self.waiting()
        now_s = self._monotonic_s()
        if until_us % self._period_us == 0:
            self.began(now_s - due_s)
        self._due_s = now_s if overrun else due_s
        super().advance(until_us)
