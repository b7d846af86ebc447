"""Cooling coil of one zone: the most it can do, and the water it takes to do less.

Part load: between full and low water flow, the air over water capacity ratio R at which the coil has effectiveness eps
follows R^2 = R_full^2 + s (1 / eps^2 - 1 / eps_full^2). It equals the counterflow formula, with resistances that
depend on flow, at both ends (full flow and `LOW_FLOW`). It replaces solving that formula for the water flow, which has
no closed form. A test shows it within 15 % of the formula from a fifth of nominal water flow up.
"""

from math import expm1, sqrt
from typing import NamedTuple

from simulators.cooling.physics.compiled import scalar
from simulators.cooling.physics.params import ZoneParams

LOW_FLOW = 0.35
"""Share of nominal water flow of the lower end of the part-load curve. [1]"""
LOW_FLOW_RESISTANCE = LOW_FLOW**-0.8
"""Resistance of the water side there, over that at nominal flow. [1] Textbook: flow to the power -0.8."""
LEAST_ABOVE_WATER_K = 0.5
"""Difference of entering air and water below which the coil is no longer followed. [K] Keeps divisions finite."""
LEAST_AVAILABLE = 0.02
"""Share of the effectiveness that a stuck valve leaves. [1] Keeps divisions finite."""
EQUAL_CAPACITY = 1e-9
"""Difference of the capacity ratio from one below which the formula takes its limit, NTU / (1 + NTU). [1]"""


class Coil(NamedTuple):
    """What a coil can do at the present air flow."""

    air_kw_per_k: float
    """Heat capacity rate of the air. [kW/K]"""
    effectiveness: float
    """With the valve open, or as far open as it goes. [1]"""
    ratio_full: float
    """Air over water capacity ratio at nominal water flow. [1]"""
    slope: float
    """The s of the part-load curve. [1]"""


@scalar
def counterflow(units: float, ratio: float) -> float:
    """Air-side effectiveness [1] of a counterflow coil: (1 - exp(-NTU (1 - R))) / (1 - R exp(-NTU (1 - R))) (textbook).

    Args:
        units: number of transfer units NTU on the air side. [1]
        ratio: air over water heat capacity rate R. [1]
    """
    unlike = 1.0 - ratio
    if abs(unlike) < EQUAL_CAPACITY:
        unlike = EQUAL_CAPACITY
    grown = -expm1(-units * unlike)
    return grown / (unlike + ratio * grown)


@scalar
def transfer_units(ntu: float, air_share: float, air_frac: float, air_power: float, water_resistance: float) -> float:
    """Number of transfer units on the air side [1] at an air flow f and a water flow w over nominal.

    Each side's resistance falls with its flow to the power 0.8: NTU = NTU_n / (a f^0.2 + (1 - a) f w^-0.8).

    Args:
        ntu: NTU_n, at nominal flows. [1]
        air_share: share a of the resistance that is on the air side. [1]
        air_frac: f, > 0. [1]
        air_power: f^0.2. [1]
        water_resistance: w^-0.8. [1]
    """
    return ntu / (air_share * air_power + (1.0 - air_share) * (water_resistance * air_frac))


@scalar
def part_load_slope(eps_full: float, ratio_full: float, eps_low: float, ratio_low: float) -> float:
    """The s of the part-load curve, from effectiveness and capacity ratio at full and at low water flow."""
    gained = 1.0 / (eps_low * eps_low) - 1.0 / (eps_full * eps_full)
    return (ratio_low * ratio_low - ratio_full * ratio_full) / gained


@scalar
def coil_at(zone: ZoneParams, air_kw_per_k: float, air_frac: float, available: float) -> Coil:
    """The coil of a zone at this air flow, with a share `available` of its effectiveness."""
    ntu, air_share, air_power = zone.coil_ntu, zone.coil_air_resistance_frac, air_frac**0.2
    ratio_full = zone.coil_capacity_ratio * air_frac
    ratio_low = ratio_full / LOW_FLOW
    eps_full = counterflow(transfer_units(ntu, air_share, air_frac, air_power, 1.0), ratio_full)
    eps_low = counterflow(transfer_units(ntu, air_share, air_frac, air_power, LOW_FLOW_RESISTANCE), ratio_low)
    slope = part_load_slope(eps_full, ratio_full, eps_low, ratio_low)
    return Coil(air_kw_per_k, eps_full * max(available, LEAST_AVAILABLE), ratio_full, slope)


@scalar
def supply_air(effectiveness: float, aim_c: float, entering_c: float, chws_c: float) -> float:
    """Air leaving the coil [C]: the setpoint, unless the valve is fully open or the entering air is colder."""
    coldest = entering_c - effectiveness * max(entering_c - chws_c, LEAST_ABOVE_WATER_K)
    return min(max(aim_c, coldest), entering_c)


@scalar
def water_for(coil: Coil, cooled_k: float, above_water_k: float) -> float:
    """Heat capacity rate of the water [kW/K] that cools the air by `cooled_k`, entering `above_water_k` warmer than it.

    From the part-load curve; the flow at full valve at most, and never less air cooling than `LEAST_ABOVE_WATER_K`.
    """
    wanted = max(cooled_k, LEAST_ABOVE_WATER_K) / above_water_k
    full = coil.ratio_full * coil.ratio_full
    unlike = 1.0 / (wanted * wanted) - 1.0 / (coil.effectiveness * coil.effectiveness)
    return coil.air_kw_per_k / sqrt(max(full + coil.slope * unlike, full))
