"""Random numbers that belong to a lane and a step, not to a batch.

The key of the address names the scenario and the seed, the counter names lane, step and block. So any lane can be drawn
alone, with the bits that it has in a batch of thousands.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from simulators.common import random_numbers

PURPOSE_SEASON = 0
PURPOSE_TRAFFIC = 1
PURPOSE_NOTICES = 2


@dataclass(frozen=True, slots=True)
class Noise:
    """Names the streams of a batch: one scenario and one seed per lane, one number per lane.

    `seeds` and `lanes` have one entry per lane; lane 3 of seed 7 is the same world in any batch.
    """

    scenario: str
    seeds: tuple[int, ...]
    lanes: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.seeds) != len(self.lanes):
            raise ValueError(f"`seeds` has {len(self.seeds)} entries and `lanes` {len(self.lanes)}: give one each")
        if any(not 0 <= word < 1 << 62 for word in (*self.seeds, *self.lanes)):
            raise ValueError("`seeds` and `lanes` must lie in [0, 2**62)")

    def select(self, rows: list[int]) -> "Noise":
        """The streams of some lanes, in the order given."""
        return Noise(self.scenario, tuple(self.seeds[r] for r in rows), tuple(self.lanes[r] for r in rows))


@lru_cache(maxsize=256)
def scenario_word(scenario: str) -> int:
    """A 64-bit word from a scenario's name, so renaming a scenario renames its worlds."""
    return int(random_numbers.words_of(scenario, 1)[0])


def generator(noise: Noise, row: int, purpose: int, step: int, block: int = 0) -> np.random.Generator:
    """The generator of one lane (`row` of the batch), purpose, step and block of campaigns."""
    return random_numbers.generator(*_address(noise, row, purpose, step, block))


def restart(held: np.random.Generator, noise: Noise, row: int, purpose: int, step: int, block: int = 0) -> None:
    """Make a generator of `generator` the one of another lane, step and block."""
    random_numbers.move(held, *_address(noise, row, purpose, step, block))


def _address(
    noise: Noise, row: int, purpose: int, step: int, block: int
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Key and counter."""
    key = np.array([scenario_word(noise.scenario) ^ purpose, noise.seeds[row]], dtype=np.uint64)
    return key, np.array([0, block, step, noise.lanes[row]], dtype=np.uint64)


def streams(seed: int, lanes: int, scenario: str) -> Noise:
    """The streams of lanes 0 .. `lanes` - 1 of one seed."""
    return Noise(scenario, (seed,) * lanes, tuple(range(lanes)))
