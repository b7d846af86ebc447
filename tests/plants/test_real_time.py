"""A simulated plant at a stated speed: on time, or late by a recorded time, which is not recovered."""

from pathlib import Path

from controller import bootstrap
from controller.plants.real_time import Paced
from safety.values import Observation
from tests.loop.loop_fixture import DEMO

PERIODS = 3

S_US = 1_000_000


class Clock:
    """A wall clock that moves only by sleeping, or when the test sets it."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def sleep(self, for_s: float) -> None:
        self.now_s += for_s


class Still:
    """A plant of which only the time is looked at; to simulate it takes `takes_s` of wall time."""

    def __init__(self, clock: Clock, takes_s: float) -> None:
        self.clock, self.takes_s, self.at_us = clock, takes_s, 0

    def observe(self) -> Observation:
        return Observation("still", "plant", self.at_us, {})

    def advance(self, until_us: int) -> None:
        self.clock.now_s += self.takes_s
        self.at_us = until_us


def paced(takes_s: float) -> tuple[Paced, Clock, list[float]]:
    clock, late_s = Clock(), list[float]()
    made = Paced(Still(clock, takes_s), 60.0, began=late_s.append, monotonic_s=lambda: clock.now_s, sleep=clock.sleep)  # type: ignore[arg-type]
    return made, clock, late_s


def test_the_work_of_a_tick_is_part_of_its_time() -> None:
    plant, clock, late_s = paced(takes_s=0.4)
    for minute in range(1, 11):
        plant.advance(minute * 60 * S_US)
    assert abs(clock.now_s - (100.0 + 10 * 1.0 + 0.4)) < 1e-6
    assert max(late_s) < 1e-6


def test_lateness_is_reported_and_lost_time_is_not_recovered() -> None:
    plant, clock, late_s = paced(takes_s=0.0)
    plant.advance(60 * S_US)
    clock.now_s += 2.5  # a tick that took two and a half seconds instead of one
    for minute in (2, 3, 4):
        plant.advance(minute * 60 * S_US)
    assert [round(late, 6) for late in late_s] == [0.0, 1.5, 0.0, 0.0]
    assert abs(clock.now_s - (100.0 + 1.0 + 2.5 + 2.0)) < 1e-6


def test_every_paced_tick_records_its_lateness_metric(tmp_path: Path) -> None:
    options = bootstrap.Options(site=DEMO, state=tmp_path, speed=30_000.0, deadline_ms=10_000.0)
    with bootstrap.build_control(options) as running:
        until_us = running.loaded.site.start_us + PERIODS * running.loaded.envelope.period_us
        running.loop.run(until_us, lambda: True)
        recorded = {
            sample.name: sample.value
            for metric in running.registry.collect()
            for sample in metric.samples
            if sample.name.startswith("understudy_tick_lateness_seconds")
        }
    assert recorded["understudy_tick_lateness_seconds_count"] == PERIODS
    assert recorded["understudy_tick_lateness_seconds_sum"] >= 0.0


def test_an_unpaced_plant_has_no_lateness(tmp_path: Path) -> None:
    with bootstrap.build_control(bootstrap.Options(site=DEMO, state=tmp_path)) as running:
        running.loop.run(running.loaded.site.start_us + running.loaded.envelope.period_us, lambda: True)
        counts = [
            sample.value
            for metric in running.registry.collect()
            for sample in metric.samples
            if sample.name == "understudy_tick_lateness_seconds_count"
        ]
    assert counts == [0.0]
