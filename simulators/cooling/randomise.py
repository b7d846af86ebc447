"""Domain randomisation: every lane a different plant, within what is plausible, and wider as the policy copes."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.cooling.noise import uniforms
from simulators.cooling.params import DESCRIPTIONS, Params

Factors = Mapping[str, tuple[float, float]]
"""For each parameter, the least and the greatest factor on its default."""


def plausible() -> dict[str, tuple[float, float]]:
    """The factors that the parameter table states, for every parameter that has some."""
    return {name: (each.low, each.high) for name, each in DESCRIPTIONS.items() if each.low < each.high}


@dataclass(frozen=True, slots=True)
class Randomisation:
    """How far plants are spread. `width` 0 is the default plant, 1 the whole of `factors`."""

    factors: tuple[tuple[str, float, float], ...] = tuple((n, *lohi) for n, lohi in plausible().items())
    width: float = 1.0

    def __post_init__(self) -> None:
        if unknown := [name for name, _, _ in self.factors if name not in DESCRIPTIONS]:
            raise ValueError(f"cannot randomise `{unknown[0]}`; known are {', '.join(DESCRIPTIONS)}")
        if not 0.0 <= self.width <= 1.0:
            raise ValueError(f"`width` is {self.width}; it lies in 0..1")


def randomised(
    params: Params, how: Randomisation, name: str, seed: int, lanes: NDArray[np.int64], episode: int
) -> Params:
    """The plants of these lanes in this episode: log-uniform factors by (name, seed, lane, episode) alone."""
    draws = [uniforms(f"{name}/params", seed, int(lane), episode, 1, len(DESCRIPTIONS))[0] for lane in lanes]
    columns = dict(zip(DESCRIPTIONS, np.stack(draws, axis=1), strict=True))
    values: dict[str, Any] = {}
    for parameter, low, high in how.factors:
        share = columns[parameter][:, None]
        factor = np.exp(how.width * (np.log(low) + share * (np.log(high) - np.log(low))))
        values[parameter] = getattr(params, parameter) * factor
    return replace(params, **values)


@dataclass(frozen=True, slots=True)
class AutoWidth:
    """Automatic domain randomisation: the spread grows while the policy copes and shrinks while it does not."""

    width: float = 0.0
    grow_at: float = 0.8
    """Share of episodes without a breach from which the spread grows."""
    shrink_at: float = 0.5
    step: float = 0.05

    def after(self, coped_frac: float) -> "AutoWidth":
        """The spread after a batch of episodes of which this share went without a breach."""
        move = self.step if coped_frac >= self.grow_at else -self.step if coped_frac < self.shrink_at else 0.0
        return replace(self, width=float(min(max(self.width + move, 0.0), 1.0)))


def from_params_toml(path: Path, spread_sd: float = 2.0) -> Randomisation:
    """The spread that a calibrated `params.toml` states: each value times or over its own uncertainty, so many times.

    Raises:
        ValueError: a parameter that is not known.
    """
    with path.open("rb") as file:
        table = tomllib.load(file)
    rows = []
    for name, entry in table.get("parameter", {}).items():
        if name not in DESCRIPTIONS:
            raise ValueError(f"`{path}` names the parameter `{name}`; known are {', '.join(DESCRIPTIONS)}")
        middle, wide = entry["value"] / DESCRIPTIONS[name].default, np.exp(spread_sd * entry["relative_sd"])
        rows.append((name, float(middle / wide), float(middle * wide)))
    return Randomisation(tuple(rows))
