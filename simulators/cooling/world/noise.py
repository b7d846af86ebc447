"""Random numbers by address: the same (name, seed, lane, step) gives the same number, whatever else is drawn."""

import hashlib

import numpy as np
from numpy.typing import NDArray

WORDS_PER_BLOCK = 4


def uniforms(name: str, seed: int, lane: int, first: int, count: int, width: int) -> NDArray[np.float64]:
    """Numbers in (0, 1), `[count, width]`, of the steps from `first` on, from Philox with the step as its counter."""
    blocks = -(-width // WORDS_PER_BLOCK)
    digest = hashlib.blake2b(f"{name}/{seed}/{lane}".encode(), digest_size=16).digest()
    stream = np.random.Philox(key=np.frombuffer(digest, dtype=np.uint64))
    stream.advance(first * blocks)
    words = stream.random_raw(count * blocks * WORDS_PER_BLOCK).reshape(count, -1)[:, :width]
    return ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normals(name: str, seed: int, lane: int, first: int, count: int, width: int) -> NDArray[np.float64]:
    """Standard normal numbers `[count, width]` by the Box-Muller transform of addressed uniforms."""
    both = uniforms(name, seed, lane, first, count, 2 * width)
    radius = np.sqrt(-2.0 * np.log(both[:, :width]))
    return radius * np.cos(2.0 * np.pi * both[:, width:])
