"""The tower follows York's correlation, and its fan control is that correlation solved for air flow."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.cooling.physics import tower
from simulators.cooling.physics.chiller import quadratic
from tests.simulators.cooling.conftest import bench


def _approach(wet_bulb_c: float, range_k: float, ratio: float) -> float:
    return quadratic(ratio, *tower.approach_terms(wet_bulb_c, range_k))


def test_approach_at_the_design_point() -> None:
    assert _approach(25.556, 5.556, 1.0) == pytest.approx(3.841, abs=0.001)
    assert _approach(25.556, 5.556, 1.0) == pytest.approx(3.889, abs=0.06)  # the design value York states


@pytest.mark.parametrize(("fan_frac", "approach_k"), [(0.4, 13.7), (0.6, 9.0), (0.8, 6.6), (1.0, 5.1)])
def test_approach_over_fan_speed_at_20_degrees(fan_frac: float, approach_k: float) -> None:
    assert _approach(20.0, 5.556, 1.0 / fan_frac) == pytest.approx(approach_k, abs=0.1)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(wet_bulb_c=st.floats(0.0, 26.0), range_k=st.floats(1.2, 8.0), fan_frac=st.floats(0.2, 1.0))
def test_fan_control_undoes_the_correlation(wet_bulb_c: float, range_k: float, fan_frac: float) -> None:
    approach_k = _approach(wet_bulb_c, range_k, 1.0 / fan_frac)
    terms = tower.approach_terms(wet_bulb_c, range_k)
    assert tower.fan_for(terms, approach_k, 1.0) == pytest.approx(fan_frac, rel=1e-6)


def test_fan_power_is_nearly_the_cube_of_air_flow() -> None:
    for speed in (0.3, 0.5, 0.8, 1.0):
        assert tower.fan_power_frac(speed) == pytest.approx(speed**3, abs=0.02)
    assert tower.fan_power_frac(0.05) == 0.0


def test_tower_holds_its_setpoint_with_more_fan_for_colder() -> None:
    warm, cold = bench(tower_c=24.0).run(5.0), bench(tower_c=21.0).run(5.0)
    assert warm["cws_c"][-1, 0] == pytest.approx(24.0, abs=0.01)
    assert cold["cws_c"][-1, 0] == pytest.approx(21.0, abs=0.01)
    assert cold["tower_kw"][-1, 0] > warm["tower_kw"][-1, 0] > 0.0


def test_no_tower_cools_below_the_wet_bulb() -> None:
    outputs = bench(tower_c=13.0).run(240.0, wet_bulb_c=24.0, dry_bulb_c=30.0)
    assert outputs["cws_c"][-1, 0] > 24.0
    assert outputs["tower_fan_frac"][-1, 0] == 1.0
