"""What the bidder can know: his view of the accounts, the sixteen features, and named signals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.bidding.params import Params
from simulators.bidding.state import HISTORY, State

Floats = NDArray[np.float64]

FEATURES = (
    *("time_left", "budget_left", "bid_all", "bid_recent", "price_all", "price_recent", "value_all", "value_recent"),
    *("value_last", "conversions_all", "conversions_recent", "win_all", "win_recent"),
    *("traffic_last", "traffic_recent", "traffic_all"),
)


@dataclass(frozen=True, slots=True)
class Account:
    """Lanes L x campaigns C as the bidder sees them before a tick; money in micros as float64 [L, C].

    `cost_micros` and `predicted` estimate what noticed wins will cost and bring once the usual share of them turns
    out not to have been shown. `forecast` [L, C, T] are shares of the flight's traffic; `recent` [L, C, 3, 7] and
    `total` [L, C, 7] hold `state.HISTORY`. True chances, prices of lost auctions and the season are absent.
    """

    tick: int
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
    first_price: bool

    @property
    def ticks(self) -> int:
        """Length of the flight."""
        return int(self.forecast.shape[2])


def account(state: State, params: Params) -> Account:
    """The bidder's view (numpy)."""
    total = state.total.astype(np.float64)
    paid = total[..., HISTORY.index("paid_micros")] * params.rendered_frac
    spent = state.spent_micros.astype(np.float64)
    return Account(
        tick=state.tick,
        budget_micros=params.budget_micros.astype(np.float64),
        target_cpa_micros=params.target_cpa_micros.astype(np.float64),
        bid_cap_micros=params.bid_cap_micros.astype(np.float64),
        available_micros=state.available_micros.astype(np.float64),
        reserved_micros=state.reserved_micros.astype(np.float64),
        spent_micros=spent,
        cost_micros=np.maximum(paid, spent),
        predicted=state.predicted_pico * 1e-12 * params.rendered_frac,
        forecast=params.forecast,
        recent=state.recent.astype(np.float64),
        total=total,
        first_price=params.first_price,
    )


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
        view.available_micros / view.budget_micros,
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


def column(history: Floats, name: str) -> Floats:
    """One quantity of HISTORY: [...]."""
    return np.asarray(history[..., HISTORY.index(name)])


def ratio(history: Floats, above: str, below: str) -> Floats:
    """One quantity of HISTORY over another; zero where nothing happened."""
    return np.asarray(column(history, above) / np.maximum(column(history, below), 1.0))
