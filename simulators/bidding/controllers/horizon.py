"""Receding-horizon LP: at every tick, the best single multiplier for what yesterday's log says is still to come.

The relaxed LP of one campaign (budget and target) is a knapsack whose optimum is a prefix by cost per value, so a
greedy walk solves it exactly; a test compares it with HiGHS. The log is kept as cost and value per tick and bin of
the multiplier that would have won.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.bidding.controllers.base import MULTIPLIER_MAX, MULTIPLIER_MIN, Floats, Memory, is_new, open_now
from simulators.bidding.physics.auction import slot_prices
from simulators.bidding.physics.params import EVENT_UNRENDERED, Params
from simulators.bidding.physics.step import terms
from simulators.bidding.world.observation import Account, column
from simulators.bidding.world.streams import Noise
from simulators.bidding.world.traffic import draw, impressions

BINS = 96
EDGES = np.geomspace(MULTIPLIER_MIN, MULTIPLIER_MAX, BINS + 1)


@dataclass(frozen=True, slots=True)
class Landscape:
    """A log of prices and predicted values: what each multiplier would have cost and brought.

    `cost_micros` and `value` [conversions] are [L, C, T, BINS + 1]: per tick, sums over impressions won by a multiplier
    up to EDGES[j]. `traffic` [L, C, T] are expected impressions.
    """

    cost_micros: Floats
    value: Floats
    traffic: Floats


def survey(params: Params, noise: Noise) -> Landscape:
    """Read a log of one flight, won or lost (loss notices carry the price to win), predicted values only."""
    lanes, campaigns = params.shape
    cost = np.zeros((lanes * campaigns, params.ticks, BINS + 1))
    value = np.zeros_like(cost)
    ones = np.ones(params.shape)
    for tick in range(params.ticks):
        for draws in draw(noise, params, tick):
            traffic = impressions(draws, params, tick)
            at = terms(ones, params.budget_micros, params, traffic.campaigns, tick)
            price = (traffic.price_micros if params.slots == 1 else slot_prices(traffic)).astype(np.float64)
            worth = at.value_rate[traffic.segment] * traffic.lift.astype(np.float64)
            needed = price / np.maximum(at.bid_scale[traffic.segment] * traffic.lift, 1e-9)
            usable = ((traffic.event & EVENT_UNRENDERED) == 0) & (price <= at.bid_cap_micros[traffic.owner])
            bins = np.where(usable, np.searchsorted(EDGES, needed), BINS + 1)
            place = traffic.owner * (BINS + 2) + bins
            size = len(traffic.campaigns) * (BINS + 2)
            for sums, weights in ((cost, price), (value, worth)):
                counted = np.bincount(place, weights, minlength=size).reshape(-1, BINS + 2)
                sums[traffic.campaigns, tick] = np.cumsum(counted[:, :-1], axis=1)
    shape = (lanes, campaigns, params.ticks, BINS + 1)
    return Landscape(cost.reshape(shape), value.reshape(shape), params.winnable_rate + params.unwinnable_rate)


def best_multiplier(cost_micros: Floats, value_micros: Floats, money_micros: Floats, surplus_micros: Floats) -> Floats:
    """The largest multiplier whose cost fits `money_micros` and leaves `surplus` + value - cost >= 0 [L, C].

    `cost_micros` and `value_micros` (K times conversions) are cumulative over EDGES [L, C, BINS + 1]. Along a sorted
    prefix the second slack rises, then falls, so the last edge with both kept is the optimum, and in the bin after it
    the multiplier is interpolated. Where the target cannot be kept at all, the one that violates it least.
    """
    slack = surplus_micros[..., None] + value_micros - cost_micros
    affordable = cost_micros <= money_micros[..., None]
    kept = affordable & (slack >= 0)
    last = np.where(kept, np.arange(BINS + 1), -1).max(axis=-1)
    mending = np.argmax(np.where(affordable, slack, -np.inf), axis=-1)
    start = np.where(last >= 0, last, mending)
    after = np.minimum(start + 1, BINS)
    d_cost, d_slack = _at(cost_micros, after) - _at(cost_micros, start), _at(slack, start) - _at(slack, after)
    room = (money_micros - _at(cost_micros, start)) / np.maximum(d_cost, 1e-9)
    part = np.where(d_slack > 0, np.minimum(room, _at(slack, start) / np.maximum(d_slack, 1e-9)), room)
    part = np.where(last >= 0, np.clip(part, 0.0, 1.0), 0.0)
    return np.asarray(EDGES[start] * (EDGES[after] / EDGES[start]) ** part)


def _common_multiplier(cost_micros: Floats, own: Floats, money_micros: Floats) -> Floats:
    """The largest of EDGES, as a ceiling on the `own` multipliers [L, C], at which all cost at most `money` [L].

    Found by halving; up to the next edge it is interpolated in the logarithm. No ceiling where none is needed.
    """

    def cost_at(place: NDArray[np.int64]) -> Floats:
        return np.asarray(_interpolate(cost_micros, np.minimum(own, EDGES[place][:, None])).sum(axis=1))

    low, high = np.zeros(len(own), dtype=np.int64), np.full(len(own), BINS)
    while (high - low > 1).any():
        middle = (low + high) // 2
        fits = cost_at(middle) <= money_micros
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    cheap, dear = cost_at(low), cost_at(high)
    part = np.clip((money_micros - cheap) / np.maximum(dear - cheap, 1e-9), 0.0, 1.0)
    ceiling = EDGES[low] * (EDGES[high] / EDGES[low]) ** part
    return np.asarray(np.where((high == BINS) & (dear <= money_micros), np.inf, ceiling))


def _at(sums: Floats, place: NDArray[np.int64]) -> Floats:
    """One entry of the last axis per campaign."""
    return np.asarray(np.take_along_axis(sums, place[..., None], axis=-1)[..., 0])


@dataclass(frozen=True, slots=True)
class RecedingHorizon:
    """Plans on `landscape`, scaled by how traffic and spend have differed from it so far.

    `blend` is how fast the spend correction follows the last tick; `margin` keeps a share of the target unused.
    """

    landscape: Landscape
    blend: float = 0.1
    margin: float = 0.0

    def start(self, view: Account) -> Memory:
        """No correction yet."""
        zero = np.zeros(view.budget_micros.shape)
        return {"drift": zero, "expected": zero, "cost": zero, "reported": zero - 1.0, "asked": zero + 1.0}

    def propose(self, memory: Memory, view: Account) -> tuple[Memory, Floats]:
        """Solve for the flight after the newest report; remember what the next tick should cost."""
        if not is_new(memory, view):
            return memory, memory["asked"]
        drift = self._drift(memory, view)
        volume = self._volume(view)
        target = view.target_cpa_micros * (1 - self.margin)
        value = self.landscape.value[:, :, view.reported :].sum(axis=2) * (volume * target)[..., None]
        cost = self._cost(view, value, volume * np.exp(drift), view.ticks)
        surplus = target * view.predicted - view.cost_micros
        money = view.budget_micros - view.cost_micros
        multiplier = best_multiplier(cost, value, np.maximum(money, 0.0), surplus)
        multiplier = self._shared(view, multiplier, volume, np.exp(drift))
        now = self.landscape.cost_micros[:, :, view.tick] * (volume * np.exp(drift))[..., None]
        if view.first_price:
            now = self.landscape.value[:, :, view.tick] * (volume * view.target_cpa_micros)[..., None] * EDGES
        after = {"drift": drift, "expected": _interpolate(now, multiplier), "cost": view.cost_micros}
        return after | {"reported": np.full(multiplier.shape, float(view.reported)), "asked": multiplier}, multiplier

    def _cost(self, view: Account, value: Floats, scale: Floats, end: int) -> Floats:
        """Cost by multiplier from the report to before tick `end`: prices of a log, or in first price our own bids."""
        if view.first_price:
            return np.asarray(value / (1 - self.margin) * EDGES)
        return np.asarray(self.landscape.cost_micros[:, :, view.reported : end].sum(axis=2) * scale[..., None])

    def _shared(self, view: Account, multiplier: Floats, volume: Floats, drift: Floats) -> Floats:
        """The same multipliers, or one for all campaigns of a shared budget that would not hold those.

        Bids are in worth at target, so the campaigns' impressions sorted together are bought up to one multiplier.
        """
        for p in open_now(view):
            end, member = view.shared_open[p][1], view.shared_member[:, :, p]
            value = (
                self.landscape.value[:, :, view.reported : end].sum(axis=2)
                * (volume * view.target_cpa_micros)[..., None]
            )
            cost = self._cost(view, value * (1 - self.margin), volume * drift, end) * member[..., None]
            left = np.maximum(view.shared_micros[:, p] - view.shared_cost_micros[:, p], 0.0)
            most = _common_multiplier(cost, multiplier, left)
            multiplier = np.where(member > 0, np.minimum(multiplier, most[:, None]), multiplier)
        return multiplier

    def _volume(self, view: Account) -> Floats:
        """Traffic so far over the log's, pulled towards one while there is little of it."""
        before = self.landscape.traffic[:, :, : view.reported].sum(axis=2)
        prior = self.landscape.traffic.sum(axis=2) * 0.1
        return np.asarray((column(view.total, "impressions") + prior) / (before + prior))

    def _drift(self, memory: Memory, view: Account) -> Floats:
        """ln of cost over expected cost, slowly followed: prices today against the log's."""
        if view.reported == 0:
            return memory["drift"]
        spent = view.cost_micros - memory["cost"]
        floor = 0.002 * view.budget_micros
        error = np.log((spent + floor) / (memory["expected"] + floor))
        return np.clip(memory["drift"] + self.blend * np.clip(error, -1, 1), -1.0, 1.0)


def _interpolate(sums: Floats, multiplier: Floats) -> Floats:
    """Cumulative sums [L, C, BINS + 1] at a multiplier [L, C], linear in its logarithm."""
    place = np.log(multiplier / EDGES[0]) / np.log(EDGES[-1] / EDGES[0]) * BINS
    below = np.clip(place.astype(np.int64), 0, BINS - 1)
    low, high = _at(sums, below), _at(sums, below + 1)
    return np.asarray(low + (high - low) * (place - below))
