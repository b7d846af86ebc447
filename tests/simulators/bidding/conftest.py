"""Small worlds for the bidding tests."""

from collections.abc import Callable

import pytest

from simulators.bidding.physics.params import Params
from simulators.bidding.world.build import build
from simulators.bidding.world.scenario import resized, scenario
from simulators.bidding.world.streams import Noise, streams

World = tuple[Params, Noise]


@pytest.fixture
def small_world() -> Callable[..., World]:
    """A scenario with little traffic: `small_world(name, seed, lanes, campaigns, per_day)`."""

    def make(name: str = "mixed", seed: int = 1, lanes: int = 2, campaigns: int = 3, per_day: float = 6000.0) -> World:
        noise = streams(seed, lanes, name)
        return build(resized(scenario(name), per_day), noise, campaigns), noise

    return make
