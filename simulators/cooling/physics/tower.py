"""Cooling tower after York International's correlation, as in EnergyPlus CoolingTower:VariableSpeed (YorkCalc).

Approach = sum of C[w + 3 r + 9 l] Twb^w Tr^r LG^l with wet bulb Twb [C], range Tr [K] and LG the water over air flow
ratio, both relative to design. For a known wet bulb it is a quadratic in LG whose coefficients are quadratics in Tr, so
both the approach and the fan speed that gives a wanted approach have closed forms.
"""

from simulators.cooling.physics.arrays import Array
from simulators.cooling.physics.constants import Ready
from simulators.cooling.physics.curves import TOWER_FAN_POWER
from simulators.cooling.physics.params import WATER_KJ_PER_KG_K


def in_range_and_ratio(wet_bulb_c: Array, ready: Ready) -> Array:
    """Coefficients `[..., l, r]` at this wet bulb `[..., 1]`, clamped to the range of the correlation."""
    w0, w1, w2 = ready.york
    wet_bulb = ready.xp.minimum(ready.xp.maximum(wet_bulb_c, ready.wet_bulb_low), ready.wet_bulb_high)
    flat = w0 + wet_bulb * (w1 + wet_bulb * w2)
    return ready.xp.reshape(flat, (*flat.shape[:-1], 3, 3))


def at_ratio(coefficients: Array, ratio: Array) -> tuple[Array, Array, Array]:
    """Coefficients in Tr, each `[..., 1]`, at this water over air ratio `[..., 1]`."""
    in_range = coefficients[..., 0, :] + ratio * (coefficients[..., 1, :] + ratio * coefficients[..., 2, :])
    return in_range[..., 0:1], in_range[..., 1:2], in_range[..., 2:3]


def fan_for(approach_k: Array, range_k: Array, water_frac: Array, coefficients: Array, ready: Ready) -> Array:
    """Air flow share that gives this approach; above 1 where no fan can, next to 0 where none is needed.

    Solves A0 + A1 LG + A2 LG^2 = approach by the form of the quadratic formula that survives A2 = 0.
    """
    xp = ready.xp
    a0, a1, a2 = (
        coefficients[..., row, 0:1] + range_k * (coefficients[..., row, 1:2] + range_k * coefficients[..., row, 2:3])
        for row in range(3)
    )
    above = xp.maximum(approach_k - a0, ready.small_approach)
    root = xp.sqrt(xp.maximum(a1 * a1 + 4.0 * a2 * above, ready.zero))
    return water_frac * (a1 + root) / (2.0 * above)


def fan_power_frac(fan_frac: Array, ready: Ready) -> Array:
    """Share of rated power for a share of rated air flow: the published cubic, never below zero."""
    c0, c1, c2, c3 = TOWER_FAN_POWER
    return ready.xp.maximum(c0 + fan_frac * (c1 + fan_frac * (c2 + fan_frac * c3)), ready.zero)


EVAPORATION_KJ_PER_KG = 2450.0


def makeup_kg_s(rejected_kw: Array, flow_kw_per_k: Array, ready: Ready) -> Array:
    """Water that replaces what evaporates (heat / 2.45 MJ/kg), drifts or is blown down (evaporation / (cycles - 1))."""
    p = ready.params
    evaporated = rejected_kw * (1.0 / EVAPORATION_KJ_PER_KG)
    drift = flow_kw_per_k * (p.tower_drift_frac / WATER_KJ_PER_KG_K)
    return evaporated * (1.0 + 1.0 / (p.tower_concentration - 1.0)) + drift
