"""The reward of a training step in the cooling plant, without the prices of moves and refusals:

    reward = -E / E_usual - inlet_weight * mean over zones of (x + x^2),    x = max(inlet_max - inlet_soft_c, 0)

`E` is the cooling energy of the step [kWh], `E_usual` what ordinary cooling takes in one step, `inlet_max` the hottest
rack inlet of a zone within the step [C]. The square makes the second kelvin cost more than the first.
"""

import numpy as np
from numpy.typing import NDArray

from controller.learning.spec import Reward
from controller.learning.spec_types import Number
from simulators.cooling.episode import Measured
from simulators.cooling.world.scenario import Scenario

Floats = NDArray[np.float64]
COOLING_SHARE = 0.15
"""Cooling energy of ordinary operation as a share of IT energy at design load."""
STEPS_PER_HOUR = 12.0


class CoolingReward(Reward):
    """The table `[reward]`: inlets x above `inlet_soft_c` [C] cost `inlet_weight` times x + x^2 [K], averaged over zones."""

    inlet_soft_c: Number
    inlet_weight: Number


def usual_kwh(world: Scenario) -> float:
    """Energy that ordinary cooling takes in one control step. [kWh]"""
    return COOLING_SHARE * float(np.sum(world.params()["it_design_kw"])) / STEPS_PER_HOUR


def reward_of(measured: Measured, weights: CoolingReward, usual: float) -> Floats:
    """The reward [n] of one control step; `usual` is `usual_kwh` of the world. [kWh]"""
    above = np.maximum(measured.inlet_max_c - weights.inlet_soft_c, 0.0)
    hot = weights.inlet_weight * np.mean(above + above * above, axis=1)
    return np.asarray(-measured.cooling_kwh / usual - hot)
