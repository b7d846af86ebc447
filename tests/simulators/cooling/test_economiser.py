"""Outdoor air and tower water carry heat away when they are cold enough, and only then."""

import numpy as np
import pytest

from simulators.cooling.physics.params import default_params, with_values
from tests.simulators.cooling.conftest import bench

COLD = {"dry_bulb_c": 5.0, "wet_bulb_c": 3.0, "dew_point_c": 0.0}


def test_cold_tower_water_takes_load_off_the_chillers() -> None:
    with_it = bench(with_values(default_params(), water_economiser_frac=0.8), tower_c=13.0)
    without = bench(tower_c=13.0)
    free, paid = with_it.run(120.0, **COLD), without.run(120.0, **COLD)
    assert free["economiser_kw"][-1, 0] > 0.5 * paid["chiller_load_kw"][-1, 0]
    assert free["chiller_kw"][-1, 0] < 0.7 * paid["chiller_kw"][-1, 0]
    assert np.all(paid["economiser_kw"] == 0.0)


def test_tower_water_warmer_than_the_return_main_brings_nothing() -> None:
    made = bench(with_values(default_params(), water_economiser_frac=0.8), tower_c=28.0)
    assert np.all(made.run(60.0, wet_bulb_c=26.0, dry_bulb_c=33.0)["economiser_kw"] == 0.0)


@pytest.mark.parametrize(("dry_bulb_c", "dew_point_c"), [(24.0, 10.0), (20.0, 15.0)])
def test_warm_or_humid_outdoor_air_stays_outside(dry_bulb_c: float, dew_point_c: float) -> None:
    made = bench(with_values(default_params(), air_economiser_frac=1.0))
    assert np.all(made.run(30.0, dry_bulb_c=dry_bulb_c, dew_point_c=dew_point_c)["outdoor_air_kw"] == 0.0)


def test_cold_outdoor_air_replaces_the_coils_and_does_not_overcool() -> None:
    o = bench(with_values(default_params(), air_economiser_frac=1.0)).run(120.0, **COLD)
    assert np.all(o["coil_kw"][-1] < 2.0)
    assert np.all(o["outdoor_air_kw"][-1] > 150.0)
    assert o["supply_c"][-1, 0] == pytest.approx(20.0, abs=0.1)


def test_the_tower_uses_water_for_the_heat_it_rejects() -> None:
    o = bench().run(5.0)
    evaporated = o["rejected_kw"][-1, 0] / 2450.0
    drift = 0.0005 * 141.0 / 4.186
    assert o["makeup_kg_s"][-1, 0] == pytest.approx(evaporated * 4.0 / 3.0 + drift)
