"""A run can be stepped, saved and resumed, and disturbed while it goes."""

import numpy as np
import pytest

from simulators.cooling.simulation import Simulation, start_setpoints
from simulators.cooling.world.faults import Fault
from simulators.cooling.world.scenario import scenario


def _simulation(lanes: int = 1) -> Simulation:
    return Simulation(scenario("greensboro-year"), seed=3, lanes=lanes, start_node=2000)


def _run(simulation: Simulation, sub_steps: int) -> np.ndarray:
    for _ in range(sub_steps):
        simulation.sub_step(start_setpoints(4, simulation.lanes))
    return simulation.observe()


def test_resumed_run_equals_an_uninterrupted_run_to_the_bit() -> None:
    first, second = _simulation(2), _simulation(2)
    first.inject(Fault("fan_lost", 600.0, 900.0, 0.5, zone=1))
    first.inject(Fault("sensor_stuck", 300.0, 1800.0, signal="inlet_z1_c"))
    before = _run(first, 47)
    second.restore(first.save())
    assert second.observe().tobytes() == before.tobytes()
    assert _run(second, 33).tobytes() == _run(first, 33).tobytes()
    assert second.elapsed_s == first.elapsed_s


def test_lane_equals_a_simulation_of_one_lane() -> None:
    assert np.array_equal(_run(_simulation(3), 25)[:1], _run(_simulation(1), 25))


def test_an_injected_fault_begins_at_its_time() -> None:
    simulation = _simulation()
    simulation.inject(Fault("fan_lost", simulation.elapsed_s + 60.0, 600.0, 1.0, zone=3))
    speeds = []
    for _ in range(4):
        _run(simulation, 1)
        speeds.append(simulation.readback()[0, 3])
    assert speeds == pytest.approx([0.8, 0.8, 0.0, 0.0])


def test_what_is_not_a_saved_run_is_one_clear_error() -> None:
    with pytest.raises(ValueError, match="not a saved simulation"):
        _simulation().restore(b"nonsense")
