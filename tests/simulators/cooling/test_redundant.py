"""Three sensors of each thing a vote decides on: independent, repeatable, and of no effect on the plant."""

import numpy as np

from simulators.cooling.world.redundant_sensors import COPIES, NOISE_C, Redundancy, sensor_specs, sensors_of, tripled
from simulators.cooling.world.signals import signal_specs

ZONES = 2
NAMES = [spec.name for spec in signal_specs(ZONES)]
TRUE = np.tile(np.linspace(10.0, 40.0, len(NAMES)), (3, 1))


def redundancy(lanes: tuple[int, ...] = (0, 1, 2), seed: int = 1) -> Redundancy:
    return Redundancy(seed, np.array(lanes), ZONES)


def test_sensors_are_named_after_what_they_measure() -> None:
    assert tripled(ZONES) == ("inlet_z1_c", "inlet_z2_c", "room_dew_point_c")
    assert sensors_of("inlet_z1_c") == ("inlet_z1_s1_c", "inlet_z1_s2_c", "inlet_z1_s3_c")
    assert [spec.name for spec in sensor_specs(ZONES)][:4] == [*sensors_of("inlet_z1_c"), "inlet_z2_s1_c"]


def test_each_sensor_has_noise_of_its_own() -> None:
    sensors = redundancy((0,))
    true = np.zeros((1, len(NAMES)))
    errors = np.concatenate([sensors.readings(true, at) for at in range(2000)])
    np.testing.assert_allclose(errors.std(axis=0), NOISE_C, rtol=0.06)
    apart = np.corrcoef(errors.T) - np.eye(errors.shape[1])
    assert np.max(np.abs(apart)) < 0.08


def test_a_reading_is_addressed_by_seed_lane_and_time_alone() -> None:
    whole, one = redundancy().readings(TRUE, 700), redundancy((2,)).readings(TRUE[:1], 700)
    np.testing.assert_array_equal(whole[2:], one)
    row = redundancy().readings(np.stack([TRUE] * 400), 301)
    np.testing.assert_array_equal(row[399], whole)
    assert not np.array_equal(redundancy(seed=2).readings(TRUE, 700), whole)


def test_first_redundant_sensor_is_shown_and_other_signals_are_unchanged() -> None:
    shown = redundancy().beside(TRUE, 5)
    plain = [NAMES.index(name) for name in tripled(ZONES)]
    np.testing.assert_array_equal(shown[:, plain], shown[:, len(NAMES) :: COPIES])
    others = np.delete(np.arange(len(NAMES)), plain)
    np.testing.assert_array_equal(shown[:, others], TRUE[:, others])


def test_voted_is_the_median_of_three() -> None:
    read = redundancy().readings(TRUE, 5).reshape(3, -1, COPIES)
    voted = redundancy().voted(TRUE, 5)[:, [NAMES.index(name) for name in tripled(ZONES)]]
    np.testing.assert_array_equal(voted, np.sort(read, axis=2)[:, :, 1])
