"""The generator has the statistics of the traces it is fitted to.

Bounds are about what one more week, or one more day, of the same generator differs by from the long run.
"""

import csv
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ks_2samp

from simulators.cooling.world.load import CLOUD, HPC, load_fracs, utilisation

ZERO = np.array([0])
LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95]


def _autocorrelation(values: np.ndarray, lags: list[int]) -> np.ndarray:
    centred = values - values.mean()
    return np.array([float((centred[:-lag] * centred[lag:]).mean() / (centred * centred).mean()) for lag in lags])


def _weeks(seed: int, weeks: int) -> np.ndarray:
    """Hourly utilisation `[hours]` of the cloud profile, without differences between zones."""
    profile = replace(CLOUD, spread_frac=0.0)
    return utilisation(profile, "test", seed, 0, 0, weeks * 7 * 288, 1)[::12, 0]


DAYS = 40
SEEDS = (1, 2, 3)


@cache
def _days(seed: int) -> np.ndarray:
    """Five-minute power of the supercomputer profile over `DAYS` `[nodes]`."""
    return load_fracs(HPC, "test", seed, ZERO, ZERO, DAYS * 288, 1)[:, 0, 0]


@pytest.fixture
def cluster(shared_data: Path) -> np.ndarray:
    """A week of hourly CPU utilisation of a cluster."""
    with (shared_data / "alibaba_cpu_week_hourly.csv").open(newline="") as file:
        return np.array([float(row["cpu_load"]) for row in csv.DictReader(file)])


@pytest.fixture
def machine(shared_data: Path) -> np.ndarray:
    """A day of a supercomputer's power at five-minute means, over its greatest."""
    with (shared_data / "frontier_cdu_power_2024-04-07_15s.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:5761]
    power = np.array([[float(cell) for cell in row[1:26]] for row in rows]).sum(axis=1)
    return np.asarray((power / power.max()).reshape(-1, 20).mean(axis=1))


@pytest.mark.needs("shared")
def test_utilisation_is_distributed_as_the_clusters(cluster: np.ndarray) -> None:
    made = _weeks(1, 12)
    assert ks_2samp(cluster, made).statistic < 0.1
    assert np.quantile(made, LEVELS) == pytest.approx(np.quantile(cluster, LEVELS), abs=0.03)


@pytest.mark.needs("shared")
def test_utilisation_is_correlated_in_time_as_the_clusters(cluster: np.ndarray) -> None:
    lags = [1, 2, 3, 6, 12, 24, 48]
    made = np.mean([_autocorrelation(_weeks(seed, 1), lags) for seed in range(20)], axis=0)
    assert made == pytest.approx(_autocorrelation(cluster, lags), abs=0.2)


@pytest.mark.needs("shared")
def test_utilisation_has_the_clusters_weekly_and_daily_shape(cluster: np.ndarray) -> None:
    made = _weeks(2, 40).reshape(40, 168).mean(axis=0)
    days_made, days = made.reshape(7, 24).mean(axis=1), cluster.reshape(7, 24).mean(axis=1)
    assert days_made == pytest.approx(days, abs=0.06)
    assert np.corrcoef(days_made, days)[0, 1] > 0.9
    assert np.ptp(made.reshape(7, 24).mean(axis=0)) < 0.06


@pytest.mark.needs("shared")
@pytest.mark.parametrize("seed", SEEDS)
def test_batch_power_is_distributed_as_the_machines(machine: np.ndarray, seed: int) -> None:
    made = _days(seed)
    assert ks_2samp(machine, made).statistic < 0.12
    assert np.quantile(made, LEVELS) == pytest.approx(np.quantile(machine, LEVELS), abs=0.1)


@pytest.mark.needs("shared")
@pytest.mark.parametrize("seed", SEEDS)
def test_batch_power_is_correlated_in_time_as_the_machines(machine: np.ndarray, seed: int) -> None:
    lags = [1, 3, 6, 12, 24]
    assert _autocorrelation(_days(seed), lags) == pytest.approx(_autocorrelation(machine, lags), abs=0.1)


@pytest.mark.needs("shared")
@pytest.mark.parametrize("seed", SEEDS)
def test_batch_bursts_match_the_machines_in_size_and_number(machine: np.ndarray, seed: int) -> None:
    made, seen = np.diff(_days(seed)), np.diff(machine)
    assert np.quantile(np.abs(made), 0.99) == pytest.approx(np.quantile(np.abs(seen), 0.99), abs=0.1)
    for sign in (1.0, -1.0):
        for jump_frac in (0.1, 0.3):
            a_day, real = (sign * made > jump_frac).sum() / DAYS, (sign * seen > jump_frac).sum()
            assert 0.7 < a_day / real < 1.3


def test_job_start_rises_over_five_minutes_or_node_by_node() -> None:
    """What starts at any time mostly rises in two steps, so jumps are more; the largest are as large."""
    calm = replace(HPC.batch, ripple_frac=0.0)
    two, one = (
        load_fracs(replace(HPC, batch=replace(calm, starts_on_nodes=each)), "x", 1, ZERO, ZERO, 2880, 1)[:, 0, 0]
        for each in (False, True)
    )
    assert (np.diff(two) > 0.1).sum() > 1.1 * (np.diff(one) > 0.1).sum()
    assert np.diff(two).max() == pytest.approx(np.diff(one).max(), abs=0.05)


def test_any_part_of_a_batch_load_can_be_made_alone() -> None:
    whole = load_fracs(HPC, "x", 1, ZERO, ZERO, 300, 2)
    for first in range(0, 250, 7):
        assert np.array_equal(load_fracs(HPC, "x", 1, ZERO, np.array([first]), 50, 2), whole[first : first + 50])


def test_only_zones_of_one_machine_share_jobs() -> None:
    one = load_fracs(HPC, "x", 1, ZERO, ZERO, 288, 3)[:, 0]
    many = load_fracs(replace(HPC, batch_shared=False), "x", 1, ZERO, ZERO, 288, 3)[:, 0]
    assert np.array_equal(one[:, 0], one[:, 2])
    assert not np.array_equal(many[:, 0], many[:, 2])
