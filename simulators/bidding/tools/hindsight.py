"""The best that could have been done: linear programmes on the tick's impressions, once all of them are known.

Values are chances of a conversion, not conversions; whether an advert was shown is known. Prices are frozen, so there
is a bound only where prices do not answer our bids.

    V*(B, K) = max sum x_i v_i   with   sum x_i c_i <= B,   sum x_i c_i <= K sum x_i v_i,   0 <= x_i <= 1
    D(l, m)  = l B + sum_i max(0, v_i (1 + m K) - (l + m) c_i)   >= V*   for every l, m >= 0
    bound    = max over theta >= 1 of theta^-2 V*(B, theta K)            for E[conv] min(1, (K / CPA)^2)

Campaigns that share a budget S are bound together, at a price p on it, in money at target:

    account  = min over p >= 0 of p S + sum over campaigns of max over their prefixes of (K score - p cost)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from simulators.bidding.physics.auction import slot_prices
from simulators.bidding.physics.params import EVENT_UNRENDERED, Params
from simulators.bidding.physics.step import terms
from simulators.bidding.world.streams import Noise
from simulators.bidding.world.traffic import draw, impressions

Floats = NDArray[np.float64]
LOG_PRICES = (-7.0, 12.0)  # ln of the price of a shared budget's micro, in micros at target: where it is sought


@dataclass(frozen=True, slots=True)
class Offers:
    """Every impression one campaign could have won and shown, cheapest conversion first [n].

    `values` are expected conversions, `costs_micros` the least it could have cost; both sums run along.
    """

    values: Floats
    costs_micros: Floats
    value_sums: Floats
    cost_sums_micros: Floats


@dataclass(frozen=True, slots=True)
class Bound:
    """Per lane and campaign [L, C]: `value` is V*, `score` the bound of the soft score, in expected conversions.

    `account_micros` [L] bounds the sum over campaigns of target CPA times score, shared budgets counted in. The other two
    know of a campaign's own budget only; they hold all the same, since a shared budget can but take away.
    """

    value: Floats
    score: Floats
    account_micros: Floats


def sorted_offers(values: Floats, costs_micros: Floats) -> Offers:
    """Order by cost per value (ties in order of arrival)."""
    order = np.argsort(costs_micros / np.maximum(values, 1e-300), kind="stable")
    v, c = values[order], costs_micros[order]
    return Offers(v, c, np.cumsum(v), np.cumsum(c))


def prefix_value(offers: Offers, budget_micros: float, target_cpa_micros: float) -> float:
    """V* by the longest prefix that keeps both constraints, its last impression taken in part.

    Exact: both slacks are monotone along the prefix once the ratio has passed K, since ratios only rise.
    """
    ratio_slack = target_cpa_micros * offers.value_sums - offers.cost_sums_micros
    over = np.nonzero((offers.cost_sums_micros > budget_micros) | (ratio_slack < 0))[0]
    if len(over) == 0:
        return float(offers.value_sums[-1]) if len(offers.values) else 0.0
    k = int(over[0])
    v, c = float(offers.values[k]), float(offers.costs_micros[k])
    spent = float(offers.cost_sums_micros[k - 1]) if k else 0.0
    value = float(offers.value_sums[k - 1]) if k else 0.0
    parts = [1.0, (budget_micros - spent) / c if c > 0 else 1.0]
    dear = c - target_cpa_micros * v
    if dear > 0:
        parts.append((target_cpa_micros * value - spent) / dear)
    return value + v * max(0.0, min(parts))


def dual_value(offers: Offers, budget_micros: float, target_cpa_micros: float, lam: float, mu: float) -> float:
    """D(l, m): an upper bound of V* for every `lam`, `mu` >= 0 [conversions per micro]."""
    gain = offers.values * (1 + mu * target_cpa_micros) - (lam + mu) * offers.costs_micros
    return float(lam * budget_micros + np.maximum(gain, 0.0).sum())


def least_dual(offers: Offers, budget_micros: float, target_cpa_micros: float) -> float:
    """min D by Nelder-Mead from both binding regimes, scaled by K; the prefix form without the sorting argument."""
    scale = 1 / target_cpa_micros

    def at(point: NDArray[np.float64]) -> float:
        lam, mu = np.abs(point) * scale
        return dual_value(offers, budget_micros, target_cpa_micros, float(lam), float(mu))

    starts = [(1.0, 0.1), (0.1, 1.0), (0.3, 0.0), (0.0, 5.0)]
    options = {"maxiter": 2000, "xatol": 1e-9, "fatol": 1e-12}
    return min(float(optimize.minimize(at, s, method="Nelder-Mead", options=options).fun) for s in starts)


def score_bound(offers: Offers, budget_micros: float, target_cpa_micros: float) -> float:
    """Upper bound of the soft score E[conv] min(1, (K / CPA)^2) under the budget.

    Raising theta walks along the prefixes, so the maximum over theta is a maximum over prefixes. Between two whole
    prefixes the value is at most the longer one's and the CPA at least the shorter one's: together they bound both.
    """
    return float(np.max(prefix_scores(offers, budget_micros, target_cpa_micros)[0], initial=0.0))


def prefix_scores(offers: Offers, budget_micros: float, target_cpa_micros: float) -> tuple[Floats, Floats]:
    """For every prefix within the budget, at most the score it can have and at least what it costs [n]."""
    inside = int(np.searchsorted(offers.cost_sums_micros, budget_micros, side="right"))
    n = min(inside + 1, len(offers.values))
    if n == 0:
        return np.empty(0), np.empty(0)
    before_value = np.concatenate(([0.0], offers.value_sums[: n - 1]))
    before_cost = np.concatenate(([0.0], offers.cost_sums_micros[: n - 1]))
    cpa = np.where(before_value > 0, before_cost / np.maximum(before_value, 1e-300), 0.0)
    factor = (target_cpa_micros / np.maximum(cpa, target_cpa_micros)) ** 2
    return offers.value_sums[:n] * factor, before_cost


Prefixes = tuple[Floats, Floats]


def account_bound(prefixes: list[Prefixes], targets: list[float], shared: list[tuple[float, list[bool]]]) -> float:
    """Upper bound of the sum of target times score [micros] of campaigns with these `prefix_scores`.

    `shared` are budgets [micros] with their members. Each is priced alone, and any price gives a bound, so the least of
    them is one too, and the search for the best price need not be exact.
    """
    worth = [(target * score, cost) for (score, cost), target in zip(prefixes, targets, strict=True)]

    def at(price: float, budget: float, member: list[bool]) -> float:
        gains = (float(np.max(w - price * c * m, initial=0.0)) for (w, c), m in zip(worth, member, strict=True))
        return price * budget + sum(gains)

    bounds = [at(0.0, 0.0, [False] * len(worth))]
    for budget, member in shared:
        found = optimize.minimize_scalar(
            lambda log_price, b=budget, m=member: at(float(np.exp(log_price)), b, m),
            bounds=LOG_PRICES,
            method="bounded",
        )
        bounds.append(float(found.fun))
    return min(bounds)


def collect(params: Params, noise: Noise) -> list[Offers]:
    """Offers of every campaign of a batch over its flight, in flat order; raises `ValueError` if prices answer bids."""
    if not params.price_taking:
        raise ValueError("rivals answer our bids here, so there is no hindsight bound: use a price-taking scenario")
    lanes, campaigns = params.shape
    pieces: list[list[tuple[Floats, Floats]]] = [[] for _ in range(lanes * campaigns)]
    ones = np.ones(params.shape)
    for tick in range(params.ticks):
        for draws in draw(noise, params, tick):
            traffic = impressions(draws, params, tick)
            at = terms(ones, params.budget_micros, params, traffic.campaigns, tick)
            value = at.click_rate[traffic.segment] * traffic.lift * at.conversion_rate[traffic.segment]
            cost = traffic.price_micros if params.slots == 1 else slot_prices(traffic)
            usable = ((traffic.event & EVENT_UNRENDERED) == 0) & (cost <= at.bid_cap_micros[traffic.owner])
            for i, flat in enumerate(traffic.campaigns):
                own = slice(traffic.bounds[i], traffic.bounds[i + 1])
                keep = usable[own]
                pieces[flat].append((value[own][keep].astype(np.float64), cost[own][keep].astype(np.float64)))
    return [sorted_offers(*(np.concatenate(parts) for parts in zip(*piece, strict=True))) for piece in pieces]


def bound(params: Params, noise: Noise) -> Bound:
    """V* and the bound of the soft score for every lane and campaign, one lane at a time to keep memory small."""
    rows = [_lane_bound(params.lanes([row]), noise.select([row])) for row in range(params.shape[0])]
    return Bound(np.stack([r[0] for r in rows]), np.stack([r[1] for r in rows]), np.stack([r[2] for r in rows]))


def _lane_bound(params: Params, noise: Noise) -> tuple[Floats, Floats, Floats]:
    """Values and scores of one lane's campaigns [C], and the account's bound [].

    Budgets that are open for a part of the flight only are left out: without them the bound is as high or higher.
    """
    budgets, targets = params.budget_micros[0].tolist(), params.target_cpa_micros[0].tolist()
    cases = list(zip(collect(params, noise), budgets, targets, strict=True))
    prefixes = [prefix_scores(o, float(b), float(k)) for o, b, k in cases]
    shared = [
        (float(params.shared_micros[0, p]), (params.shared_member[0, :, p] > 0).tolist())
        for p, span in enumerate(params.shared_open)
        if span == (0, params.ticks)
    ]
    return (
        np.asarray([prefix_value(o, float(b), float(k)) for o, b, k in cases]),
        np.asarray([np.max(scores, initial=0.0) for scores, _ in prefixes]),
        np.asarray(account_bound(prefixes, [float(k) for k in targets], shared)),
    )
