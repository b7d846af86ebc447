"""Auctions of one tick: bids against market prices, reservations before bids, notices after wins.

Everything that is summed is an integer, so sums are exact and do not depend on order or batch.
"""

from dataclasses import dataclass

import numpy as np

from simulators.bidding.physics.params import (
    BILL_SLOTS,
    EVENT_DUPLICATE,
    EVENT_LATE_NOTICE,
    EVENT_OVER_BID,
    EVENT_SLOT_MASK,
    EVENT_UNRENDERED,
    SLOT_EXPOSURE,
    Array,
)
from simulators.bidding.world.traffic import Traffic

PICO = 1e12
OVER_BID_MAX_FRAC = 0.176
SECOND_RIVAL_FRAC = (0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Terms:
    """What g campaigns bid with in one tick; `*_scale` and `*_rate` are per flat segment [g * SEGMENTS].

    A bid is `bid_scale` * lift [micros], at most `bid_cap_micros`; `value_rate` * lift is the predicted chance of a
    conversion; clicks come at `click_rate` * lift and convert at `conversion_rate`.
    """

    bid_scale: Array
    value_rate: Array
    click_rate: Array
    conversion_rate: Array
    bid_cap_micros: Array
    available_micros: Array
    over_bid: Array
    first_price: bool
    slots: int


@dataclass(frozen=True, slots=True)
class Wins:
    """Won impressions, flat [w], sorted by owner; campaign i of g has those between `bounds` [g + 1].

    `click_chance` and `conversion_chance` [-] are true, and zero where the advert was not shown. One `uniform` decides
    both: a conversion needs a click, and u < p_conversion implies u < p_click.
    """

    owner: Array
    segment: Array
    lift: Array
    click_chance: Array
    conversion_chance: Array
    bid_micros: Array
    price_micros: Array
    event: Array
    uniform: Array
    bounds: Array


@dataclass(frozen=True, slots=True)
class Fills:
    """Sums of a tick per campaign [g] (per bill slot [g, BILL_SLOTS] where said): counts, micros, 1e-12 conversions.

    `hold_micros` is reserved by slot of release, `charge_micros` what is billed by slot; `late_*` are wins whose
    notice comes next tick; `disputed_micros` was asked above the bid and refused.
    """

    sampled: Array
    bid_micros: Array
    value_pico: Array
    wins: Array
    late_wins: Array
    paid_micros: Array
    late_paid_micros: Array
    predicted_pico: Array
    late_predicted_pico: Array
    hold_micros: Array
    charge_micros: Array
    expected_pico: Array
    clicks: Array
    conversions: Array
    duplicates: Array
    disputed_micros: Array
    throttled: Array


def segment_sums(values: Array, bounds: Array) -> Array:
    """Sum integers [n] between consecutive `bounds` [g + 1]; exact, so independent of everything around."""
    total: Array = np.cumulative_sum(values, dtype=np.int64, include_initial=True)
    at = np.take(total, bounds)
    return at[1:] - at[:-1]


def bid(traffic: Traffic, terms: Terms) -> Array:
    """Bids [n, int32 micros]: scale * lift, rounded down, at most the cap."""
    wanted = np.take(terms.bid_scale, traffic.segment) * traffic.lift
    cap = np.take(np.astype(terms.bid_cap_micros, np.float32), traffic.owner)
    return np.astype(np.minimum(wanted, cap), np.int32)


def settle(traffic: Traffic, terms: Terms) -> tuple[Fills, Wins]:
    """Run the auctions of a tick.

    A bid is made only while a reservation of the full cap fits beside what this tick has won so far; the first that
    does not fit ends the campaign's bidding for the tick (`throttled`). A loss notice frees its reservation at once.
    """
    bids = bid(traffic, terms)
    won, throttled = _within_reserve(traffic, terms, bids, bids >= traffic.price_micros)
    wins = _collect(traffic, terms, bids, np.nonzero(won)[0])
    return _sum(traffic, terms, bids, wins, throttled), wins


def _within_reserve(traffic: Traffic, terms: Terms, bids: Array, won: Array) -> tuple[Array, Array]:
    """Drop wins from the first impression on whose full-cap reservation would not fit; and count who was stopped."""
    reserved = np.where(won, bids, 0)
    room = terms.available_micros - terms.bid_cap_micros
    short = segment_sums(reserved, traffic.bounds) > room
    if not bool(np.any(short)) and not bool(np.any(room < 0)):
        return won, np.astype(short, np.int64)
    running = np.cumulative_sum(np.astype(reserved, np.int64)) - reserved
    padded = np.concat([running, np.zeros(1, dtype=np.int64)])
    start = np.take(padded, traffic.bounds[:-1])
    fits = running - np.take(start, traffic.owner) <= np.take(room, traffic.owner)
    stopped = segment_sums(~fits, traffic.bounds) > 0
    return won & fits, np.astype(stopped, np.int64)


def _collect(traffic: Traffic, terms: Terms, bids: Array, at: Array) -> Wins:
    """Gather the won impressions and what each owes."""
    owner = np.take(traffic.owner, at)
    event = np.take(traffic.event, at)
    bid_micros, price = np.take(bids, at), np.take(traffic.price_micros, at)
    if terms.slots > 1:
        price, shown = _slot(bid_micros, price, np.take(traffic.spare, at))
        event = np.where(shown, event, event | EVENT_UNRENDERED | (BILL_SLOTS - 1))
    if terms.first_price:
        price = bid_micros
    segment, lift = np.take(traffic.segment, at), np.take(traffic.lift, at)
    shown_lift = np.where((event & EVENT_UNRENDERED) == 0, lift, np.zeros_like(lift))
    click_chance = np.take(terms.click_rate, segment) * shown_lift
    groups = np.arange(traffic.bounds.shape[0])
    return Wins(
        owner=owner,
        segment=segment,
        lift=lift,
        click_chance=click_chance,
        conversion_chance=click_chance * np.take(terms.conversion_rate, segment),
        bid_micros=bid_micros,
        price_micros=price,
        event=event,
        uniform=np.take(traffic.uniform, at),
        bounds=np.searchsorted(owner, np.astype(groups, owner.dtype)),
    )


def _rival_prices(least: Array, spare: Array) -> tuple[Array, Array, Array]:
    """Prices of slots 2 and 1 above `least`, the price of slot 3; and a uniform that decides what is shown."""
    low, high = SECOND_RIVAL_FRAC
    step = 1 / (low + (high - low) * spare)
    return np.astype(least * step, np.int32), np.astype(least * step * step, np.int32), (spare * 4096.0) % 1.0


def _slot(bid_micros: Array, least: Array, spare: Array) -> tuple[Array, Array]:
    """Generalised second price with three slots: price of the slot won, and whether that slot was shown.

    `least` wins the last slot; the rivals above it ask `least` / f and / f^2 with f uniform in SECOND_RIVAL_FRAC.
    Slot j is paid at the bid of the rival below it, and only if shown, with the chances SLOT_EXPOSURE.
    """
    second, first, looked = _rival_prices(least, spare)
    top, middle = bid_micros >= first, bid_micros >= second
    price = np.where(top, first, np.where(middle, second, least))
    exposure = np.where(top, SLOT_EXPOSURE[0], np.where(middle, SLOT_EXPOSURE[1], SLOT_EXPOSURE[2]))
    return price, looked < exposure


def slot_prices(traffic: Traffic) -> Array:
    """The cheapest slot of each impression that would have been shown [n, micros]: what hindsight would have bought."""
    second, first, looked = _rival_prices(traffic.price_micros, traffic.spare)
    return np.where(looked < SLOT_EXPOSURE[2], traffic.price_micros, np.where(looked < SLOT_EXPOSURE[1], second, first))


def _sum(traffic: Traffic, terms: Terms, bids: Array, wins: Wins, throttled: Array) -> Fills:
    """All sums of a tick, as integers."""
    value = np.astype(np.take(terms.value_rate, traffic.segment) * traffic.lift * PICO, np.int64)
    predicted = np.astype(np.take(terms.value_rate, wins.segment) * wins.lift * PICO, np.int64)
    rendered = (wins.event & EVENT_UNRENDERED) == 0
    owed = np.where(rendered, wins.price_micros, 0)
    over_bid = ((wins.event & EVENT_OVER_BID) != 0) & np.take(terms.over_bid, wins.owner)
    excess = np.astype(wins.bid_micros * (OVER_BID_MAX_FRAC * wins.uniform), np.int32) + 1
    charge = np.where(over_bid & rendered, wins.bid_micros, owed)
    late = (wins.event & EVENT_LATE_NOTICE) != 0
    slot = wins.event & EVENT_SLOT_MASK

    def total(values: Array) -> Array:
        return segment_sums(values, wins.bounds)

    def by_slot(values: Array) -> Array:
        return np.stack([total(np.where(slot == j, values, 0)) for j in range(BILL_SLOTS)], axis=1)

    return Fills(
        sampled=traffic.bounds[1:] - traffic.bounds[:-1],
        bid_micros=segment_sums(bids, traffic.bounds),
        value_pico=segment_sums(value, traffic.bounds),
        wins=wins.bounds[1:] - wins.bounds[:-1],
        late_wins=total(late),
        paid_micros=total(wins.price_micros),
        late_paid_micros=total(np.where(late, wins.price_micros, 0)),
        predicted_pico=total(predicted),
        late_predicted_pico=total(np.where(late, predicted, 0)),
        hold_micros=by_slot(wins.bid_micros),
        charge_micros=by_slot(charge),
        expected_pico=total(np.astype(wins.conversion_chance * PICO, np.int64)),
        clicks=total(wins.uniform < wins.click_chance),
        conversions=total(wins.uniform < wins.conversion_chance),
        duplicates=total((wins.event & EVENT_DUPLICATE) != 0),
        disputed_micros=total(np.where(over_bid & rendered, excess, 0)),
        throttled=throttled,
    )
