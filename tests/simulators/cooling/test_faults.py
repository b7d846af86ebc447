"""Faults do to the plant, or to what is read of it, what their names say."""

import numpy as np
import pytest

from simulators.cooling.episode import Episodes
from simulators.cooling.simulation import start_setpoints
from simulators.cooling.world.faults import Fault, sensor_faults, with_plant_faults
from simulators.cooling.world.scenario import Scenario, scenario
from simulators.cooling.world.sensors_actuators import Actuators, Sensors
from simulators.cooling.world.signals import signal_specs
from tests.simulators.cooling.conftest import weather_and_load

NAMES = tuple(spec.name for spec in signal_specs(4))


def _run(world: Scenario, steps: int, lanes: int = 1, command: np.ndarray | None = None) -> list[np.ndarray]:
    episodes = Episodes(world, 0, lanes, 10_000)
    episodes.reset(0, start=np.full(lanes, 30_000))
    command = start_setpoints(4, lanes) if command is None else command
    return [episodes.step(command) for _ in range(steps)]


def _world(*faults: Fault, **changes: object) -> Scenario:
    return scenario("greensboro-year", faults=faults, **changes)


def test_load_step_of_a_plant_arrives_within_one_sub_step() -> None:
    row = with_plant_faults(
        weather_and_load(10), (Fault("load_step", 60.0, 120.0, 300.0),), np.arange(10) * 30.0 + 15.0
    )
    assert row["it_kw"][:, 0].sum(axis=1).tolist() == [
        660.0,
        660.0,
        960.0,
        960.0,
        960.0,
        960.0,
        660.0,
        660.0,
        660.0,
        660.0,
    ]


def test_a_lost_fan_takes_its_zone_alone() -> None:
    row = with_plant_faults(weather_and_load(1), (Fault("fan_lost", 0.0, 60.0, 0.5, zone=2),), np.array([15.0]))
    assert row["fan_available"][0, 0].tolist() == [1.0, 0.5, 1.0, 1.0]


def test_tripped_chiller_is_off_and_shown_in_the_readback() -> None:
    steps = _run(_world(Fault("chiller_trip", 300.0, 600.0, 2.0)), 4)
    assert [step.readback[0, -1] for step in steps] == [1.0, 0.0, 0.0, 1.0]
    assert steps[2].parts_kwh[0, 2] == pytest.approx(0.0, abs=0.01)


def test_a_stuck_valve_starves_its_zone() -> None:
    steps = _run(_world(Fault("valve_stuck", 0.0, 1e6, 0.8, zone=1)), 12)
    inlets = steps[-1].inlet_max_c[0]
    assert inlets[0] > inlets[1:].max() + 1.0


def test_stuck_sensor_keeps_its_reading_while_the_plant_moves() -> None:
    name = "outdoor_dry_bulb_c"
    column = NAMES.index(name)
    broken, sound = _run(_world(Fault("sensor_stuck", 600.0, 1e6, signal=name)), 8), _run(_world(), 8)
    assert len({step.signals[0, column] for step in broken[2:]}) == 1
    assert len({step.signals[0, column] for step in sound[2:]}) > 1
    assert broken[-1].cooling_kwh == sound[-1].cooling_kwh


def test_sensors_drift_vanish_and_change_units() -> None:
    kinds = ("sensor_drift", "sensor_lost", "sensor_fahrenheit")
    faults = tuple(Fault(kind, 0.0, 1e6, 2.0, signal=NAMES[i]) for i, kind in enumerate(kinds))
    read, _ = sensor_faults(faults, NAMES, 1).read(np.full((1, len(NAMES)), 20.0), 1800.0)
    assert read[0, 0] == 21.0
    assert np.isnan(read[0, 1])
    assert read[0, 2] == 68.0


def test_plant_keeps_its_command_until_expiry_during_network_loss() -> None:
    world = _world(Fault("network_gap", 300.0, 3000.0), actuators=Actuators(rates=(), expires_steps=3))
    command = start_setpoints(4, 1)
    command[0, 0] = 22.0
    steps = _run(world, 8, command=command)
    assert [step.setpoints[0, 0] for step in steps] == [22.0, 22.0, 22.0, 22.0, 20.0, 20.0, 20.0, 20.0]
    assert np.isnan(steps[2].signals).all()


def test_a_command_arrives_late_and_no_faster_than_its_rate() -> None:
    world = _world(actuators=Actuators(delay_steps=1, rates=(("C", 0.2),)))
    command = start_setpoints(4, 1)
    command[0, 0] = 23.0
    assert [step.setpoints[0, 0] for step in _run(world, 4, command=command)] == pytest.approx([20.0, 21.0, 22.0, 23.0])


def test_sensor_noise_is_per_lane_and_rounded_to_resolution() -> None:
    world = _world(sensors=Sensors())
    four, one = _run(world, 2, lanes=4), _run(world, 2, lanes=1)
    assert np.array_equal(four[-1].signals[:1], one[-1].signals)
    exact = _run(_world(), 2)[-1].signals
    error = one[-1].signals[0, :12] - exact[0, :12]
    assert 0.02 < np.abs(error).max() < 0.6
    assert one[-1].signals[0, 0] * 10 == pytest.approx(round(one[-1].signals[0, 0] * 10), abs=1e-6)


def test_an_unknown_fault_or_signal_is_one_clear_error() -> None:
    with pytest.raises(ValueError, match="unknown fault `flood`"):
        Fault("flood", 0.0, 1.0)
    with pytest.raises(ValueError, match="unknown signal `inlet_z9_c`"):
        sensor_faults((Fault("sensor_lost", 0.0, 1.0, signal="inlet_z9_c"),), NAMES, 1)
