"""A simulated plant in wall time."""

from pathlib import Path

from controller import bootstrap
from tests.controller.rig import DEMO

PERIODS = 3


def test_every_tick_of_a_paced_plant_tells_its_metric_how_late_it_began(tmp_path: Path) -> None:
    options = bootstrap.Options(site=DEMO, state=tmp_path, speed=30_000.0, deadline_ms=10_000.0)
    with bootstrap.build_control(options) as running:
        until_us = running.loaded.site.start_us + PERIODS * running.loaded.envelope.period_us
        running.loop.run(until_us, lambda: True)
        told = {
            sample.name: sample.value
            for metric in running.registry.collect()
            for sample in metric.samples
            if sample.name.startswith("understudy_tick_lateness_seconds")
        }
    assert told["understudy_tick_lateness_seconds_count"] == PERIODS
    assert told["understudy_tick_lateness_seconds_sum"] >= 0.0


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
