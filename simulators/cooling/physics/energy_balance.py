"""Energy held by the plant, and what a sub-step should have added to it: the first law, for tests and audits."""

from simulators.cooling.physics.arrays import Array
from simulators.cooling.physics.constants import Ready
from simulators.cooling.physics.outputs import Outputs
from simulators.cooling.physics.state import State


def stored_kj(state: State, ready: Ready) -> tuple[Array, Array]:
    """Heat above 0 C [kJ] of halls with chilled water, and of the condenser water; `[n, 1]` each."""
    p = ready.params
    halls = ready.total(p.air_kj_per_k * state.hot_c + p.rack_kj_per_k * state.rack_c)
    mains = p.chw_supply_kj_per_k * state.chws_c + p.chw_return_kj_per_k * state.chwr_c
    pipe = ready.total(state.in_transit_kw) * ready.dt_s
    return halls + mains + pipe, p.basin_kj_per_k * state.cws_c


def net_heat_kw(outputs: Outputs, ready: Ready) -> tuple[Array, Array]:
    """Heat entering less heat leaving [kW] of the same two parts during a sub-step; `[n, 1]` each."""
    o = outputs
    inside = (
        ready.total(o.it_kw + o.fan_kw + o.envelope_kw - o.outdoor_air_kw)
        + o.chw_pump_kw
        - o.chiller_load_kw
        - o.economiser_kw
    )
    condenser = o.chiller_load_kw + o.economiser_kw + o.chiller_kw + o.cw_pump_kw - o.rejected_kw
    return inside, condenser
