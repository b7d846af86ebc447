"""Moist air agrees with PsychroLib, the published implementation of the ASHRAE handbook."""

import sys
from importlib import import_module
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.cooling.physics import psychrometrics as air

with patch.dict(sys.modules, {"numba": None}):  # else PsychroLib compiles all of itself, for half a minute
    psychrolib = import_module("psychrolib")

PRESSURES = st.floats(80_000.0, 103_000.0)


@pytest.fixture(scope="module", autouse=True)
def _si_units() -> None:
    psychrolib.SetUnitSystem(psychrolib.SI)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(temperature_c=st.floats(-40.0, 60.0))
def test_saturation_pressure(temperature_c: float) -> None:
    expected = psychrolib.GetSatVapPres(temperature_c)
    assert air.saturation_pressure(temperature_c) == pytest.approx(expected, rel=2e-4)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(dry_c=st.floats(-20.0, 45.0), relative=st.floats(0.05, 1.0), pressure=PRESSURES)
def test_wet_bulb_and_humidity_ratio(dry_c: float, relative: float, pressure: float) -> None:
    dew = psychrolib.GetTDewPointFromRelHum(dry_c, relative)
    found, ratio = (float(each) for each in air.outdoor_air(np.array(dry_c), np.array(dew), pressure))
    assert found == pytest.approx(psychrolib.GetTWetBulbFromTDewPoint(dry_c, dew, pressure), abs=0.02)
    assert ratio == pytest.approx(psychrolib.GetHumRatioFromTDewPoint(dew, pressure), rel=1e-3)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(dew_c=st.floats(-25.0, 30.0))
def test_dew_point_is_within_the_tolerance_of_its_fit(dew_c: float) -> None:
    assert air.dew_point(psychrolib.GetSatVapPres(dew_c)) == pytest.approx(dew_c, abs=0.25)


def test_vapour_pressure_undoes_humidity_ratio() -> None:
    assert air.vapour_pressure(air.humidity_ratio(1500.0, 101_325.0), 101_325.0) == pytest.approx(1500.0)
