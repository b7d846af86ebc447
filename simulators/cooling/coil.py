"""Cooling coils: the most they can do, and the water they take to do less.

Part load: the air over water capacity ratio R at which the coil has effectiveness eps follows
R^2 = R_full^2 + s^2 (1 / eps^2 - 1 / eps_full^2), which meets the full-valve point exactly. It stands in for solving
the counterflow formula with flow-dependent resistance for its water flow, which has no closed form; a test compares.
"""

import math

from simulators.cooling.arrays import Array, Namespace

PART_LOAD_SHAPE = 1.0 / math.sqrt(1.5)
LEAST_SHARE = 0.02


def full_valve_effectiveness(flow_frac: Array, ntu: Array, ratio: Array, air_share: Array, xp: Namespace) -> Array:
    """Air-side effectiveness [1] of a counterflow coil with its valve open.

    eps = (1 - exp(-NTU (1 - R))) / (1 - R exp(-NTU (1 - R))), NTU and R on the air side (textbook, R < 1).
    Resistances add, the air side falling with flow^0.8; at full water flow NTU = NTU_n / (a f^0.2 + (1 - a) f).

    Args:
        flow_frac: air flow over nominal, > 0. [1]
        ntu: number of transfer units at nominal flows. [1]
        ratio: air over water heat capacity rate at nominal flows, < 1. [1]
        air_share: share `a` of the resistance that is on the air side. [1]
    """
    units = ntu / (air_share * flow_frac**0.2 + (1.0 - air_share) * flow_frac)
    capacity_ratio = ratio * flow_frac
    decay = xp.exp(-units * (1.0 - capacity_ratio))
    return (1.0 - decay) / (1.0 - capacity_ratio * decay)
