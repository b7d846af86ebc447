"""Importing this module names both simulators for gymnasium: `understudy/Cooling-v0` and `understudy/Bidding-v0`.

    gymnasium.make("simulators.registered:understudy/Cooling-v0", name="greensboro-test")
    gymnasium.make_vec("simulators.registered:understudy/Bidding-v0", num_envs=64)

Episodes end by themselves (a day, a flight), so gymnasium is given no step limit.
"""

import gymnasium

COOLING, BIDDING = "understudy/Cooling-v0", "understudy/Bidding-v0"

gymnasium.register(
    COOLING,
    entry_point="simulators.cooling.env:CoolingEnv",
    vector_entry_point="simulators.cooling.env:CoolingVectorEnv",
)
gymnasium.register(
    BIDDING,
    entry_point="simulators.bidding.env:BiddingEnv",
    vector_entry_point="simulators.bidding.env:BiddingVectorEnv",
)
