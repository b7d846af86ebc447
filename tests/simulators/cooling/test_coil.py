"""Coils against the counterflow formula."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from simulators.cooling.physics.coil import LOW_FLOW, counterflow, part_load_slope, transfer_units
from tests.simulators.cooling.conftest import bench

NTU, RATIO, AIR_SHARE = 1.4, 0.48, 0.7


def _counterflow(air_frac: float, water_frac: float) -> float:
    """Air-side effectiveness with both resistances following their own flow to the power 0.8."""
    resistance = AIR_SHARE / air_frac**0.8 + (1.0 - AIR_SHARE) / water_frac**0.8
    units, ratio = NTU / (resistance * air_frac), RATIO * air_frac / water_frac
    decay = math.exp(-units * (1.0 - ratio))
    return units / (1.0 + units) if abs(ratio - 1.0) < 1e-9 else (1.0 - decay) / (1.0 - ratio * decay)


def _coil(air_frac: float, water_frac: float) -> tuple[float, float]:
    """Effectiveness, and air over water capacity ratio."""
    units, ratio = (
        transfer_units(NTU, AIR_SHARE, air_frac, air_frac**0.2, water_frac**-0.8),
        RATIO * air_frac / water_frac,
    )
    return counterflow(units, ratio), ratio


@pytest.mark.parametrize("water_frac", [0.35, 0.48, 1.0])
@pytest.mark.parametrize("air_frac", [0.3, 0.6, 1.0])
def test_effectiveness_follows_the_counterflow_formula(air_frac: float, water_frac: float) -> None:
    assert _coil(air_frac, water_frac)[0] == pytest.approx(_counterflow(air_frac, water_frac), rel=1e-7)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(air_frac=st.floats(0.4, 1.0), water_frac=st.floats(0.2, 1.0))
def test_part_load_water_flow_is_near_the_counterflow_solution(air_frac: float, water_frac: float) -> None:
    full, wanted = _coil(air_frac, 1.0), _counterflow(air_frac, water_frac)
    slope = part_load_slope(*full, *_coil(air_frac, LOW_FLOW))
    ratio = math.sqrt(full[1] ** 2 + slope * (wanted**-2 - full[0] ** -2))
    solved = brentq(lambda w: _counterflow(air_frac, w) - wanted, 0.05, 1.5)
    assert RATIO * air_frac / ratio == pytest.approx(solved, rel=0.15)


def test_the_valve_holds_the_supply_setpoint_until_it_is_open() -> None:
    held = bench(supply_air_c=20.0, chws_c=10.0).run(5.0)
    assert held["supply_c"][-1, 0] == pytest.approx(20.0, abs=1e-6)
    starved = bench(supply_air_c=16.0, chws_c=13.0, fan=1.0).run(240.0, it_kw=240.0)
    assert np.all(starved["supply_c"][-1] > 16.1)
    assert starved["water_frac"][-1, 0] == pytest.approx(1.0, abs=0.01)
