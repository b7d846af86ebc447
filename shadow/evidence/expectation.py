"""What the incumbent would have cost under the same circumstances."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

RIDGE = 1e-3


@dataclass(frozen=True, slots=True)
class Expectation:
    """Cost per tick of the incumbent, as a quadratic of the covariates: discounted least squares on past blocks.

    Kept in information form, so that a block is one addition and a fit one solve: `gram` has shape [k, k] row by row,
    `cross` [k], for the k features `1, x, x^2, x_i x_j`. `weight` is the discounted, `blocks` the plain count.
    """

    blocks: int = 0
    weight: float = 0.0
    gram: tuple[float, ...] = ()
    cross: tuple[float, ...] = ()

    def update(self, covariates: Sequence[float], cost: float, forgetting: float) -> Self:
        """One more incumbent block: mean covariates and mean cost per tick [unit of the cost]."""
        row = _features(covariates)
        if self.cross and len(self.cross) != row.size:
            raise ValueError(
                f"{len(covariates)} `covariates` given, earlier blocks had another number: start new evidence"
            )
        gram = np.asarray(self.gram or np.zeros(row.size**2)) * forgetting + np.outer(row, row).ravel()
        cross = np.asarray(self.cross or np.zeros(row.size)) * forgetting + row * cost
        return type(self)(self.blocks + 1, self.weight * forgetting + 1.0, tuple(gram.tolist()), tuple(cross.tolist()))

    def fit(self) -> tuple[float, ...]:
        """Coefficients of the features, shape [k]; ridge on the standardised features keeps a constant one harmless."""
        gram = np.asarray(self.gram).reshape(len(self.cross), -1)
        cross = np.asarray(self.cross)
        mean, mean_y = gram[0] / self.weight, cross[0] / self.weight
        spread = np.sqrt(np.maximum(np.diag(gram) / self.weight - mean**2, 0.0))
        # A feature that did not vary (the constant first of all) explains nothing.
        varied = spread > 1e-6 * np.maximum(np.abs(mean), 1e-12)
        scale = np.where(varied, spread, 1.0)
        centred = (gram / self.weight - np.outer(mean, mean)) / np.outer(scale, scale)
        right = np.where(varied, (cross / self.weight - mean * mean_y) / scale, 0.0)
        centred = np.where(np.outer(varied, varied), centred, 0.0) + np.diag(np.where(varied, RIDGE, 1.0))
        slope = np.linalg.solve(centred, right) / scale
        slope[0] = mean_y - float(slope @ mean)
        return tuple(slope.tolist())

    def mean(self) -> float:
        """Discounted mean cost per tick [unit of the cost]."""
        return self.cross[0] / self.weight


def expected_cost(coefficients: Sequence[float], covariates: Sequence[float], floor: float) -> float:
    """Cost per tick the incumbent would have had [unit of the cost], at least `floor` where the fit extrapolates badly."""
    return max(float(_features(covariates) @ np.asarray(coefficients)), floor)


def _features(covariates: Sequence[float]) -> NDArray[np.float64]:
    x = np.asarray(covariates, dtype=np.float64)
    rows, columns = np.triu_indices(x.size)
    return np.concatenate(([1.0], x, x[rows] * x[columns]))
