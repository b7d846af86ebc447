"""Domain randomisation: every lane a different plant, drawn from a distribution for each parameter.

A draw is a share in 0..1 of a parameter's distribution; a half is its middle. Static randomisation uses all of it.
Automatic randomisation (see `adr`) begins at the middle and widens each side of each parameter as the policy copes.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simulators.common.random_numbers import uniforms
from simulators.cooling.physics.params import PARAMETERS, REFERENCE_ZONES, Params, with_values

Floats = NDArray[np.float64]
CUT_SD = 3.0
"""Normal and lognormal draws lie within so many standard deviations."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The distribution of one parameter, in its unit, for the plant of four zones.

    `middle` is the value at half; `low` and `high` are bounds ("uniform", "loguniform"), or one standard deviation to
    either side ("normal", "lognormal"). "uniform" and "loguniform" give each side of the middle half of the chance.
    """

    kind: Literal["fixed", "uniform", "loguniform", "normal", "lognormal"]
    middle: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.middle <= self.high:
            raise ValueError(f"want low <= middle <= high, given {self.low:g}, {self.middle:g}, {self.high:g}")
        if self.kind in ("loguniform", "lognormal") and self.low <= 0.0:
            raise ValueError(f"a `{self.kind}` parameter is above 0, given {self.low:g}")

    def at(self, share: Floats) -> Floats:
        """Values at these shares of the distribution."""
        if self.kind == "fixed":
            return np.full_like(share, self.middle)
        if self.kind in ("uniform", "loguniform"):
            side = 2.0 * share - 1.0
        else:
            side = np.clip([_NORMAL.inv_cdf(each) for each in np.clip(share, 1e-4, 1.0 - 1e-4)], -CUT_SD, CUT_SD)
        below, above = np.minimum(side, 0.0), np.maximum(side, 0.0)
        if self.kind in ("uniform", "normal"):
            return np.asarray(self.middle + below * (self.middle - self.low) + above * (self.high - self.middle))
        return np.asarray(self.middle * (self.middle / self.low) ** below * (self.high / self.middle) ** above)


_NORMAL = NormalDist()


def normal(mean: float, sd: float) -> Spread:
    """Normal, cut at three standard deviations."""
    return Spread("normal", mean, mean - sd, mean + sd)


def lognormal(median: float, relative_sd: float) -> Spread:
    """Lognormal by its median and the standard deviation of the logarithm, cut at three of them."""
    wide = float(np.exp(relative_sd))
    return Spread("lognormal", median, median / wide, median * wide)


def uniform(low: float, high: float) -> Spread:
    """Uniform between two values."""
    return Spread("uniform", 0.5 * (low + high), low, high)


def fixed(value: float) -> Spread:
    """Always this value."""
    return Spread("fixed", value, value, value)


def plausible() -> dict[str, Spread]:
    """The spreads of the parameter table: log-uniform factors to both sides of the default."""
    return {
        name: Spread("loguniform", d.default, d.default * d.low, d.default * d.high)
        for name, d in PARAMETERS.items()
        if d.low < d.high
    }


@dataclass(frozen=True, slots=True)
class Automatic:
    """How ranges grow and shrink, one side of one parameter at a time, as in OpenAI's automatic domain randomisation.

    In each episode a share of the lanes has one parameter set at the edge of its present range. Once an edge has been
    met by `episodes` lanes, it moves outwards if enough of them coped and inwards if too few did.
    """

    inlet_limit_c: float = 27.0
    """A lane copes whose inlets never pass this."""
    step: float = 0.1
    """How far an edge moves, as a share of its half of the distribution."""
    grow_at: float = 0.8
    shrink_at: float = 0.5
    episodes: int = 10
    edge_frac: float = 0.5
    """Share of lanes that are at an edge."""

    def __post_init__(self) -> None:
        shares = 0.0 <= self.shrink_at < self.grow_at <= 1.0 and 0.0 < self.edge_frac <= 1.0 and 0.0 < self.step <= 1.0
        if not shares or self.episodes < 1:
            raise ValueError("want 0 <= shrink_at < grow_at <= 1, 0 < edge_frac <= 1, 0 < step <= 1, episodes >= 1")


@dataclass(frozen=True, slots=True)
class Randomisation:
    """The distribution of every parameter that has one. `width` 0 is the plant of the middles, 1 the whole of them."""

    spreads: tuple[tuple[str, Spread], ...] = field(default_factory=lambda: tuple(plausible().items()))
    width: float = 1.0
    automatic: Automatic | None = None

    def __post_init__(self) -> None:
        if unknown := [name for name, _ in self.spreads if name not in PARAMETERS]:
            raise ValueError(f"cannot randomise `{unknown[0]}`; known are {', '.join(PARAMETERS)}")
        if not 0.0 <= self.width <= 1.0:
            raise ValueError(f"`width` is {self.width}; it lies in 0..1")

    def with_spreads(self, more: Mapping[str, Spread]) -> "Randomisation":
        """The same with some distributions added or replaced."""
        return replace(self, spreads=tuple((dict(self.spreads) | dict(more)).items()))


def shares(how: Randomisation, name: str, seed: int, lanes: NDArray[np.int64], episode: int) -> Floats:
    """Draws `[n, parameters of how]` in 0..1 by (name, seed, lane, episode) and the parameter alone."""
    columns = [list(PARAMETERS).index(parameter) for parameter, _ in how.spreads]
    draws = [uniforms(f"{name}/params", seed, int(lane), episode, 1, len(PARAMETERS))[0] for lane in lanes]
    return np.asarray(np.stack(draws)[:, columns])


def with_shares(params: Params, how: Randomisation, drawn: Floats) -> Params:
    """The plants at these shares `[n, parameters of how]` of the distributions."""
    scale = params.zones / REFERENCE_ZONES
    values = {
        parameter: spread.at(drawn[:, i]) * (scale if PARAMETERS[parameter].per_zones else 1.0)
        for i, (parameter, spread) in enumerate(how.spreads)
    }
    return with_values(params, **values)


def randomised(
    params: Params, how: Randomisation, name: str, seed: int, lanes: NDArray[np.int64], episode: int
) -> Params:
    """The plants of these lanes in this episode."""
    drawn = shares(how, name, seed, lanes, episode)
    return with_shares(params, how, 0.5 + how.width * (drawn - 0.5))


def from_params_toml(path: Path) -> dict[str, Spread]:
    """The spreads of a calibrated `params.toml`: each value with its own uncertainty.

    Raises:
        ValueError: the file cannot be read, or holds a parameter that is not known or not complete.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"parameter file `{path}` cannot be read: {error}") from error
    spreads = {}
    for name, entry in table.get("parameter", {}).items():
        if name not in PARAMETERS:
            raise ValueError(f"`{path}` names the parameter `{name}`; known are {', '.join(PARAMETERS)}")
        try:
            spreads[name] = lognormal(float(entry["value"]), float(entry["relative_sd"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"`{path}`: `{name}` needs `value` above 0 and `relative_sd`: {error}") from error
    return spreads
