"""Incumbents cool the plant safely, better than a naive command, and take over without a bump."""

from dataclasses import replace

import numpy as np
import pytest

from simulators.cooling.controllers.incumbents import (
    TrimConfig,
    fixed,
    naive_setpoints,
    track,
    trim_and_respond,
    trim_start,
)
from simulators.cooling.controllers.pid import PidConfig, pid_cascade, pid_start
from simulators.cooling.episode import Episodes
from simulators.cooling.simulation import start_setpoints
from simulators.cooling.tools.kpis import Tally
from simulators.cooling.tools.results import bar_chart, interval
from simulators.cooling.tools.static_search import Windows, best_static, table
from simulators.cooling.world.scenario import WEEK_NODES, scenario
from simulators.cooling.world.signals import signal_specs

CONFIG = TrimConfig()
NAMES = [spec.name for spec in signal_specs(4)]


def _signals(lanes: int = 1, **values: float) -> np.ndarray:
    signals = np.zeros((lanes, len(NAMES)))
    plain = {"inlet": 25.0, "return": 31.0, "supply": 20.0, "chws_temp": 10.0, "chwr_temp": 18.0, "chw_flow": 15.0}
    for i, name in enumerate(NAMES):
        signals[:, i] = next((v for key, v in plain.items() if name.startswith(key)), 0.0)
    for name, value in values.items():
        signals[:, NAMES.index(name)] = value
    return signals


def _memory(**columns: float) -> np.ndarray:
    command = start_setpoints(4, 1)
    for name, value in columns.items():
        command[0, {"supply": 0, "chws": -3, "tower": -2, "units": -1}[name]] = value
    return command


def test_setpoints_drift_warmer_while_nobody_asks_for_more() -> None:
    command, _ = trim_and_respond(_signals(), trim_start(_memory(), CONFIG), CONFIG)
    assert command[0, 0] == pytest.approx(20.1)
    assert command[0, -3] == pytest.approx(10.1)


def test_a_warm_zone_gets_colder_air_and_more_of_it() -> None:
    command, memory = trim_and_respond(_signals(inlet_z2_c=26.5), trim_start(_memory(), CONFIG), CONFIG)
    assert command[0, 0] == pytest.approx(20.0 - 0.3)
    assert command[0, 2] > command[0, 1]
    worse, _ = trim_and_respond(_signals(inlet_z2_c=27.5), memory, CONFIG)
    assert worse[0, 0] == pytest.approx(20.0 - 0.3 - 0.6)


def test_an_open_valve_asks_for_colder_water() -> None:
    command, _ = trim_and_respond(_signals(supply_z1_c=20.5), trim_start(_memory(), CONFIG), CONFIG)
    assert command[0, -3] == pytest.approx(9.7)


def test_the_tower_follows_the_wet_bulb() -> None:
    command, _ = trim_and_respond(_signals(outdoor_wet_bulb_c=18.0), trim_start(_memory(), CONFIG), CONFIG)
    assert command[0, -2] == 22.0


def test_second_chiller_start_waits_after_a_staging_change() -> None:
    busy = _signals(chw_flow_kg_s=25.0)
    command, memory = trim_and_respond(busy, trim_start(_memory(), CONFIG), CONFIG)
    assert command[0, -1] == 2.0
    idle = _signals(chw_flow_kg_s=5.0)
    units = []
    for _ in range(8):
        command, memory = trim_and_respond(idle, memory, CONFIG)
        units.append(command[0, -1])
    assert units == [2.0] * 6 + [1.0] * 2


def test_incumbent_continues_from_the_command_in_force() -> None:
    memory = trim_start(_memory(), CONFIG)
    for _ in range(5):
        memory = track(memory, _memory(supply=22.0))
    command, _ = trim_and_respond(_signals(), memory, CONFIG)
    assert np.abs(command[0, :-3] - _memory(supply=22.0)[0, :-3]).max() <= 0.1 + 1e-9


def test_fans_do_not_wind_up() -> None:
    memory = trim_start(_memory(), CONFIG)
    for _ in range(200):
        _, memory = trim_and_respond(_signals(inlet_z1_c=30.0), memory, CONFIG)
    command, _ = trim_and_respond(_signals(inlet_z1_c=24.0), memory, CONFIG)
    assert command[0, 1] < 1.0


def test_a_lane_is_controlled_alone() -> None:
    signals = np.concatenate([_signals(inlet_z1_c=x) for x in (24.0, 26.5, 28.0)])
    together, _ = trim_and_respond(signals, trim_start(np.tile(_memory(), (3, 1)), CONFIG), CONFIG)
    for lane in range(3):
        alone, _ = trim_and_respond(signals[lane : lane + 1], trim_start(_memory(), CONFIG), CONFIG)
        assert np.array_equal(alone[0], together[lane])


def _run(controller: str, days: int = 1) -> dict[str, np.ndarray]:
    starts = np.array([2, 14, 28, 40]) * WEEK_NODES
    episodes, tally = Episodes(scenario("greensboro-year"), 0, 4, days * 288), Tally(4)
    measured = episodes.reset(0, start=starts)
    memory = trim_start(measured.setpoints, CONFIG)
    cascade = pid_start(memory)
    while not episodes.done:
        if controller == "trim":
            command, memory = trim_and_respond(measured.signals, memory, CONFIG)
        elif controller == "pid":
            command, cascade = pid_cascade(measured.signals, cascade, PidConfig())
        else:
            command = fixed(measured.signals, naive_setpoints(4))
        measured = episodes.step(command)
        tally.add(measured)
    return tally.table()


@pytest.mark.parametrize("controller", ["trim", "pid"])
def test_reset_controller_saves_energy_within_the_limits(controller: str) -> None:
    reset, naive = _run(controller), _run("naive")
    assert np.all(reset["cooling_kwh_per_day"] < 0.9 * naive["cooling_kwh_per_day"])
    assert np.all(reset["inlet_max_c"] < 27.0)
    assert np.all((reset["pue"] > 1.05) & (reset["pue"] < 1.3))
    assert np.all(reset["kelvin_minutes_above_32"] == 0.0)
    assert np.all(reset["starts_per_day"] <= 6.0)


def test_search_finds_a_static_command_better_than_the_naive_one() -> None:
    windows = Windows(replace(scenario("greensboro-year")), 0, 4, 0.5)
    best = best_static(windows, rounds=3, candidates=8)
    outcome, naive = windows.run(best[None, :]), windows.run(naive_setpoints(4)[None, :])
    assert outcome.score[0] < naive.score[0]
    assert "naive" in table({"naive": naive}, 2.0)


def test_an_interval_is_students() -> None:
    mean, half = interval(np.array([1.0, 2.0, 3.0]))
    assert mean == 2.0
    assert half == pytest.approx(4.303 / np.sqrt(3.0))
    assert bar_chart("x", {"a": (mean, half)}).count("<rect") == 1
