"""Electric chillers by energy-input-ratio curves (DOE-2, EnergyPlus Chiller:Electric:EIR).

PLR = load / capacity; power = capacity x EIRFT / COP x EIRFPLR(max(PLR, floor)) x cycling, where capacity is
reference x CAPFT and cycling = PLR / floor below the least part load (the machine runs part of the time).
"""

from simulators.cooling.physics.arrays import Array


def in_entering_c(coefficients: tuple[float, ...], leaving_c: Array) -> tuple[Array, Array, Array]:
    """A biquadratic c1 + c2 x + c3 x^2 + c4 y + c5 y^2 + c6 x y at fixed x, as its three coefficients in y."""
    c1, c2, c3, c4, c5, c6 = coefficients
    return c1 + leaving_c * (c2 + c3 * leaving_c), c4 + c6 * leaving_c, c5 + 0.0 * leaving_c
