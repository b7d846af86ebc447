"""Electric chillers by energy-input-ratio curves (DOE-2, EnergyPlus Chiller:Electric:EIR).

PLR = load / capacity; power = capacity x EIRFT / COP x EIRFPLR(max(PLR, floor)) x cycling, where capacity is
reference x CAPFT and cycling = PLR / floor below the least part load (the machine runs part of the time).
"""

from collections.abc import Sequence

from simulators.cooling.physics.compiled import scalar
from simulators.cooling.physics.params import PlantParams

BEYOND_RANGE_PER_K = 0.03
"""Extra chiller input for each kelvin of condenser water above the published curve. [1/K] Without it, heat beyond the
end of the curve would be free. About the slope of the Carnot input ratio at that lift, rounded down."""
STOPPED = 1e-6
"""Chillers at load, instead of none. [1] Keeps divisions finite."""


@scalar
def quadratic(x: float, c1: float, c2: float, c3: float) -> float:
    """c1 + c2 x + c3 x^2."""
    return c1 + x * (c2 + x * c3)


@scalar
def biquadratic(c: Sequence[float], leaving_c: float, entering_c: float) -> float:
    """c1 + c2 x + c3 x^2 + c4 y + c5 y^2 + c6 x y, x leaving chilled water [C], y entering condenser water [C]."""
    x, y = leaving_c, entering_c
    return quadratic(x, c[0], c[1], c[2]) + y * (c[3] + c[5] * x + y * c[4])


@scalar
def capacity_kw(p: PlantParams, leaving_c: float, entering_c: float, at_load: float) -> float:
    """The most that chillers of which `at_load` [1] are at load take out of the chilled water. [kW]"""
    one_kw = p.chiller_scale * p.reference_kw * biquadratic(p.capacity, leaving_c, entering_c)
    return one_kw * max(at_load, STOPPED)


@scalar
def power_per_load(p: PlantParams, leaving_c: float, entering_c: float, beyond_k: float, part_load: float) -> float:
    """Power over load [1] at a part-load ratio [1], with condenser water `beyond_k` above the end of the curve."""
    full_load = biquadratic(p.input_ratio, leaving_c, entering_c) / p.reference_cop
    running = max(part_load, p.part_load_low)
    share = quadratic(running, p.part_load[0], p.part_load[1], p.part_load[2]) / running
    return full_load * (1.0 + BEYOND_RANGE_PER_K * beyond_k) * share
