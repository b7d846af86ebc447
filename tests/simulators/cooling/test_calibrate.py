"""Calibration finds the plant behind a log, says how sure it is, and is judged on days it has not seen."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simulators.cooling.episode import Episodes
from simulators.cooling.simulation import start_setpoints
from simulators.cooling.tools.calibrate import Log, LogError, calibrate, read_log
from simulators.cooling.world.randomisation import from_params_toml
from simulators.cooling.world.scenario import scenario
from simulators.cooling.world.sensors_actuators import Sensors
from simulators.cooling.world.signals import setpoint_specs, signal_specs

TRUTH = {"fan_rated_kw": 10.0, "coil_ntu": 1.65, "cw_pump_unit_kw": 9.0, "tower_fan_rated_kw": 22.0}


def _log(days: int = 6, sensors: Sensors | None = None) -> Log:
    """A log of a plant unlike the default one, under setpoints that wander as operators move them."""
    world = replace(scenario("greensboro-year"), changes=tuple(TRUTH.items()), sensors=sensors)
    episodes, rng = Episodes(world, 5, 1, days * 288), np.random.default_rng(0)
    measured = episodes.reset(5, start=np.array([50_000]))
    signals, setpoints, command = [measured.signals[0]], [measured.setpoints[0]], start_setpoints(4, 1)
    while not episodes.done:
        if rng.uniform() < 0.15:
            command = start_setpoints(4, 1) + rng.uniform(-1, 1, 8) * [2, 0.2, 0.2, 0.2, 0.2, 2, 3, 0]
            command[0, -1] = rng.integers(1, 3)
        measured = episodes.step(command)
        signals.append(measured.signals[0])
        setpoints.append(measured.setpoints[0])
    return Log(4, np.array(signals), np.array(setpoints))


def test_calibration_recovers_the_parameters_that_made_the_log() -> None:
    fit = calibrate(_log(sensors=Sensors()), tuple(TRUTH), iterations=4, windows=24)
    for name, true in TRUTH.items():
        assert fit.values[name] == pytest.approx(true, rel=0.06), name
        assert 0.0 < fit.relative_sd[name] < 0.1, name
    assert fit.rmse_after["fan_power"] < 0.5 * fit.rmse_before["fan_power"]
    assert fit.r2_after["chiller_power"] > 0.9


def test_calibrated_parameters_can_be_saved_and_randomised(tmp_path: Path) -> None:
    fit = calibrate(_log(3), ("fan_rated_kw",), iterations=2, windows=8)
    path = tmp_path / "params.toml"
    path.write_text(fit.toml())
    ((name, spread),) = from_params_toml(path).items()
    assert name == "fan_rated_kw"
    assert spread.middle == pytest.approx(fit.values[name], rel=1e-5)
    assert spread.low < spread.middle < spread.high
    assert "fan_power" in fit.report()


def test_a_log_is_read_by_column_names(tmp_path: Path) -> None:
    log, path = _log(3), tmp_path / "log.csv"
    names = [s.name for s in signal_specs(4)] + [s.name for s in setpoint_specs(4)]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names[::-1])
        writer.writerows(np.concatenate([log.signals, log.setpoints], axis=1)[:, ::-1].tolist())
    assert np.array_equal(read_log(path, 4).signals, log.signals)
    with pytest.raises(LogError, match="no column `inlet_z5_c`"):
        read_log(path, 5)


def test_too_short_a_log_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("inlet_z1_c\n")
    with pytest.raises(LogError, match="at least 576"):
        read_log(path, 4)
