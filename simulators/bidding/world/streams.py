"""Random numbers that belong to a lane and a step, not to a batch.

Philox is a counter-based generator: the key names the scenario and the seed, the counter names lane, step and block,
so any lane can be drawn alone and gets the bits it gets in a batch of thousands.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

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
    """A 64-bit word from a scenario's name (BLAKE2b), so renaming a scenario renames its worlds."""
    return int.from_bytes(hashlib.blake2b(scenario.encode(), digest_size=8).digest(), "little")


def generator(noise: Noise, row: int, purpose: int, step: int, block: int = 0) -> np.random.Generator:
    """The generator of one lane (`row` of the batch), purpose, step and block of campaigns."""
    key, counter = _words(noise, row, purpose, step, block)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def restart(held: np.random.Generator, noise: Noise, row: int, purpose: int, step: int, block: int = 0) -> None:
    """Make a generator of `generator` the one of another lane, step and block: the same bits, in a tenth of the time.

    (A new one asks the operating system for entropy that a key makes needless.)
    """
    key, counter = _words(noise, row, purpose, step, block)
    held.bit_generator.state = {
        "bit_generator": "Philox",
        "state": {"counter": counter, "key": key},
        "buffer": _EMPTY,
        "buffer_pos": 4,
        "has_uint32": 0,
        "uinteger": 0,
    }


_EMPTY = np.zeros(4, dtype=np.uint64)


def _words(
    noise: Noise, row: int, purpose: int, step: int, block: int
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Key and counter."""
    key = np.array([scenario_word(noise.scenario) ^ purpose, noise.seeds[row]], dtype=np.uint64)
    return key, np.array([0, block, step, noise.lanes[row]], dtype=np.uint64)


def streams(seed: int, lanes: int, scenario: str) -> Noise:
    """The streams of lanes 0 .. `lanes` - 1 of one seed."""
    return Noise(scenario, (seed,) * lanes, tuple(range(lanes)))
