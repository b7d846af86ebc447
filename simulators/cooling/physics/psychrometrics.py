"""Moist air: the few relations the plant needs, after the ASHRAE Handbook of Fundamentals 2017, chapter 1."""

from simulators.cooling.physics.arrays import Array, array_namespace

STANDARD_PRESSURE_PA = 101_325.0
MOLAR_MASS_RATIO = 0.621945


def saturation_pressure(temperature_c: Array) -> Array:
    """Pressure of saturated water vapour [Pa] over ice below 0 C, over water above (equations 5, 6; -100..200 C)."""
    xp = array_namespace(temperature_c)
    kelvin = temperature_c + 273.15
    log_k = xp.log(kelvin)
    over_ice = (
        -5.6745359e3 / kelvin + 6.3925247 - 9.677843e-3 * kelvin + 6.2215701e-7 * kelvin**2
        + 2.0747825e-9 * kelvin**3 - 9.484024e-13 * kelvin**4 + 4.1635019 * log_k
    )  # fmt: skip
    return xp.where(temperature_c < 0.0, xp.exp(over_ice), xp.exp(_log_pressure_over_water(kelvin, log_k)))


def saturation_pressure_over_water(temperature_c: Array) -> Array:
    """Pressure of saturated water vapour [Pa] over liquid water (equation 6, 0..200 C)."""
    xp = array_namespace(temperature_c)
    kelvin = temperature_c + 273.15
    return xp.exp(_log_pressure_over_water(kelvin, xp.log(kelvin)))


def _log_pressure_over_water(kelvin: Array, log_k: Array) -> Array:
    polynomial = 1.3914993 + kelvin * (-4.8640239e-2 + kelvin * (4.1764768e-5 - 1.4452093e-8 * kelvin))
    return -5.8002206e3 / kelvin + polynomial + 6.5459673 * log_k


def humidity_ratio(vapour_pa: Array, pressure_pa: Array) -> Array:
    """Mass of vapour per mass of dry air [kg/kg] (equation 20)."""
    return MOLAR_MASS_RATIO * vapour_pa / (pressure_pa - vapour_pa)


def vapour_pressure(ratio: Array, pressure_pa: Array) -> Array:
    """Partial pressure of the vapour [Pa] in air of this humidity ratio [kg/kg] (equation 20, inverted)."""
    return pressure_pa * ratio / (MOLAR_MASS_RATIO + ratio)


def dew_point(vapour_pa: Array) -> Array:
    """Dew point [C] of air with this vapour pressure [Pa] (equations 37 and 38, -60..93 C, within 0.2 K)."""
    xp = array_namespace(vapour_pa)
    vapour_kpa = vapour_pa / 1000.0
    a = xp.log(vapour_kpa)
    above = 6.54 + a * (14.526 + a * (0.7389 + a * 0.09486)) + 0.4569 * vapour_kpa**0.1984
    below = 6.09 + a * (12.608 + a * 0.4959)
    return xp.where(above >= 0.0, above, below)


def wet_bulb(dry_bulb_c: Array, dew_point_c: Array, pressure_pa: Array) -> Array:
    """Wet-bulb temperature [C] by bisection on the energy balance of the wick (equations 33 and 35), to 1e-6 K."""
    xp = array_namespace(dry_bulb_c)
    ratio = humidity_ratio(saturation_pressure(dew_point_c), pressure_pa)
    low, high = dew_point_c + 0.0, dry_bulb_c + 0.0
    for _ in range(28):
        middle = 0.5 * (low + high)
        too_warm = _ratio_from_wet_bulb(dry_bulb_c, middle, pressure_pa) > ratio
        low, high = xp.where(too_warm, low, middle), xp.where(too_warm, middle, high)
    return 0.5 * (low + high)


def _ratio_from_wet_bulb(dry_bulb_c: Array, wet_bulb_c: Array, pressure_pa: Array) -> Array:
    xp = array_namespace(dry_bulb_c)
    saturated = humidity_ratio(saturation_pressure(wet_bulb_c), pressure_pa)
    depression = dry_bulb_c - wet_bulb_c
    wet = ((2501.0 - 2.326 * wet_bulb_c) * saturated - 1.006 * depression) / (
        2501.0 + 1.86 * dry_bulb_c - 4.186 * wet_bulb_c
    )
    icy = ((2830.0 - 0.24 * wet_bulb_c) * saturated - 1.006 * depression) / (
        2830.0 + 1.86 * dry_bulb_c - 2.1 * wet_bulb_c
    )
    return xp.where(wet_bulb_c >= 0.0, wet, icy)
