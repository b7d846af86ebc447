"""Auctions of one tick: bids against market prices, reservations before bids, notices after wins.

Everything that is summed is an integer, so sums are exact and do not depend on order or batch.
"""

from dataclasses import dataclass

from array_api_compat import array_namespace, device

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


def segment_sums(xp: Array, values: Array, bounds: Array) -> Array:
    """Sum integers [n] between consecutive `bounds` [g + 1]; exact, so independent of everything around."""
    total = xp.cumulative_sum(values, dtype=xp.int64, include_initial=True)
    at = xp.take(total, bounds)
    return at[1:] - at[:-1]


def bid(traffic: Traffic, terms: Terms) -> Array:
    """Bids [n, int32 micros]: scale * lift, rounded down, at most the cap."""
    xp = array_namespace(traffic.lift)
    wanted = xp.take(terms.bid_scale, traffic.segment) * traffic.lift
    cap = xp.take(xp.astype(terms.bid_cap_micros, xp.float32), traffic.owner)
    return xp.astype(xp.minimum(wanted, cap), xp.int32)


def settle(traffic: Traffic, terms: Terms) -> tuple[Fills, Wins]:
    """Run the auctions of a tick.

    A bid is made only while a reservation of the full cap fits beside what this tick has won so far; the first that
    does not fit ends the campaign's bidding for the tick (`throttled`). A loss notice frees its reservation at once.
    """
    xp = array_namespace(traffic.lift)
    bids = bid(traffic, terms)
    won, throttled = _within_reserve(traffic, terms, bids, bids >= traffic.price_micros)
    wins = _collect(traffic, terms, bids, xp.nonzero(won)[0])
    return _sum(traffic, terms, bids, wins, throttled), wins


def _within_reserve(traffic: Traffic, terms: Terms, bids: Array, won: Array) -> tuple[Array, Array]:
    """Drop wins from the first impression on whose full-cap reservation would not fit; and count who was stopped."""
    xp = array_namespace(bids)
    reserved = xp.where(won, bids, 0)
    room = terms.available_micros - terms.bid_cap_micros
    short = segment_sums(xp, reserved, traffic.bounds) > room
    if not bool(xp.any(short)) and not bool(xp.any(room < 0)):
        return won, xp.astype(short, xp.int64)
    running = xp.cumulative_sum(xp.astype(reserved, xp.int64)) - reserved
    padded = xp.concat([running, xp.zeros(1, dtype=xp.int64, device=device(running))])
    start = xp.take(padded, traffic.bounds[:-1])
    fits = running - xp.take(start, traffic.owner) <= xp.take(room, traffic.owner)
    stopped = segment_sums(xp, ~fits, traffic.bounds) > 0
    return won & fits, xp.astype(stopped, xp.int64)


def _collect(traffic: Traffic, terms: Terms, bids: Array, at: Array) -> Wins:
    """Gather the won impressions and what each owes."""
    xp = array_namespace(bids)
    owner = xp.take(traffic.owner, at)
    event = xp.take(traffic.event, at)
    bid_micros, price = xp.take(bids, at), xp.take(traffic.price_micros, at)
    if terms.slots > 1:
        price, shown = _slot(bid_micros, price, xp.take(traffic.spare, at))
        event = xp.where(shown, event, event | EVENT_UNRENDERED | (BILL_SLOTS - 1))
    if terms.first_price:
        price = bid_micros
    segment, lift = xp.take(traffic.segment, at), xp.take(traffic.lift, at)
    shown_lift = xp.where((event & EVENT_UNRENDERED) == 0, lift, xp.zeros_like(lift))
    click_chance = xp.take(terms.click_rate, segment) * shown_lift
    groups = xp.arange(traffic.bounds.shape[0], device=device(owner))
    return Wins(
        owner=owner,
        segment=segment,
        lift=lift,
        click_chance=click_chance,
        conversion_chance=click_chance * xp.take(terms.conversion_rate, segment),
        bid_micros=bid_micros,
        price_micros=price,
        event=event,
        uniform=xp.take(traffic.uniform, at),
        bounds=xp.searchsorted(owner, xp.astype(groups, owner.dtype)),
    )


def _rival_prices(least: Array, spare: Array) -> tuple[Array, Array, Array]:
    """Prices of slots 2 and 1 above `least`, the price of slot 3; and a uniform that decides what is shown."""
    xp = array_namespace(least)
    low, high = SECOND_RIVAL_FRAC
    step = 1 / (low + (high - low) * spare)
    return xp.astype(least * step, xp.int32), xp.astype(least * step * step, xp.int32), (spare * 4096.0) % 1.0


def _slot(bid_micros: Array, least: Array, spare: Array) -> tuple[Array, Array]:
    """Generalised second price with three slots: price of the slot won, and whether that slot was shown.

    `least` wins the last slot; the rivals above it ask `least` / f and / f^2 with f uniform in SECOND_RIVAL_FRAC.
    Slot j is paid at the bid of the rival below it, and only if shown, with the chances SLOT_EXPOSURE.
    """
    xp = array_namespace(bid_micros)
    second, first, looked = _rival_prices(least, spare)
    top, middle = bid_micros >= first, bid_micros >= second
    price = xp.where(top, first, xp.where(middle, second, least))
    exposure = xp.where(top, SLOT_EXPOSURE[0], xp.where(middle, SLOT_EXPOSURE[1], SLOT_EXPOSURE[2]))
    return price, looked < exposure


def slot_prices(traffic: Traffic) -> Array:
    """The cheapest slot of each impression that would have been shown [n, micros]: what hindsight would have bought."""
    xp = array_namespace(traffic.lift)
    second, first, looked = _rival_prices(traffic.price_micros, traffic.spare)
    return xp.where(looked < SLOT_EXPOSURE[2], traffic.price_micros, xp.where(looked < SLOT_EXPOSURE[1], second, first))


def _sum(traffic: Traffic, terms: Terms, bids: Array, wins: Wins, throttled: Array) -> Fills:
    """All sums of a tick, as integers."""
    xp = array_namespace(bids)
    value = xp.astype(xp.take(terms.value_rate, traffic.segment) * traffic.lift * PICO, xp.int64)
    predicted = xp.astype(xp.take(terms.value_rate, wins.segment) * wins.lift * PICO, xp.int64)
    rendered = (wins.event & EVENT_UNRENDERED) == 0
    owed = xp.where(rendered, wins.price_micros, 0)
    asked_over = ((wins.event & EVENT_OVER_BID) != 0) & xp.take(terms.over_bid, wins.owner)
    excess = xp.astype(wins.bid_micros * (OVER_BID_MAX_FRAC * wins.uniform), xp.int32) + 1
    charge = xp.where(asked_over & rendered, wins.bid_micros, owed)
    late = (wins.event & EVENT_LATE_NOTICE) != 0
    slot = wins.event & EVENT_SLOT_MASK

    def total(values: Array) -> Array:
        return segment_sums(xp, values, wins.bounds)

    def by_slot(values: Array) -> Array:
        return xp.stack([total(xp.where(slot == j, values, 0)) for j in range(BILL_SLOTS)], axis=1)

    return Fills(
        sampled=traffic.bounds[1:] - traffic.bounds[:-1],
        bid_micros=segment_sums(xp, bids, traffic.bounds),
        value_pico=segment_sums(xp, value, traffic.bounds),
        wins=wins.bounds[1:] - wins.bounds[:-1],
        late_wins=total(late),
        paid_micros=total(wins.price_micros),
        late_paid_micros=total(xp.where(late, wins.price_micros, 0)),
        predicted_pico=total(predicted),
        late_predicted_pico=total(xp.where(late, predicted, 0)),
        hold_micros=by_slot(wins.bid_micros),
        charge_micros=by_slot(charge),
        expected_pico=total(xp.astype(wins.conversion_chance * PICO, xp.int64)),
        clicks=total(wins.uniform < wins.click_chance),
        conversions=total(wins.uniform < wins.conversion_chance),
        duplicates=total((wins.event & EVENT_DUPLICATE) != 0),
        disputed_micros=total(xp.where(asked_over & rendered, excess, 0)),
        throttled=throttled,
    )
