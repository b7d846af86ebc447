"""Run a policy over a flight and measure it against the hindsight bound."""

from dataclasses import dataclass

import numpy as np

from simulators.bidding.controllers.base import Floats, Incumbent
from simulators.bidding.physics.params import Params
from simulators.bidding.physics.state import State, initial
from simulators.bidding.physics.step import step
from simulators.bidding.tools.hindsight import Bound
from simulators.bidding.world.observation import Account, account
from simulators.bidding.world.streams import Noise


@dataclass(frozen=True, slots=True)
class Run:
    """A finished flight: its last state, and cumulative incurred cost after each tick [L, C, T] in micros."""

    state: State
    incurred_micros: Floats
    overspend_micros: Floats


@dataclass(frozen=True, slots=True)
class Kpis:
    """Per lane and campaign [L, C].

    `score` is E[conv] * min(1, (K / CPA)^2), `score_frac` its share of the bound (NaN without one). `account_frac` is
    the account's sum of target times score over its bound, shared budgets counted in; it is the same for all its
    campaigns. `value_frac` is E[conv] over V*. `budget_use` is the share of the budget that was spent; `cpa_ratio` is
    incurred cost per expected conversion over target. `pacing_error` is the root mean square over ticks of (spent share
    of what was spent in all - planned share). `overspend_frac` is the overspend over the budget.
    """

    score: Floats
    score_frac: Floats
    account_frac: Floats
    value_frac: Floats
    budget_use: Floats
    cpa_ratio: Floats
    pacing_error: Floats
    overspend_frac: Floats


def fly(policy: Incumbent, params: Params, noise: Noise) -> Run:
    """Fly every lane to the end."""
    state = initial(params)
    view: Account = account(state, params)
    memory = policy.start(view)
    curve, over = [], np.zeros(params.shape)
    for _ in range(params.ticks):
        memory, multiplier = policy.propose(memory, view)
        state, _ = step(state, multiplier, params, noise)
        view = account(state, params)
        curve.append(state.incurred_micros.astype(np.float64))
        committed = np.maximum(state.spent_micros + state.reserved_micros, state.incurred_micros)
        over = np.maximum(over, np.maximum(committed - params.budget_micros, _shared_over(state, params)))
    return Run(state, np.stack(curve, axis=2), over)


def soft_score(value: Floats, cost_micros: Floats, target_cpa_micros: Floats) -> Floats:
    """E[conv] * min(1, (K / CPA)^2): the competition's score on expected values [conversions]."""
    cpa = cost_micros / np.maximum(value, 1e-12)
    return np.asarray(value * (target_cpa_micros / np.maximum(cpa, target_cpa_micros)) ** 2)


def kpis(run: Run, params: Params, best: Bound | None) -> Kpis:
    """Measure a finished flight; `best` is None where there is no bound."""
    value = run.state.expected_pico * 1e-12
    cost = run.state.incurred_micros.astype(np.float64)
    target = params.target_cpa_micros.astype(np.float64)
    score = soft_score(value, cost, target)
    none = np.full(params.shape, np.nan)
    shares = run.incurred_micros / np.maximum(run.incurred_micros[:, :, -1:], 1.0)
    planned = np.cumsum(params.forecast, axis=2)
    return Kpis(
        score=score,
        score_frac=score / np.maximum(best.score, 1e-12) if best else none,
        account_frac=_account_frac(score * target, best) if best else none,
        value_frac=value / np.maximum(best.value, 1e-12) if best else none,
        budget_use=cost / params.budget_micros,
        cpa_ratio=cost / np.maximum(value, 1e-12) / target,
        pacing_error=np.sqrt(np.mean((shares - planned) ** 2, axis=2)),
        overspend_frac=run.overspend_micros / params.budget_micros,
    )


def _account_frac(worth_micros: Floats, best: Bound) -> Floats:
    """The account's worth over its bound, once for each of its campaigns [L, C]."""
    share = worth_micros.sum(axis=1) / np.maximum(best.account_micros, 1e-12)
    return np.repeat(share[:, None], worth_micros.shape[1], axis=1)


def _shared_over(state: State, params: Params) -> Floats:
    """The most that is spent and reserved beyond a shared budget [L, 1]; zero without any."""
    committed = state.shared_spent_micros + state.shared_reserved_micros
    return np.asarray(np.max(committed - params.shared_micros, axis=1, keepdims=True, initial=0.0))
