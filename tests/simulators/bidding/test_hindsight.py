"""The hindsight programmes: three forms agree, and nobody beats them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from simulators.bidding.controllers import BidAtTarget, DualGradient, Memory, PidPacing, RecedingHorizon, survey
from simulators.bidding.tools.evaluate import fly, kpis
from simulators.bidding.tools.hindsight import (
    account_bound,
    bound,
    collect,
    dual_value,
    least_dual,
    prefix_scores,
    prefix_value,
    score_bound,
    sorted_offers,
)
from simulators.bidding.world.build import build, yesterday
from simulators.bidding.world.observation import Account
from simulators.bidding.world.scenario import SCENARIOS, resized, scenario
from simulators.bidding.world.streams import Noise

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
    """Multipliers drawn again every tick, from nearly nothing to the cap."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def start(self, view: Account) -> Memory:
        """Nothing to remember."""
        return {}

    def propose(self, memory: Memory, view: Account) -> tuple[Memory, np.ndarray]:
        """Anything at all."""
        return memory, np.exp(self.rng.uniform(-4, 4, view.budget_micros.shape))


class Spiteful:
    """Bids nothing for cheap ticks and the cap in dear ones: as wrong as can be."""

    def start(self, view: Account) -> Memory:
        """Nothing to remember."""
        return {}

    def propose(self, memory: Memory, view: Account) -> tuple[Memory, np.ndarray]:
        """Everything at noon, on every second campaign."""
        busy = 0.0 if view.tick % 48 < 20 else 1e6
        return memory, busy * (np.arange(view.budget_micros.shape[1]) % 2 == 0) + np.zeros(view.budget_micros.shape)


@pytest.mark.parametrize("name", sorted(n for n, s in SCENARIOS.items() if s.price_taking))
def test_no_policy_beats_the_bound_on_any_seed(name: str) -> None:
    long = scenario(name).days > 1
    world = resized(replace(scenario(name), days=2 if long else 1), 4000.0)
    seeds = (0, 1) if long else (0, 1, 2_000_000, 2_000_001)
    noise = Noise(name, seeds, (0,) * len(seeds))
    params = build(world, noise, 3)
    best = bound(params, noise)
    assert (best.score >= best.value * (1 - 1e-9)).all()
    assert (best.account_micros <= (best.score * params.target_cpa_micros).sum(axis=1) * (1 + 1e-9)).all()
    log = survey(*yesterday(world, noise, 3))
    rest = (PidPacing(), DualGradient(), RecedingHorizon(log), Restless(1), Spiteful())
    for policy in (*(BidAtTarget(m) for m in (0.3, 1.0, 4.0)), *rest):
        result = kpis(fly(policy, params, noise), params, best)
        assert (result.score <= best.score * (1 + 1e-6)).all()
        assert (result.account_frac <= 1 + 1e-6).all()
        assert (result.overspend_frac == 0).all()


def test_the_bound_is_not_idle(small_world: Callable[..., tuple]) -> None:
    params, noise = small_world("cpa-bound", lanes=2, campaigns=9, per_day=30_000.0)
    result = kpis(fly(DualGradient(), params, noise), params, bound(params, noise))
    assert result.score_frac.mean() > 0.8


def test_there_is_no_bound_where_rivals_answer(small_world: Callable[..., tuple]) -> None:
    params, noise = small_world("adaptive")
    with pytest.raises(ValueError, match="price-taking"):
        collect(params, noise)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.lists(CASES, min_size=2, max_size=4), st.floats(0.1, 1.2))
def test_the_account_bound_is_above_the_joint_linear_programme(
    cases: list[tuple[int, int, float, float]], shared_frac: float
) -> None:
    worlds = [offers_of(case) for case in cases]
    shared = shared_frac * sum(budget for _, _, budget, _ in worlds)
    prefixes = [prefix_scores(sorted_offers(v, c), b, k) for v, c, b, k in worlds]
    limit = account_bound(prefixes, [k for *_, k in worlds], [(shared, [True] * len(worlds))])
    assert limit >= joint_linprog(worlds, shared) * (1 - 1e-7)


def joint_linprog(worlds: list[tuple[np.ndarray, np.ndarray, float, float]], shared: float) -> float:
    """The worth at target of the best joint purchase, by HiGHS: own budgets, own targets, one shared budget."""
    sizes = [len(v) for v, *_ in worlds]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    rows, limits = [np.concatenate([c for _, c, *_ in worlds])], [shared]
    for i, (values, costs, budget, target) in enumerate(worlds):
        for row, limit in ((costs, budget), (costs - target * values, 0.0)):
            rows.append(np.zeros(starts[-1]))
            rows[-1][starts[i] : starts[i + 1]] = row
            limits.append(limit)
    worth = np.concatenate([k * v for v, _, _, k in worlds])
    scale = worth.max()
    solved = optimize.linprog(
        -worth / scale, A_ub=np.stack(rows) / scale, b_ub=np.asarray(limits) / scale, bounds=(0, 1)
    )
    return -float(solved.fun) * scale


def test_account_bound_is_the_linear_optimum_without_binding_targets() -> None:
    worlds = [offers_of((seed, 3000, 0.5, 50.0)) for seed in range(4)]
    shared = 0.4 * sum(budget for _, _, budget, _ in worlds)
    prefixes = [prefix_scores(sorted_offers(v, c), b, k) for v, c, b, k in worlds]
    limit = account_bound(prefixes, [k for *_, k in worlds], [(shared, [True] * 4)])
    assert limit == pytest.approx(joint_linprog(worlds, shared), rel=2e-3)


def test_account_bound_without_shared_budget_sums_the_campaigns() -> None:
    worlds = [offers_of((seed, 50, 0.5, 1.0)) for seed in range(3)]
    prefixes = [prefix_scores(sorted_offers(v, c), b, k) for v, c, b, k in worlds]
    alone = sum(k * score_bound(sorted_offers(v, c), b, k) for v, c, b, k in worlds)
    assert account_bound(prefixes, [k for *_, k in worlds], []) == pytest.approx(alone)
