"""Chillers reproduce the published curves, and nothing outside them is cheaper."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.cooling.physics.chiller import biquadratic
from simulators.cooling.physics.curves import CARRIER_19XR, CHILLERS, MCQUAY_WSC, ChillerCurves
from simulators.cooling.physics.params import default_params, with_values
from simulators.cooling.physics.plant import advance
from tests.simulators.cooling.conftest import bench, weather_and_load


def _at(coefficients: tuple[float, ...], leaving_c: float, entering_c: float) -> float:
    return biquadratic(coefficients, leaving_c, entering_c)


@pytest.mark.parametrize("curves", CHILLERS.values(), ids=CHILLERS)
def test_curves_are_one_at_reference_conditions(curves: ChillerCurves) -> None:
    at = curves.reference_leaving_c, curves.reference_entering_c
    assert _at(curves.capacity, *at) == pytest.approx(1.0, abs=0.025)
    assert _at(curves.input_ratio, *at) == pytest.approx(1.0, abs=0.025)
    assert sum(curves.part_load) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("leaving_c", "entering_c", "cop"), [(6.67, 21.1, 7.58), (10.0, 21.1, 8.72), (10.0, 15.0, 10.38)]
)
def test_the_variable_speed_chiller_has_its_published_half_load_cop(
    leaving_c: float, entering_c: float, cop: float
) -> None:
    c0, c1, c2 = CARRIER_19XR.part_load
    input_ratio = _at(CARRIER_19XR.input_ratio, leaving_c, entering_c) / CARRIER_19XR.reference_cop
    ratio = 0.5 / _at(CARRIER_19XR.capacity, leaving_c, entering_c)  # half of the reference capacity
    assert ratio / (input_ratio * (c0 + ratio * c1 + ratio**2 * c2)) == pytest.approx(cop, abs=0.02)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(leaving_c=st.floats(7.5, 13.0), entering_c=st.floats(13.0, 35.0), rise_k=st.floats(0.2, 5.0))
def test_warmer_condenser_water_never_makes_cooling_cheaper(leaving_c: float, entering_c: float, rise_k: float) -> None:
    assert _power(leaving_c, entering_c + rise_k) > _power(leaving_c, entering_c)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(leaving_c=st.floats(8.5, 12.5), entering_c=st.floats(14.0, 28.0))
def test_colder_chilled_water_never_makes_cooling_cheaper(leaving_c: float, entering_c: float) -> None:
    # Below 8.3 C the published curve itself turns round, by five parts in ten thousand for a quarter of a kelvin.
    assert _power(leaving_c, entering_c) > _power(leaving_c + 0.25, entering_c)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(leaving_c=st.floats(7.5, 12.75), entering_c=st.floats(14.0, 26.5))
def test_chiller_power_matches_the_published_part_load_curves(leaving_c: float, entering_c: float) -> None:
    kw, load_kw = _run(leaving_c, entering_c)
    capacity_kw = 816.0 * _SCALE * _at(MCQUAY_WSC.capacity, leaving_c, entering_c)
    c0, c1, c2 = MCQUAY_WSC.part_load
    ratio = load_kw / capacity_kw
    input_ratio = _at(MCQUAY_WSC.input_ratio, leaving_c, entering_c) / MCQUAY_WSC.reference_cop
    assert kw == pytest.approx(capacity_kw * input_ratio * (c0 + ratio * c1 + ratio**2 * c2), rel=1e-9)


_SCALE = float(default_params()["chiller_scale"][0])


def _power(leaving_c: float, entering_c: float) -> float:
    """Input per cooling at the load of the bench."""
    kw, load_kw = _run(leaving_c, entering_c)
    return kw / load_kw


def _run(leaving_c: float, entering_c: float) -> tuple[float, float]:
    """Input and cooling, as the plant works them out from a condenser main held at this temperature [kW]."""
    made = bench(settle_minutes=0.0, chws_c=leaving_c, tower_c=entering_c)
    _, outputs = advance(made.state.replaced(cws_c=entering_c), made.setpoints, weather_and_load(), made.params)
    return float(outputs["chiller_kw"][0, 0]), float(outputs["chiller_load_kw"][0, 0])


def test_leaving_water_outside_the_published_range_counts_as_its_end() -> None:
    assert _power(4.0, 22.0) == pytest.approx(_power(MCQUAY_WSC.leaving_range_c[0], 22.0), rel=1e-3)


def test_a_chiller_cannot_remove_more_than_its_capacity() -> None:
    small = bench(with_values(default_params(), chiller_scale=0.3), settle_minutes=30.0)
    outputs = small.run(30.0)
    assert outputs["chiller_load_kw"][-1, 0] < 0.3 * 816.0 * 1.4
    assert outputs["chws_c"][-1, 0] > outputs["chws_c"][0, 0] > 10.0


def test_below_minimum_part_load_a_chiller_cycles_at_constant_efficiency() -> None:
    made = bench()
    tiny = [made.run(600.0, it_kw=it_kw, dry_bulb_c=30.0) for it_kw in (6.0, 3.0)]
    ratio = [o["chiller_kw"][-1, 0] / o["chiller_load_kw"][-1, 0] for o in tiny]
    assert ratio[0] == pytest.approx(ratio[1], rel=0.01)
