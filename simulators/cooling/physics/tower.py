"""Condenser water of one plant: cooling tower after York International's correlation, basin, fans and make-up water.

Approach = sum of C[l, r, w] Twb^w Tr^r LG^l with wet bulb Twb [C], range Tr [K] and LG the water over air flow ratio,
both relative to design (EnergyPlus CoolingTower:VariableSpeed, YorkCalc). At known wet bulb and range it is a quadratic
in LG, so both the approach and the fan speed that gives a wanted approach have closed forms.
"""

from math import sqrt
from typing import NamedTuple

from simulators.cooling.physics.chiller import quadratic
from simulators.cooling.physics.compiled import scalar
from simulators.cooling.physics.curves import TOWER_FAN_POWER, YORKCALC
from simulators.cooling.physics.params import PlantParams
from simulators.cooling.physics.water_loop import WATER_KJ_PER_KG_K

WET_BULB_LOW_C, WET_BULB_HIGH_C = -34.4, 26.67
"""Range of the correlation in wet bulb; the plant's is clamped to it. [C] (EnergyPlus, YorkCalc)"""
RANGE_LOW_K, RANGE_HIGH_K = 1.11, 22.2
"""Range of the correlation in the water's range; the plant's is clamped to it. [K] (EnergyPlus, YorkCalc)"""
LARGEST_RATIO = 8.0
"""Water over air flow ratio up to which the correlation holds. [1] (EnergyPlus, YorkCalc)"""
FREE_CONVECTION = 0.125
"""Share of the rated air flow that the tower draws with its fans still. [1] (EnergyPlus default)"""
LEAST_APPROACH_K = 0.1
"""Water never comes closer to the wet bulb. [K] Engineering assumption of this project."""
SMALLEST_APPROACH_K = 1e-3
"""Approach above the correlation's end for which a fan speed is still worked out. [K] Keeps divisions finite."""
EVAPORATION_KJ_PER_KG = 2450.0
"""Heat of evaporation of water. [kJ/kg] Textbook, at 20 C."""


class BasinStep(NamedTuple):
    """The basin at the end of a sub-step, and what flowed on the way."""

    cws_c: float
    """Basin, end of the sub-step. [C]"""
    mid_c: float
    """Basin, middle of the sub-step. [C]"""
    leaving_c: float
    """Water leaving the tower. [C]"""


class ApproachTerms(NamedTuple):
    """Approach [K] = a0 + a1 LG + a2 LG^2."""

    a0: float
    a1: float
    a2: float


@scalar
def approach_terms(wet_bulb_c: float, rise_k: float) -> ApproachTerms:
    """The approach at this wet bulb and rise of the water, both clamped to the correlation's range."""
    range_k = min(max(rise_k, RANGE_LOW_K), RANGE_HIGH_K)
    w = min(max(wet_bulb_c, WET_BULB_LOW_C), WET_BULB_HIGH_C)
    return ApproachTerms(_term(0, range_k, w), _term(1, range_k, w), _term(2, range_k, w))


@scalar
def _term(power: int, range_k: float, w: float) -> float:
    """The coefficient of LG^power: a quadratic in the range, whose coefficients are quadratics in the wet bulb."""
    c = YORKCALC
    return quadratic(
        range_k,
        quadratic(w, c[power, 0, 0], c[power, 0, 1], c[power, 0, 2]),
        quadratic(w, c[power, 1, 0], c[power, 1, 1], c[power, 1, 2]),
        quadratic(w, c[power, 2, 0], c[power, 2, 1], c[power, 2, 2]),
    )


@scalar
def basin_step(
    p: PlantParams, terms: ApproachTerms, cws_c: float, rise_k: float, flow_kw_per_k: float, water_frac: float,
    setpoint_c: float, wet_bulb_c: float, available: float, dt_s: float,
) -> BasinStep:  # fmt: skip
    """Tower basin after `dt_s`, by the implicit midpoint rule.

    The fans, and below their least speed a bypass, hold the setpoint where full fan speed allows it. Water comes
    `rise_k` warmer than it went, at `flow_kw_per_k` [kW/K], which is `water_frac` of the rated flow; `available` is
    the available share of the air flow.
    """
    ratio = min(water_frac / max(available, FREE_CONVECTION), LARGEST_RATIO)
    coldest = wet_bulb_c + max(quadratic(ratio, terms.a0, terms.a1, terms.a2), LEAST_APPROACH_K)
    leaving = min(max(coldest, setpoint_c), cws_c + rise_k)
    half = 2.0 * p.basin_kj_per_k / dt_s
    middle = (half * cws_c + flow_kw_per_k * leaving) / (half + flow_kw_per_k)
    return BasinStep(2.0 * middle - cws_c, middle, leaving)


@scalar
def fan_for(terms: ApproachTerms, approach_k: float, water_frac: float) -> float:
    """Air flow share that gives this approach; above 1 where no fan can, next to 0 where none is needed.

    Solves a0 + a1 LG + a2 LG^2 = approach by the form of the quadratic formula that survives a2 = 0.
    """
    above_k = max(approach_k - terms.a0, SMALLEST_APPROACH_K)
    root = sqrt(max(terms.a1 * terms.a1 + 4.0 * terms.a2 * above_k, 0.0))
    return water_frac * (terms.a1 + root) / (2.0 * above_k)


@scalar
def fan_power_frac(fan_frac: float) -> float:
    """Share of rated power for a share of rated air flow: the published cubic, never below zero."""
    c = TOWER_FAN_POWER
    return max(c[0] + fan_frac * (c[1] + fan_frac * (c[2] + fan_frac * c[3])), 0.0)


@scalar
def makeup_kg_s(p: PlantParams, rejected_kw: float, flow_kw_per_k: float) -> float:
    """Water that replaces what evaporates (heat / 2.45 MJ/kg), drifts or is blown down (evaporation / (cycles - 1))."""
    evaporated = rejected_kw / EVAPORATION_KJ_PER_KG
    drift = flow_kw_per_k * p.tower_drift_frac / WATER_KJ_PER_KG_K
    return evaporated * (1.0 + 1.0 / (p.tower_concentration - 1.0)) + drift
