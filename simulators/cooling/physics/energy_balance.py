"""Energy held by the plant, and what a sub-step should have added to it: the first law, for tests and audits."""

import numpy as np

from simulators.cooling.physics.outputs import Outputs
from simulators.cooling.physics.params import Params
from simulators.cooling.physics.records import Floats
from simulators.cooling.physics.state import State


def stored_kj(state: State, params: Params, dt_s: float) -> tuple[Floats, Floats]:
    """Heat above 0 C [kJ] of halls with chilled water, and of the condenser water; `[n]` each."""
    p, s = params, state
    halls = np.sum(p["air_kj_per_k"] * s["hot_c"] + p["rack_kj_per_k"] * s["rack_c"], axis=-1)
    mains = p["chw_supply_kj_per_k"] * s["chws_c"] + p["chw_return_kj_per_k"] * s["chwr_c"]
    pipe = np.sum(s.in_transit_kw, axis=-1) * dt_s
    return halls + mains + pipe, p["basin_kj_per_k"] * s["cws_c"]


def net_heat_kw(outputs: Outputs) -> tuple[Floats, Floats]:
    """Heat entering less heat leaving [kW] of the same two parts during a sub-step; `[n]` each."""
    o = outputs
    zones = np.sum(o["it_kw"] + o["fan_kw"] + o["envelope_kw"] - o["outdoor_air_kw"], axis=-1)
    inside = zones + o["chw_pump_kw"] - o["chiller_load_kw"] - o["economiser_kw"]
    condenser = o["chiller_load_kw"] + o["economiser_kw"] + o["chiller_kw"] + o["cw_pump_kw"] - o["rejected_kw"]
    return inside, condenser
