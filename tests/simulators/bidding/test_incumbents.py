"""The incumbents: pure, batched, and each does what its name says."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from simulators.bidding.controllers import (
    BidAtTarget,
    DualGradient,
    Incumbent,
    PidPacing,
    RecedingHorizon,
    survey,
)
from simulators.bidding.controllers.base import left_ratio
from simulators.bidding.controllers.horizon import BINS, EDGES, _common_multiplier, _interpolate, best_multiplier
from simulators.bidding.physics.params import Params
from simulators.bidding.physics.state import initial
from simulators.bidding.physics.step import step
from simulators.bidding.tools.evaluate import Kpis, Run, fly, kpis
from simulators.bidding.tools.hindsight import bound
from simulators.bidding.world.build import build, yesterday
from simulators.bidding.world.observation import account
from simulators.bidding.world.scenario import resized, scenario
from simulators.bidding.world.streams import Noise, streams

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
def test_incumbent_is_pure_and_independent_of_the_batch(name: str) -> None:
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


def test_log_adds_up_to_the_cost_of_a_multiplier() -> None:
    world = resized(scenario("mixed"), 20_000.0)
    params, noise = yesterday(world, streams(4, 1, "mixed"), 2)
    log = survey(params, noise)
    rich = replace(params, over_bid=params.over_bid & False)  # charged at the bid, which no log of prices knows
    state = initial(rich)
    edge = 60
    state, outputs = step(state, np.full(params.shape, EDGES[edge]), rich, noise)
    assert outputs.incurred_micros == pytest.approx(log.cost_micros[:, :, 0, edge], rel=0.03)


def test_shared_budget_pacing_is_equal_across_campaigns_and_beats_none() -> None:
    world = resized(scenario("shared"), PER_DAY)
    noise = streams(5, 3, "shared")
    params = build(world, noise, 6)
    best, log = bound(params, noise), survey(*yesterday(world, noise, 6))
    score = {}
    for name, policy in (("pid", PidPacing()), ("dual", DualGradient()), ("horizon", RecedingHorizon(log))):
        result = kpis(fly(policy, params, noise), params, best)
        score[name] = result.account_frac.mean()
        assert (result.overspend_frac == 0).all()
    blind = replace(params, shared_micros=params.shared_micros[:, :0], shared_member=params.shared_member[:, :, :0])
    unaware = _fly_unaware(PidPacing(), params, replace(blind, shared_open=()), noise)
    assert min(score.values()) > kpis(unaware, params, best).account_frac.mean() + 0.05


def _fly_unaware(policy: Incumbent, params: Params, view_params: Params, noise: Noise) -> Run:
    """A flight of a policy that is not shown the shared budgets it flies under."""
    state = initial(params)
    memory, curve = policy.start(account(state, view_params)), []
    for _ in range(params.ticks):
        memory, multiplier = policy.propose(memory, account(state, view_params))
        state, _ = step(state, multiplier, params, noise)
        curve.append(state.incurred_micros.astype(np.float64))
    return Run(state, np.stack(curve, axis=2), np.zeros(params.shape))


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.02, 1.5))
def test_the_common_multiplier_spends_the_shared_budget_and_no_more(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    cost = np.concatenate([np.zeros((2, 3, 1)), np.cumsum(rng.uniform(0, 1, (2, 3, BINS)), axis=2)], axis=2)
    own = EDGES[rng.integers(BINS // 2, BINS, (2, 3))]
    at_own = _interpolate(cost, own).sum(axis=1)
    ceiling = _common_multiplier(cost, own, share * at_own)
    spent = _interpolate(cost, np.minimum(own, ceiling[:, None])).sum(axis=1)
    assert spent == pytest.approx(np.minimum(share, 1.0) * at_own, rel=1e-6, abs=0.02)


def test_pacer_with_unbilled_wins_does_not_raise_its_bid() -> None:
    world = resized(scenario("mixed"), PER_DAY)
    noise = streams(5, 1, "mixed")
    params = build(world, noise, 3)
    view = account(initial(params), params)
    behind = replace(view, reported=20, tick=20)
    waiting = replace(behind, reserved_micros=0.6 * view.budget_micros, available_micros=0.4 * view.budget_micros)
    assert (left_ratio(behind) > 1.2).all()
    assert (left_ratio(waiting) == 1.0).all()


@pytest.mark.parametrize("policy", [PidPacing(), DualGradient()], ids=["pid", "dual"])
def test_pacer_holds_its_multiplier_without_a_new_report(policy: Incumbent) -> None:
    noise = streams(5, 1, "network-gap")
    params = build(resized(scenario("network-gap"), PER_DAY), noise, 3)
    state, memory, multipliers = initial(params), policy.start(account(initial(params), params)), []
    for _ in range(30):
        memory, multiplier = policy.propose(memory, account(state, params))
        multipliers.append(multiplier)
        state, _ = step(state, multiplier, params, noise)
    assert all(np.array_equal(multipliers[23], multipliers[tick]) for tick in range(24, 28))
    assert not np.array_equal(multipliers[22], multipliers[23])
    assert not np.array_equal(multipliers[27], multipliers[28])
