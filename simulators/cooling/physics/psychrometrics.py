"""Moist air: the few relations the plant needs, after the ASHRAE Handbook of Fundamentals 2017, chapter 1."""

from math import exp, log

import numpy as np

from simulators.cooling.physics.compiled import compiled, scalar
from simulators.cooling.physics.params import PlantParams
from simulators.cooling.physics.records import Floats

STANDARD_PRESSURE_PA = 101_325.0
"""Standard atmosphere. [Pa] (ASHRAE, table 1)"""
MOLAR_MASS_RATIO = 0.621945
"""Molar mass of water over that of dry air. [1] (ASHRAE, equation 20)"""
FREEZING_K = 273.15
"""0 C. [K]"""
BISECTIONS = 28
"""Halvings of the interval between dew point and dry bulb: 1e-6 K from 270 K. [1]"""
COIL_SURFACE_ABOVE_WATER_K = 2.0
"""Coil surface on which room air condenses, above the chilled water. [K] Engineering assumption of this project."""
WARMEST_SURFACE_C = 40.0
"""Coil surface beyond which nothing condenses in any room. [C] Keeps the saturation curve in its range."""


@scalar
def saturation_pressure(temperature_c: float) -> float:
    """Pressure of saturated water vapour [Pa] over ice below 0 C, over water above (equations 5, 6; -100..200 C)."""
    if temperature_c >= 0.0:
        return saturation_pressure_over_water(temperature_c)
    t = temperature_c + FREEZING_K
    return exp(
        -5.6745359e3 / t + 6.3925247 - 9.677843e-3 * t + 6.2215701e-7 * t * t + 2.0747825e-9 * t * t * t
        - 9.484024e-13 * t * t * t * t + 4.1635019 * log(t)
    )  # fmt: skip


@scalar
def saturation_pressure_over_water(temperature_c: float) -> float:
    """Pressure of saturated water vapour [Pa] over liquid water (equation 6, 0..200 C)."""
    t = temperature_c + FREEZING_K
    polynomial = 1.3914993 + t * (-4.8640239e-2 + t * (4.1764768e-5 - 1.4452093e-8 * t))
    return exp(-5.8002206e3 / t + polynomial + 6.5459673 * log(t))


@scalar
def humidity_ratio(vapour_pa: float, pressure_pa: float) -> float:
    """Mass of vapour per mass of dry air [kg/kg] (equation 20)."""
    return MOLAR_MASS_RATIO * vapour_pa / (pressure_pa - vapour_pa)


@scalar
def vapour_pressure(ratio: float, pressure_pa: float) -> float:
    """Partial pressure of the vapour [Pa] in air of this humidity ratio [kg/kg] (equation 20, inverted)."""
    return pressure_pa * ratio / (MOLAR_MASS_RATIO + ratio)


@scalar
def dew_point(vapour_pa: float) -> float:
    """Dew point [C] of air with this vapour pressure [Pa] (equations 37 and 38, -60..93 C, within 0.2 K)."""
    vapour_kpa = vapour_pa / 1000.0
    a = log(vapour_kpa)
    above = 6.54 + a * (14.526 + a * (0.7389 + a * 0.09486)) + 0.4569 * vapour_kpa**0.1984
    return above if above >= 0.0 else 6.09 + a * (12.608 + a * 0.4959)


@scalar
def wet_bulb(dry_bulb_c: float, dew_point_c: float, pressure_pa: float) -> float:
    """Wet-bulb temperature [C] by bisection on the energy balance of the wick (equations 33 and 35), to 1e-6 K."""
    ratio = humidity_ratio(saturation_pressure(dew_point_c), pressure_pa)
    low, high = dew_point_c, dry_bulb_c
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        if ratio_from_wet_bulb(dry_bulb_c, middle, pressure_pa) > ratio:
            high = middle
        else:
            low = middle
    return 0.5 * (low + high)


@scalar
def ratio_from_wet_bulb(dry_bulb_c: float, wet_bulb_c: float, pressure_pa: float) -> float:
    """Humidity ratio [kg/kg] of air with this dry and wet bulb [C] (equations 33 and 35)."""
    saturated = humidity_ratio(saturation_pressure(wet_bulb_c), pressure_pa)
    depression_k = dry_bulb_c - wet_bulb_c
    if wet_bulb_c >= 0.0:
        return ((2501.0 - 2.326 * wet_bulb_c) * saturated - 1.006 * depression_k) / (
            2501.0 + 1.86 * dry_bulb_c - 4.186 * wet_bulb_c
        )
    return ((2830.0 - 0.24 * wet_bulb_c) * saturated - 1.006 * depression_k) / (
        2830.0 + 1.86 * dry_bulb_c - 2.1 * wet_bulb_c
    )


@scalar
def room_humidity(p: PlantParams, room_kg_kg: float, outdoor_kg_kg: float, chws_c: float, kept: float) -> float:
    """Humidity ratio of the room [kg/kg]: it follows the outdoors by air changes, up to saturation at the coils.

    A share `kept` [1] of the air has not been changed. The coils' surface is `COIL_SURFACE_ABOVE_WATER_K` warmer than the
    chilled water.
    """
    surface_c = min(chws_c + COIL_SURFACE_ABOVE_WATER_K, WARMEST_SURFACE_C)
    driest = humidity_ratio(saturation_pressure_over_water(surface_c), p.pressure_pa)
    goal = min(outdoor_kg_kg, driest)
    return goal + (room_kg_kg - goal) * kept


def outdoor_air(dry_bulb_c: Floats, dew_point_c: Floats, pressure_pa: Floats | float) -> tuple[Floats, Floats]:
    """Wet bulb [C] and humidity ratio [kg/kg] of outdoor air; the arguments broadcast, the results have their shape."""
    dry, dew, pressure = np.broadcast_arrays(dry_bulb_c, dew_point_c, pressure_pa)
    wet, ratio = np.empty(dry.size), np.empty(dry.size)
    flat = [np.array(each, dtype=np.float64).ravel() for each in (dry, dew, pressure)]
    fill_outdoor_air(flat[0], flat[1], flat[2], wet, ratio)
    return wet.reshape(dry.shape), ratio.reshape(dry.shape)


@compiled
def fill_outdoor_air(dry_bulb_c: Floats, dew_point_c: Floats, pressure_pa: Floats, wet: Floats, ratio: Floats) -> None:
    """`outdoor_air` on flat arrays: fills `wet` and `ratio`."""
    for i in range(dry_bulb_c.size):
        wet[i] = wet_bulb(dry_bulb_c[i], dew_point_c[i], pressure_pa[i])
        ratio[i] = humidity_ratio(saturation_pressure(dew_point_c[i]), pressure_pa[i])
