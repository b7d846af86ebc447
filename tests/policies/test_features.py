"""What goes into the graph, and what comes out, is what the manifest says."""

from dataclasses import replace
from math import pi, sin

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.policies.features import DAY_US, FeatureBuilder, MissingInputError, calendar, targets
from safety.values import Quality, Signal
from tests.policies.graphs import OUTPUTS, manifest, observation

PERIOD_US = 300_000_000


def test_inputs_are_normalised_in_the_manifests_order() -> None:
    seen = replace(observation(DAY_US // 4), signals={"hall_c": Signal(30.0)}, applied={"supply_c": 18.0})
    np.testing.assert_allclose(FeatureBuilder(manifest(b"")).features(seen), [1.0, -0.5, 1.0], rtol=1e-6)


def test_readback_is_used_without_a_command_in_force() -> None:
    seen = replace(observation(0), applied=None, readback={"supply_c": 22.0})
    assert FeatureBuilder(manifest(b"")).features(seen)[1] == 0.5


@pytest.mark.parametrize(
    ("signal", "why"),
    [
        (Signal(25.0, Quality.BAD), "signal `hall_c` is bad"),
        (Signal(25.0, Quality.STALE), "signal `hall_c` is stale"),
        (Signal(float("nan")), "signal `hall_c` is nan"),
        (None, "signal `hall_c` is missing"),
    ],
)
def test_an_input_that_is_not_known_is_named(signal: Signal | None, why: str) -> None:
    seen = replace(observation(0), signals={} if signal is None else {"hall_c": signal})
    with pytest.raises(MissingInputError, match=why):
        FeatureBuilder(manifest(b"")).features(seen)


def test_no_command_and_no_readback_is_a_missing_input() -> None:
    with pytest.raises(MissingInputError, match="no command of setpoint `supply_c` is in force"):
        FeatureBuilder(manifest(b"")).features(replace(observation(0), applied=None))


def test_history_is_stacked_oldest_first_and_filled_with_the_oldest() -> None:
    builder = FeatureBuilder(manifest(b"", history=3))
    at = [replace(observation(i * PERIOD_US), signals={"hall_c": Signal(25.0 + 5 * i)}) for i in range(4)]
    np.testing.assert_array_equal(builder.features(at[0])[::3], [0, 0, 0])
    np.testing.assert_array_equal(builder.features(at[1])[::3], [0, 0, 1])
    builder.features(at[2])
    np.testing.assert_array_equal(builder.features(at[3])[::3], [1, 2, 3])


def test_a_gap_or_time_running_backwards_starts_history_afresh() -> None:
    builder = FeatureBuilder(manifest(b"", history=2))
    for i, (time_us, fresh) in enumerate(((0, True), (PERIOD_US, False), (9 * PERIOD_US, True), (0, True))):
        row = builder.features(replace(observation(time_us), signals={"hall_c": Signal(30.0 + i)}))
        assert (row[0] == row[3]) == fresh


def test_histories_of_two_subjects_do_not_mix() -> None:
    builder = FeatureBuilder(manifest(b"", history=2))
    for i in range(3):
        one = builder.features(replace(observation(i * PERIOD_US, subject="a"), signals={"hall_c": Signal(20.0)}))
        builder.features(replace(observation(i * PERIOD_US, subject="b"), signals={"hall_c": Signal(30.0)}))
    np.testing.assert_array_equal(one[::3], [-1, -1])


@given(taken_at=st.integers(0, 2**52))
def test_calendar_features_lie_on_the_unit_circle(taken_at: int) -> None:
    day_sin, day_cos, year_sin, year_cos = calendar(taken_at)
    assert day_sin**2 + day_cos**2 == pytest.approx(1)
    assert year_sin**2 + year_cos**2 == pytest.approx(1)


def test_calendar_repeats_by_the_day() -> None:
    assert calendar(DAY_US // 8)[0] == pytest.approx(sin(pi / 4))
    assert calendar(7 * DAY_US + 5)[:2] == pytest.approx(calendar(5)[:2])


@pytest.mark.parametrize(("y", "fans"), [(-1.0, 1.0), (-0.51, 1.0), (-0.5, 2.0), (0.49, 2.0), (0.5, 3.0), (1.0, 3.0)])
def test_outputs_are_scaled_and_discrete_ones_fall_between_thresholds(y: float, fans: float) -> None:
    assert targets(OUTPUTS, [0.25, y]) == {"supply_c": 21.0, "fans_on": fans}
