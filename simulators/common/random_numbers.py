"""Random numbers by address: the same address gives the same numbers, whatever else is drawn, in any batch.

Philox is a counter-based generator: its key and counter are the address. Each plant makes its own address of scenario,
seed, lane and step; this module turns addresses into numbers.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
WORDS_PER_BLOCK = 4
"""64-bit words that one value of the counter gives."""


def words_of(text: str, count: int) -> Words:
    """`[count]` 64-bit words from a text (BLAKE2b), so that another name gives other numbers."""
    return np.frombuffer(hashlib.blake2b(text.encode(), digest_size=8 * count).digest(), dtype="<u8").astype(np.uint64)


def generator(key: Words, counter: Words) -> np.random.Generator:
    """The generator at an address: key `[2]`, counter `[4]`, its first word the one that counts on."""
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def move(held: np.random.Generator, key: Words, counter: Words) -> None:
    """Move a generator of `generator` to another address: the bits of a new one, in a tenth of the time.

    (A new one asks the operating system for entropy that a key makes needless.)
    """
    held.bit_generator.state = {
        "bit_generator": "Philox",
        "state": {"counter": counter, "key": key},
        "buffer": _EMPTY,
        "buffer_pos": WORDS_PER_BLOCK,
        "has_uint32": 0,
        "uinteger": 0,
    }


_EMPTY = np.zeros(WORDS_PER_BLOCK, dtype=np.uint64)


def uniforms(name: str, seed: int, lane: int, first: int, count: int, width: int) -> NDArray[np.float64]:
    """Numbers in (0, 1), `[count, width]`, of the steps from `first` on; the step is the counter."""
    blocks = -(-width // WORDS_PER_BLOCK)
    counter = np.array([first * blocks, 0, 0, 0], dtype=np.uint64)
    stream = generator(words_of(f"{name}/{seed}/{lane}", 2), counter).bit_generator
    words = np.asarray(stream.random_raw(count * blocks * WORDS_PER_BLOCK)).reshape(count, -1)[:, :width]
    return np.asarray(((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)


def normals(name: str, seed: int, lane: int, first: int, count: int, width: int) -> NDArray[np.float64]:
    """Standard normal numbers `[count, width]` by the Box-Muller transform of addressed uniforms."""
    both = uniforms(name, seed, lane, first, count, 2 * width)
    radius = np.sqrt(-2.0 * np.log(both[:, :width]))
    return np.asarray(radius * np.cos(2.0 * np.pi * both[:, width:]))
