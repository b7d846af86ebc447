"""The statistics of novelty: Mahalanobis' distance as published, and a threshold that refuses no more than it may."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import mahalanobis
from scipy.stats import binom, chi2

from controller.learning.conformal import ALPHA, SHRINKAGE, conformal_threshold, shape_of, statistics_of
from controller.learning.spec import TrainingError
from controller.policies.novelty import score
from tests.safety.support.seeded import seeded


def gaussian(rows: int, seed: int = 0) -> np.ndarray:
    """Rows [n, 4] of correlated columns of very different sizes."""
    mixing = np.array([[1.0, 0.0, 0.0, 0.0], [0.8, 0.6, 0.0, 0.0], [0.1, 0.2, 3.0, 0.0], [0.0, 0.5, 0.0, 20.0]])
    return np.asarray(np.random.default_rng(seed).normal(size=(rows, 4)) @ mixing.T + [5.0, -1.0, 0.0, 100.0])


def test_the_distance_is_scipys_mahalanobis_on_the_shrunk_covariance() -> None:
    rows = gaussian(2000)
    shape, spread = shape_of(rows), np.std(rows, axis=0)
    correlation = np.corrcoef(rows.T) * (1.0 - SHRINKAGE) + SHRINKAGE * np.eye(4)
    inverse = np.linalg.inv(correlation * np.outer(spread, spread))
    wanted = [mahalanobis(row, rows.mean(axis=0), inverse) for row in rows[:50]]
    np.testing.assert_allclose(shape.distances(rows[:50]), wanted, rtol=1e-9)


def test_squared_distances_of_gaussian_rows_are_chi_squared() -> None:
    shape = shape_of(gaussian(50_000), shrinkage=0.0)
    squared = shape.distances(gaussian(50_000, seed=1)) ** 2
    for share in (0.5, 0.9, 0.99):
        assert np.mean(squared > chi2.ppf(share, df=4)) == pytest.approx(1.0 - share, rel=0.06)


def test_the_service_measures_what_the_fit_does() -> None:
    rows, calibration = gaussian(500), gaussian(500, seed=1)
    statistics = statistics_of(rows, [calibration])
    shape = shape_of(rows)
    again = [score(statistics, row) * statistics.threshold for row in calibration[:40].tolist()]
    np.testing.assert_allclose(again, shape.distances(calibration[:40]), rtol=1e-12)


@seeded(200)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=80, unique=True), st.sampled_from([0.05, 0.1, 0.25, 0.5]))
def test_exchangeable_scores_exceed_the_threshold_at_most_at_rate_alpha(scores: list[float], alpha: float) -> None:
    """The theorem itself: each of n + 1 scores is as likely to be the new one."""
    try:
        above = sum(s > conformal_threshold(np.array([o for o in scores if o != s]), alpha) for s in scores)
    except TrainingError:
        return  # too few to calibrate at this alpha, which is refused
    assert above <= alpha * len(scores) + 1e-9


def test_the_threshold_is_the_score_of_that_rank() -> None:
    assert conformal_threshold(np.arange(1.0, 200.0), 0.01) == 198.0
    assert conformal_threshold(np.arange(199.0, 0.0, -1.0), 0.05) == 190.0


def test_too_few_scores_are_refused_rather_than_stretched() -> None:
    with pytest.raises(TrainingError, match=r"98 scores are too few to calibrate at alpha 0\.01: at least 99"):
        conformal_threshold(np.ones(98), 0.01)


def test_on_exchangeable_data_the_share_of_false_refusals_is_alpha() -> None:
    statistics = statistics_of(gaussian(3000), [gaussian(20_000, seed=1)])
    fresh = 5000
    refused = sum(score(statistics, row) > 1.0 for row in gaussian(fresh, seed=2).tolist())
    low, high = binom.interval(0.9999, fresh, ALPHA)
    assert low <= refused <= high


def test_the_most_scattered_circumstance_sets_the_threshold() -> None:
    calm, wild = gaussian(500, seed=1), (gaussian(500, seed=1) - [5.0, -1.0, 0.0, 100.0]) * 3.0
    both = statistics_of(gaussian(500), [calm, wild])
    assert both.threshold == statistics_of(gaussian(500), [wild]).threshold
    assert both.threshold > statistics_of(gaussian(500), [calm]).threshold


def test_constant_and_repeated_columns_leave_the_measure_finite() -> None:
    rows = gaussian(500)
    odd = np.hstack([rows, rows[:, :1], np.full((500, 1), 7.0), np.zeros((500, 1))])
    statistics = statistics_of(odd, [odd])
    usual = odd[0].tolist()
    assert np.isfinite(score(statistics, usual))
    moved = [*usual[:-2], usual[-2] + 1.0, usual[-1]]  # what was always 7 is now 8
    assert score(statistics, moved) > score(statistics, usual) + 1.0


@seeded(100)
@given(st.lists(st.floats(-10, 10), min_size=4, max_size=4), st.floats(1.01, 50))
def test_the_further_out_the_more_novel(direction: list[float], further: float) -> None:
    statistics = statistics_of(gaussian(500), [gaussian(500, seed=1)])
    near = [m + d for m, d in zip(statistics.mean, direction, strict=True)]
    far = [m + further * d for m, d in zip(statistics.mean, direction, strict=True)]
    assert score(statistics, far) >= score(statistics, near)
