"""Automatic domain randomisation: each side of each parameter's range grows while the policy copes at its edge.

After OpenAI, "Solving Rubik's Cube with a Robot Hand" (2019), section 4.2. All of it is a value: the same seed and the
same episodes give the same ranges.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulators.common.random_numbers import uniforms
from simulators.cooling.world.randomisation import Automatic, Randomisation, shares

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ranges:
    """How much of each side of each distribution is in use, 0..1, and what has been seen at the edges.

    Shapes `[parameters, 2]`: the side below the middle, and the one above.
    """

    names: tuple[str, ...]
    used: Floats
    met: Floats
    """Lanes that have been at each edge since it last moved."""
    coped: Floats

    def table(self) -> dict[str, tuple[float, float]]:
        """Share in use below and above the middle, by parameter."""
        return {name: (float(low), float(high)) for name, (low, high) in zip(self.names, self.used, strict=True)}


def start(how: Randomisation) -> Ranges:
    """Ranges of no width."""
    zero = np.zeros((len(how.spreads), 2))
    return Ranges(tuple(name for name, _ in how.spreads), zero, zero, zero)


def drawn(
    how: Randomisation, ranges: Ranges, name: str, seed: int, lanes: NDArray[np.int64], episode: int
) -> tuple[Floats, NDArray[np.int64]]:
    """Shares `[n, parameters]` inside the ranges, some lanes at an edge; and which edge `[n]`, -1 for none.

    Edge 2 p is the lower one of parameter p, 2 p + 1 the upper.
    """
    assert how.automatic is not None
    inside = shares(how, name, seed, lanes, episode) - 0.5
    inside = 0.5 + np.where(inside < 0.0, inside * ranges.used[:, 0], inside * ranges.used[:, 1])
    picks = np.stack([uniforms(f"{name}/edges", seed, int(lane), episode, 1, 2)[0] for lane in lanes])
    edges = np.where(picks[:, 0] < how.automatic.edge_frac, (picks[:, 1] * 2 * len(ranges.names)).astype(np.int64), -1)
    for lane in np.flatnonzero(edges >= 0):
        parameter, side = divmod(int(edges[lane]), 2)
        inside[lane, parameter] = 0.5 + (side - 0.5) * ranges.used[parameter, side]
    return inside, edges


def after(how: Automatic, ranges: Ranges, edges: NDArray[np.int64], coped: NDArray[np.bool_]) -> Ranges:
    """The ranges after an episode in which lanes at `edges` `[n]` did or did not cope `[n]`."""
    met, successes, used = ranges.met.ravel().copy(), ranges.coped.ravel().copy(), ranges.used.ravel().copy()
    np.add.at(met, edges[edges >= 0], 1.0)
    np.add.at(successes, edges[(edges >= 0) & coped], 1.0)
    full = met >= how.episodes
    rate = successes / np.maximum(met, 1.0)
    move = np.where(rate >= how.grow_at, how.step, np.where(rate < how.shrink_at, -how.step, 0.0))
    used = np.clip(used + full * move, 0.0, 1.0)
    shape = ranges.used.shape
    met, successes = np.where(full, 0.0, met), np.where(full, 0.0, successes)
    return replace(ranges, used=used.reshape(shape), met=met.reshape(shape), coped=successes.reshape(shape))
