"""The statistics behind `candidate_novelty`: mean and whitening of one part of the data, a threshold from another.

The threshold is split-conformal (Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World, 2005): the
ceil((n + 1) (1 - alpha))-th smallest score of n that the fit has not seen. It refuses a share of at most alpha of
exchangeable data. Data in time are not exchangeable from tick to tick, so parts are whole weeks or days.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from controller.learning.spec import TrainingError
from controller.policies.manifest import NoveltyStatistics

Floats = NDArray[np.float64]
ALPHA = 0.01
SHRINKAGE = 0.05
LEAST_SPREAD_FRAC = 0.01
"""A column that hardly moves counts as spread by this share of the larger of 1 and its mean, so that it can be divided by."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Where rows lie and how they spread: |whitening (row - mean)| is Mahalanobis' distance. Shapes [d], [d, d]."""

    mean: Floats
    whitening: Floats

    def distances(self, rows: Floats) -> Floats:
        """[n] of rows [n, d]."""
        white = (rows - self.mean) @ self.whitening.T
        return np.asarray(np.sqrt(np.sum(white * white, axis=1)))


def shape_of(rows: Floats, shrinkage: float = SHRINKAGE) -> Shape:
    """Mean and inverse Cholesky factor of the covariance of rows [n, d].

    Correlations are shrunk towards none by `shrinkage`, so that columns that move together leave it invertible; a
    constant column gets a least spread.
    """
    mean = np.mean(rows, axis=0)
    spread = np.maximum(np.std(rows, axis=0), LEAST_SPREAD_FRAC * np.maximum(1.0, np.abs(mean)))
    scaled = (rows - mean) / spread
    correlation = (1.0 - shrinkage) * (scaled.T @ scaled) / len(rows) + shrinkage * np.eye(rows.shape[1])
    factor = np.linalg.cholesky(correlation)
    return Shape(mean, np.tril(np.linalg.inv(factor)) / spread)


def conformal_threshold(scores: Floats, alpha: float) -> float:
    """The ceil((n + 1) (1 - alpha))-th smallest of n scores. Raises TrainingError where n is too small for alpha."""
    rank = ceil((len(scores) + 1) * (1.0 - alpha))
    if rank > len(scores):
        raise TrainingError(
            f"{len(scores)} scores are too few to calibrate at alpha {alpha:g}: at least {ceil(1.0 / alpha) - 1} are needed"
        )
    return float(np.sort(scores)[rank - 1])


def statistics_of(
    rows: Floats, calibration: Sequence[Floats], alpha: float = ALPHA, shrinkage: float = SHRINKAGE
) -> NoveltyStatistics:
    """The statistics of a bundle from rows [n, d] to fit, and calibration rows of each circumstance [m, d] apart.

    The threshold is the largest of those of the circumstances, so that none is refused more often than alpha.
    """
    shape = shape_of(rows, shrinkage)
    threshold = max(conformal_threshold(shape.distances(each), alpha) for each in calibration)
    return NoveltyStatistics(
        mean=tuple(shape.mean.tolist()),
        whitening=tuple(tuple(row[: i + 1].tolist()) for i, row in enumerate(shape.whitening)),
        threshold=threshold,
        alpha=alpha,
        shrinkage=shrinkage,
        fitted=len(rows),
        calibrated=sum(len(each) for each in calibration),
    )


def described(statistics: NoveltyStatistics, refused: Mapping[str, float]) -> dict[str, object]:
    """The score card's part on novelty."""
    return {
        "alpha": statistics.alpha,
        "threshold": round(statistics.threshold, 3),
        "columns": len(statistics.mean),
        "rows_fitted": statistics.fitted,
        "rows_calibrated": statistics.calibrated,
        "refused_frac_of_unseen_data": dict(refused),
    }
