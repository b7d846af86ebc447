"""What the bidder can know: his view of the accounts, the sixteen features, and named signals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.bidding.physics.params import Params
from simulators.bidding.physics.state import HISTORY, HISTORY_TICKS, State

Floats = NDArray[np.float64]

FEATURES = (
    *("time_left", "budget_left", "bid_all", "bid_recent", "price_all", "price_recent", "value_all", "value_recent"),
    *("value_last", "conversions_all", "conversions_recent", "win_all", "win_recent"),
    *("traffic_last", "traffic_recent", "traffic_all"),
)


@dataclass(frozen=True, slots=True)
class Account:
    """Lanes L x campaigns C as the bidder sees them before a tick; money in micros as float64 [L, C].

    Everything but the tick is as of the newest report, of the state before tick `reported`. `cost_micros` and
    `predicted` estimate what noticed wins will cost and bring once the usual share of them turns out not to have been
    shown. `forecast` [L, C, T] are shares of the flight's traffic; `recent` [L, C, 3, 11] and `total` [L, C, 11] hold
    `state.HISTORY`. Shared budgets are `shared_micros` [L, P] with `shared_cost_micros` gone, for `shared_member`
    [L, C, P] in the ticks `shared_open`. True chances, prices of lost auctions and the season are absent.
    """

    tick: int
    reported: int
    budget_micros: Floats
    target_cpa_micros: Floats
    bid_cap_micros: Floats
    available_micros: Floats
    reserved_micros: Floats
    spent_micros: Floats
    cost_micros: Floats
    predicted: Floats
    forecast: Floats
    recent: Floats
    total: Floats
    shared_micros: Floats
    shared_cost_micros: Floats
    shared_member: Floats
    shared_open: tuple[tuple[int, int], ...]
    first_price: bool

    @property
    def ticks(self) -> int:
        """Length of the flight."""
        return int(self.forecast.shape[2])


def account(state: State, params: Params) -> Account:
    """The bidder's view (numpy)."""
    lag = params.report_lag[state.tick]
    total = (state.total - state.recent[:, :, :lag].sum(axis=2)).astype(np.float64)
    spent, reserved = column(total, "charged_micros"), column(total, "held_micros")
    budget = params.budget_micros.astype(np.float64)
    cost = np.maximum(column(total, "paid_micros") * params.rendered_frac, spent)
    return Account(
        tick=state.tick,
        reported=max(state.tick - lag, 0),
        budget_micros=budget,
        target_cpa_micros=params.target_cpa_micros.astype(np.float64),
        bid_cap_micros=params.bid_cap_micros.astype(np.float64),
        available_micros=budget - spent - reserved,
        reserved_micros=reserved,
        spent_micros=spent,
        cost_micros=cost,
        predicted=column(total, "predicted_pico") * 1e-12 * params.rendered_frac,
        forecast=params.forecast,
        recent=state.recent[:, :, lag : lag + HISTORY_TICKS].astype(np.float64),
        total=total,
        shared_micros=params.shared_micros.astype(np.float64),
        shared_cost_micros=_shared_cost(state, params, cost),
        shared_member=params.shared_member.astype(np.float64),
        shared_open=params.shared_open,
        first_price=params.first_price,
    )


def _shared_cost(state: State, params: Params, cost: Floats) -> Floats:
    """The bidder's estimate of what each shared budget has cost so far [L, P].

    Of a budget for the whole flight, what its campaigns have; of a shorter one, what is charged and reserved, because a
    campaign's own cost is not kept by day.
    """
    committed = np.asarray(state.shared_spent_micros + state.shared_reserved_micros, dtype=np.float64)
    for p, span in enumerate(params.shared_open):
        if span == (0, params.ticks):
            committed[:, p] = (cost * params.shared_member[:, :, p]).sum(axis=1)
    return committed


def features(view: Account) -> NDArray[np.float32]:
    """The sixteen features of the literature (AuctionNet's list), scaled to order one: [L, C, 16], order FEATURES.

    `*_all` over the flight so far, `*_recent` over three ticks, `*_last` over one. Bids, prices and values (times the
    target) are over the bid cap; conversions per tick over those the budget buys at target; traffic over its mean.
    """
    last, three = view.recent[:, :, 0, :], view.recent.sum(axis=2)
    done = max(view.tick, 1)
    per_tick = view.target_cpa_micros * view.ticks / view.budget_micros
    mean_traffic = np.maximum(column(view.total, "impressions") / done, 1.0)
    value = view.target_cpa_micros * 1e-12 / view.bid_cap_micros
    columns = (
        np.full(view.budget_micros.shape, 1 - view.tick / view.ticks),
        np.minimum(view.available_micros / view.budget_micros, _shared_left(view)),
        ratio(view.total, "bid_micros", "sampled") / view.bid_cap_micros,
        ratio(three, "bid_micros", "sampled") / view.bid_cap_micros,
        ratio(view.total, "paid_micros", "wins") / view.bid_cap_micros,
        ratio(three, "paid_micros", "wins") / view.bid_cap_micros,
        ratio(view.total, "value_pico", "sampled") * value,
        ratio(three, "value_pico", "sampled") * value,
        ratio(last, "value_pico", "sampled") * value,
        column(view.total, "conversions") / done * per_tick,
        column(three, "conversions") / min(done, 3) * per_tick,
        ratio(view.total, "wins", "impressions"),
        ratio(three, "wins", "impressions"),
        column(last, "impressions") / mean_traffic,
        column(three, "impressions") / min(done, 3) / mean_traffic,
        np.log1p(column(view.total, "impressions")) / 20,
    )
    return np.stack(columns, axis=-1).astype(np.float32)


def _shared_left(view: Account) -> Floats:
    """The unspent share of the tightest open shared budget [L, C]; 1 without any."""
    left = np.ones(view.budget_micros.shape)
    for p, (first, last) in enumerate(view.shared_open):
        if first <= view.tick < last:
            own = np.clip(1 - view.shared_cost_micros[:, [p]] / view.shared_micros[:, [p]], 0.0, 1.0)
            left = np.where(view.shared_member[:, :, p] > 0, np.minimum(left, own), left)
    return left


def column(history: Floats, name: str) -> Floats:
    """One quantity of HISTORY: [...]."""
    return np.asarray(history[..., HISTORY.index(name)])


def ratio(history: Floats, above: str, below: str) -> Floats:
    """One quantity of HISTORY over another; zero where nothing happened."""
    return np.asarray(column(history, above) / np.maximum(column(history, below), 1.0))
