"""The incumbents: pure, batched, and each does what its name says."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from simulators.bidding.account import account
from simulators.bidding.evaluate import Kpis, fly, kpis
from simulators.bidding.hindsight import bound
from simulators.bidding.incumbents import (
    BidAtTarget,
    DualGradient,
    Incumbent,
    PidPacing,
    RecedingHorizon,
    survey,
)
from simulators.bidding.incumbents.horizon import BINS, EDGES, best_multiplier
from simulators.bidding.scenarios import build, resized, scenario, yesterday
from simulators.bidding.state import initial
from simulators.bidding.step import step
from simulators.bidding.streams import streams

PER_DAY = 40_000.0


def measure(name: str, seed: int = 5) -> dict[str, Kpis]:
    """Every incumbent on the same 18 campaigns."""
    world = resized(scenario(name), PER_DAY)
    noise = streams(seed, 2, name)
    params = build(world, noise, 9)
    best = bound(params, noise)
    log = survey(*yesterday(world, noise, 9))
    policies: dict[str, Incumbent] = {
        "target": BidAtTarget(),
        "pid": PidPacing(),
        "dual": DualGradient(),
        "horizon": RecedingHorizon(log),
    }
    return {n: kpis(fly(p, params, noise), params, best) for n, p in policies.items()}


def test_pacing_beats_bid_at_target_when_the_budget_binds() -> None:
    result = measure("budget-bound")
    for name in ("pid", "dual", "horizon"):
        assert result[name].score_frac.mean() > result["target"].score_frac.mean() + 0.2
        assert result[name].pacing_error.mean() < result["target"].pacing_error.mean()
        assert result[name].budget_use.mean() > 0.85


def test_bid_at_target_leaves_conversions_lying_when_the_target_binds() -> None:
    result = measure("cpa-bound")
    assert (result["target"].cpa_ratio < 1).all()
    for name in ("pid", "dual", "horizon"):
        assert result[name].score_frac.mean() > result["target"].score_frac.mean() + 0.15
        assert np.median(result[name].cpa_ratio) < 1.1


@pytest.mark.parametrize("name", ["pid", "dual", "horizon", "target"])
def test_an_incumbent_is_pure_and_does_not_depend_on_the_batch(name: str) -> None:
    world = resized(scenario("mixed"), 5000.0)
    noise = streams(2, 3, "mixed")
    params = build(world, noise, 2)
    policies: dict[str, Callable[[list[int]], Incumbent]] = {
        "pid": lambda _: PidPacing(),
        "dual": lambda _: DualGradient(),
        "target": lambda _: BidAtTarget(),
        "horizon": lambda rows: RecedingHorizon(survey(*yesterday(world, noise.select(rows), 2))),
    }
    whole = fly(policies[name]([0, 1, 2]), params, noise)
    alone = fly(policies[name]([1]), params.lanes([1]), noise.select([1]))
    assert np.array_equal(whole.state.spent_micros[[1]], alone.state.spent_micros)
    policy = policies[name]([0, 1, 2])
    state, _ = step(initial(params), np.ones(params.shape), params, noise)
    memory = policy.start(account(state, params))
    kept = {k: v.copy() for k, v in memory.items()}
    first, second = (policy.propose(memory, account(state, params)) for _ in range(2))
    assert np.array_equal(first[1], second[1])
    assert all(np.array_equal(memory[k], kept[k]) for k in kept)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.05, 1.2), st.floats(0.4, 2.0), st.floats(-0.3, 0.3))
def test_the_greedy_walk_solves_the_linear_programme(seed: int, money: float, worth: float, surplus: float) -> None:
    rng = np.random.default_rng(seed)
    value = rng.uniform(0.5, 1.5, BINS)
    # A bin's cost per value is the multiplier that wins it, so bins are sorted as a log's are.
    cost = value * np.sqrt(EDGES[:-1] * EDGES[1:])
    value = value * worth
    budget, extra = money * cost.sum(), surplus * cost.sum()
    sums = [np.concatenate([[0.0], np.cumsum(x)])[None, None] for x in (cost, value)]
    found = best_multiplier(*sums, np.asarray([[budget]]), np.asarray([[extra]]))[0, 0]
    solved = optimize.linprog(-value, A_ub=np.stack([cost, cost - value]), b_ub=[budget, extra], bounds=(0, 1))
    place = np.log(found / EDGES[0]) / np.log(EDGES[-1] / EDGES[0]) * BINS
    whole = int(place)
    if solved.status == 0:
        taken = value[:whole].sum() + (value[whole] * (place - whole) if whole < BINS else 0.0)
        assert taken == pytest.approx(-solved.fun, rel=1e-6, abs=1e-9)
    else:
        reachable = np.nonzero(sums[0][0, 0] <= budget)[0]
        assert whole == pytest.approx(reachable[np.argmax((sums[1] - sums[0])[0, 0][reachable])], abs=1)


def test_the_log_adds_up_to_what_a_multiplier_would_have_cost() -> None:
    world = resized(scenario("mixed"), 20_000.0)
    params, noise = yesterday(world, streams(4, 1, "mixed"), 2)
    log = survey(params, noise)
    rich = params.moved(np.array)
    state = initial(rich)
    edge = 60
    state, outputs = step(state, np.full(params.shape, EDGES[edge]), rich, noise)
    assert outputs.incurred_micros == pytest.approx(log.cost_micros[:, :, 0, edge], rel=0.03)
