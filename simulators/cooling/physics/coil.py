"""Cooling coils: the most they can do, and the water they take to do less.

Part load: between full and low water flow, the air over water capacity ratio R at which the coil has effectiveness eps
follows R^2 = R_full^2 + s (1 / eps^2 - 1 / eps_full^2). It meets the counterflow formula, with resistances that depend
on flow, at both ends (full flow and `LOW_FLOW`), and stands in for solving it for the water flow, which has no closed
form: within 15 % of it from a fifth of nominal water flow up, as a test shows.
"""

from simulators.cooling.physics.arrays import Array, Namespace

LOW_FLOW = 0.35
"""Share of nominal water flow of the lower end."""


def effectiveness(
    air_frac: Array, water_frac: Array | float, ntu: Array, ratio: Array, air_share: Array, xp: Namespace
) -> tuple[Array, Array]:
    """Air-side effectiveness [1] of a counterflow coil, and its air over water capacity ratio [1].

    eps = (1 - exp(-NTU (1 - R))) / (1 - R exp(-NTU (1 - R))), NTU and R on the air side (textbook). Each side's
    resistance falls with its flow to the power 0.8: NTU = NTU_n / (a f^0.2 + (1 - a) f / w^0.8).

    Args:
        air_frac: air flow f over nominal, > 0. [1]
        water_frac: water flow w over nominal, > 0. [1]
        ntu: number of transfer units at nominal flows. [1]
        ratio: air over water heat capacity rate at nominal flows. [1]
        air_share: share a of the resistance that is on the air side. [1]
        xp: array functions.
    """
    units = ntu / (air_share * air_frac**0.2 + (1.0 - air_share) * (water_frac**-0.8 * air_frac))
    capacity_ratio = ratio * air_frac / water_frac
    unlike = 1.0 - capacity_ratio
    unlike = xp.where(xp.abs(unlike) < 1e-9, 1e-9 + 0.0 * unlike, unlike)  # the limit at R = 1, NTU / (1 + NTU)
    grown = -xp.expm1(-units * unlike)
    return grown / (unlike + capacity_ratio * grown), capacity_ratio


def part_load_slope(full: tuple[Array, Array], low: tuple[Array, Array]) -> Array:
    """The s of the part-load curve, from (effectiveness, capacity ratio) at full and at low water flow."""
    (eps_full, ratio_full), (eps_low, ratio_low) = full, low
    gained = 1.0 / (eps_low * eps_low) - 1.0 / (eps_full * eps_full)
    return (ratio_low * ratio_low - ratio_full * ratio_full) / gained
