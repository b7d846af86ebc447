"""The hindsight programmes: three forms agree, and nobody beats them."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from simulators.bidding.account import Account
from simulators.bidding.evaluate import fly, kpis
from simulators.bidding.hindsight import (
    bound,
    collect,
    dual_value,
    least_dual,
    prefix_value,
    score_bound,
    sorted_offers,
)
from simulators.bidding.incumbents import BidAtTarget, DualGradient, Memory, PidPacing, RecedingHorizon, survey
from simulators.bidding.scenarios import SCENARIOS, build, resized, scenario, yesterday
from simulators.bidding.streams import Noise

CASES = st.tuples(st.integers(0, 10**6), st.integers(1, 40), st.floats(0.02, 1.5), st.floats(0.3, 3.0))


def offers_of(case: tuple[int, int, float, float]) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Random values and costs, a budget and a target CPA around their means."""
    seed, n, budget_frac, target_ratio = case
    rng = np.random.default_rng(seed)
    values = rng.lognormal(-9.0, 0.6, n)
    costs = rng.integers(1, 3000, n).astype(float)
    return values, costs, budget_frac * costs.sum(), target_ratio * costs.sum() / values.sum()


def linprog(values: np.ndarray, costs: np.ndarray, budget: float, target: float) -> float:
    """V* by HiGHS."""
    scale = 1 / values.max()
    rows = np.stack([costs / budget, (costs - target * values) / budget])
    solved = optimize.linprog(-values * scale, A_ub=rows, b_ub=[1.0, 0.0], bounds=(0, 1), method="highs")
    return -float(solved.fun) / scale


@settings(derandomize=True, max_examples=80, deadline=None)
@given(CASES)
def test_the_prefix_form_is_the_linear_programme(case: tuple[int, int, float, float]) -> None:
    values, costs, budget, target = offers_of(case)
    assert prefix_value(sorted_offers(values, costs), budget, target) == pytest.approx(
        linprog(values, costs, budget, target), rel=1e-6, abs=1e-12
    )


@settings(derandomize=True, max_examples=60, deadline=None)
@given(CASES, st.floats(0, 3), st.floats(0, 3))
def test_every_dual_point_is_above_the_optimum(case: tuple[int, int, float, float], lam: float, mu: float) -> None:
    values, costs, budget, target = offers_of(case)
    offers = sorted_offers(values, costs)
    best = prefix_value(offers, budget, target)
    assert dual_value(offers, budget, target, lam / target, mu / target) >= best * (1 - 1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_the_least_dual_meets_the_optimum(seed: int) -> None:
    values, costs, budget, target = offers_of((seed, 400, 0.1 + 0.15 * seed, 0.4 + 0.2 * seed))
    offers = sorted_offers(values, costs)
    assert least_dual(offers, budget, target) == pytest.approx(prefix_value(offers, budget, target), rel=1e-4)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(CASES)
def test_the_score_bound_is_the_maximum_over_theta(case: tuple[int, int, float, float]) -> None:
    values, costs, budget, target = offers_of(case)
    offers = sorted_offers(values, costs)
    limit = score_bound(offers, budget, target)
    thetas = np.geomspace(1.0, 50.0, 200)
    scores = [prefix_value(offers, budget, float(t) * target) / t**2 for t in thetas]
    assert limit >= max(scores) * (1 - 1e-9)
    # Between whole prefixes the bound is loose by at most one impression.
    assert limit <= max(scores) * 1.06 + values.max()


def test_no_offers_are_worth_nothing() -> None:
    empty = sorted_offers(np.empty(0), np.empty(0))
    assert prefix_value(empty, 1.0, 1.0) == 0.0
    assert score_bound(empty, 1.0, 1.0) == 0.0


def test_a_worked_case_of_the_bound() -> None:
    # Two conversions at cost 1 and 3. Target 1: the hard programme buys one; the soft score gains nothing by both.
    offers = sorted_offers(np.asarray([1.0, 1.0]), np.asarray([1.0, 3.0]))
    assert prefix_value(offers, 10.0, 1.0) == pytest.approx(1.0)
    assert prefix_value(offers, 10.0, 2.0) == pytest.approx(2.0)
    assert prefix_value(offers, 2.5, 2.0) == pytest.approx(1.5)


class Restless:
    """Multipliers drawn anew every tick, from nearly nothing to the cap."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def start(self, view: Account) -> Memory:
        """Nothing to remember."""
        return {}

    def propose(self, memory: Memory, view: Account) -> tuple[Memory, np.ndarray]:
        """Anything at all."""
        return memory, np.exp(self.rng.uniform(-4, 4, view.budget_micros.shape))


@pytest.mark.parametrize("name", sorted(n for n, s in SCENARIOS.items() if s.adaptive_gain == 0))
def test_no_policy_beats_the_bound_on_any_seed(name: str) -> None:
    world = resized(scenario(name), 2000.0 if name == "week" else 6000.0)
    noise = Noise(name, tuple(range(8)), (0,) * 8)
    params = build(world, noise, 3)
    best = bound(params, noise)
    assert (best.score >= best.value * (1 - 1e-9)).all()
    log = survey(*yesterday(world, noise, 3))
    policies = [BidAtTarget(m) for m in (0.2, 0.5, 1.0, 2.0, 4.0)]
    for policy in (*policies, PidPacing(), DualGradient(), RecedingHorizon(log), Restless(1)):
        result = kpis(fly(policy, params, noise), params, best)
        assert (result.score <= best.score * (1 + 1e-6)).all()
        assert (result.overspend_frac == 0).all()


def test_the_bound_is_not_idle(small_world: Callable[..., tuple]) -> None:
    params, noise = small_world("cpa-bound", lanes=2, campaigns=9, per_day=30_000.0)
    result = kpis(fly(DualGradient(), params, noise), params, bound(params, noise))
    assert result.score_frac.mean() > 0.8


def test_there_is_no_bound_where_rivals_answer(small_world: Callable[..., tuple]) -> None:
    params, noise = small_world("adaptive")
    with pytest.raises(ValueError, match="price-taking"):
        collect(params, noise)
