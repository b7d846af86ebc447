"""One tick of half an hour for a batch of accounts: `step(state, action, params, noise) -> (state, outputs)`."""

from dataclasses import dataclass, fields, replace

import numpy as np

from simulators.bidding.physics.auction import Fills, Terms, Wins, settle
from simulators.bidding.physics.ledger import book, funds, joined, kept_back
from simulators.bidding.physics.params import CONVERSION_SLOTS, Array, Params
from simulators.bidding.physics.state import HISTORY, State
from simulators.bidding.world.streams import Noise
from simulators.bidding.world.traffic import CHUNK_IMPRESSIONS, Traffic, draw, impressions

PRESSURE_REFERENCE_FRAC = 0.3
PRESSURE_MAX = 0.7


@dataclass(frozen=True, slots=True)
class Outputs:
    """What happened in a tick, per lane and campaign [L, C], as it truly was (the bidder learns it later).

    Counts, micros, and `expected_conversions` [-]: the chance-weighted conversions of the shown impressions.
    """

    impressions: Array
    simulated: Array
    wins: Array
    incurred_micros: Array
    charged_micros: Array
    clicks: Array
    conversions: Array
    expected_conversions: Array
    throttled: Array


def step(
    state: State, multiplier: Array, params: Params, noise: Noise, chunk: int = CHUNK_IMPRESSIONS
) -> tuple[State, Outputs]:
    """Advance one tick. `multiplier` [L, C], >= 0: bid = multiplier * target CPA * predicted chance of a conversion.

    Pure; `noise` only names the streams. `chunk` bounds memory and changes no bit. Where the bidder is cut off the
    multiplier does not arrive: the last one that did is in force, and nothing is bid once it has expired. Raises
    `ValueError` when the flight is over or the multiplier has another shape or is not a finite number >= 0.
    """
    _check(state, multiplier, params)
    multiplier = _in_force(state, multiplier, params)
    money = funds(
        state.available_micros, state.shared_available_micros, params.shared_member, _open(params, state.tick)
    )
    fills: list[Fills] = []
    arrivals: list[Array] = []
    offered: list[Array] = []
    for draws in draw(noise, params, state.tick, chunk):
        traffic = _pressed(impressions(draws, params, state.tick), state)
        fill, wins = settle(traffic, terms(multiplier, money, params, traffic.campaigns, state.tick))
        fills.append(fill)
        arrivals.append(_arrivals(traffic, wins, params, state.tick))
        offered.append(fill.sampled + traffic.unwinnable)
    filled = Fills(*(_grid(np.concat([getattr(f, n.name) for f in fills]), params) for n in fields(Fills)))
    coming = _grid(_counts(np.concat(arrivals), params), params)
    after, outputs = _advance(state, filled, _grid(np.concat(offered), params), coming, params)
    return replace(after, standing=multiplier), outputs


def _in_force(state: State, multiplier: Array, params: Params) -> Array:
    """The multiplier that is bid with [L, C]: the one given, or the last one that arrived, until it expires."""
    silent = params.silent_ticks[state.tick]
    if silent == 0:
        return np.astype(multiplier, np.float64)
    return state.standing if silent < params.command_ticks else np.zeros_like(state.standing)


def _open(params: Params, tick: int) -> tuple[bool, ...]:
    """Whether each shared budget pays for what is won in this tick."""
    return tuple(first <= tick < last for first, last in params.shared_open)


def _check(state: State, multiplier: Array, params: Params) -> None:
    """The boundary of the step."""
    if state.tick >= params.ticks:
        raise ValueError(f"the flight of {params.ticks} ticks is over: reset before the next step")
    if tuple(multiplier.shape) != params.shape:
        raise ValueError(f"`multiplier` has shape {tuple(multiplier.shape)}, wanted {params.shape}: one per campaign")
    if not bool(np.all(np.isfinite(multiplier) & (multiplier >= 0))):
        raise ValueError("`multiplier` must be finite and not negative")


def terms(multiplier: Array, money: Array, params: Params, campaigns: Array, tick: int) -> Terms:
    """What some campaigns (flat indices [g]) bid with at `tick`, with `money` [L, C, micros] to reserve."""

    def pick(values: Array) -> Array:
        return np.take(np.reshape(values, (-1, *values.shape[2:])), campaigns, axis=0)

    level = pick(params.click_level[:, :, tick])[:, None]
    click_rate = pick(params.click_rate) * level
    value_rate = click_rate * pick(params.predicted)
    worth = pick(np.astype(multiplier, np.float64) * np.astype(params.target_cpa_micros, np.float64))
    return Terms(
        bid_scale=np.reshape(np.astype(worth[:, None] * value_rate, np.float32), (-1,)),
        value_rate=np.reshape(value_rate, (-1,)),
        click_rate=np.reshape(click_rate, (-1,)),
        conversion_rate=np.reshape(pick(params.conversions), (-1,)),
        bid_cap_micros=pick(params.bid_cap_micros),
        available_micros=pick(money),
        over_bid=pick(params.over_bid),
        first_price=params.first_price,
        slots=params.slots,
    )


def _pressed(traffic: Traffic, state: State) -> Traffic:
    """Prices as adaptive rivals ask them: times exp(pressure); untouched where there is no pressure."""
    if not bool(np.any(state.pressure != 0)):
        return traffic
    factor = np.take(np.exp(np.take(np.reshape(state.pressure, (-1,)), traffic.campaigns)), traffic.owner)
    values = {n.name: getattr(traffic, n.name) for n in fields(Traffic)}
    values["price_micros"] = np.clip(np.astype(traffic.price_micros * factor, np.int32), 1, None)
    return Traffic(**values)


def _arrivals(traffic: Traffic, wins: Wins, params: Params, tick: int) -> Array:
    """The place of each tracked conversion: flat index campaign * CONVERSION_SLOTS + delay [ticks].

    Given that an impression converts, its uniform u < p is uniform below p, and u / p serves twice more: its upper part
    decides whether tracking delivers the notice, the rest is an exponential delay. Too late counts as the ring's end.
    """
    at = np.nonzero(wins.uniform < wins.conversion_chance)[0]
    flat = np.take(traffic.campaigns, np.take(wins.owner, at))
    within = np.take(wins.uniform, at) / np.astype(np.take(wins.conversion_chance, at), np.float64)
    tracked = np.astype(np.take(np.reshape(params.tracked_frac[:, :, tick], (-1,)), flat), np.float64)
    kept = within < tracked
    rest = np.clip(within[kept] / tracked[kept], 1e-12, 1.0)
    mean = np.take(np.reshape(params.conversion_delay_ticks, (-1,)), flat[kept])
    delay = np.clip(np.astype(-np.log(rest) * mean, np.int64), 0, CONVERSION_SLOTS - 1)
    return flat[kept] * CONVERSION_SLOTS + delay


def _counts(places: Array, params: Params) -> Array:
    """Count each flat place: [L * C, CONVERSION_SLOTS]."""
    lanes, campaigns = params.shape
    edges = np.arange(lanes * campaigns * CONVERSION_SLOTS + 1)
    at = np.searchsorted(np.sort(places), edges)
    return np.reshape(at[1:] - at[:-1], (lanes * campaigns, CONVERSION_SLOTS))


def _grid(values: Array, params: Params) -> Array:
    """From flat campaigns [L * C, ...] to [L, C, ...]."""
    return np.reshape(values, (*params.shape, *values.shape[1:]))


def _advance(state: State, fills: Fills, offered: Array, coming: Array, params: Params) -> tuple[State, Outputs]:
    """Book the tick and shift everything that waits by one."""
    available, reserved, spent, hold, due = book(
        state.available_micros,
        state.reserved_micros,
        state.spent_micros,
        state.hold_micros + fills.hold_micros,
        state.due_micros + fills.charge_micros,
        params.bills_flow[state.tick],
    )
    incurred = np.sum(fills.charge_micros, axis=-1)
    waiting = state.conversions_due + coming
    seen = waiting[..., 0]
    flows = params.notices_flow[state.tick]
    seen = seen if flows else np.zeros_like(seen)
    shifted = np.concat([waiting[..., 1:], np.zeros_like(waiting[..., :1])], axis=-1) if flows else kept_back(waiting)
    row = _history_row(state, fills, offered, seen, params)
    row = np.concat([row, np.stack([spent - state.spent_micros, reserved - state.reserved_micros], axis=-1)], axis=-1)
    shared = _book_shared(state, fills, params)
    after = State(
        tick=state.tick + 1,
        available_micros=available,
        reserved_micros=reserved,
        spent_micros=spent,
        hold_micros=hold,
        due_micros=due,
        incurred_micros=state.incurred_micros + incurred,
        disputed_micros=state.disputed_micros + fills.disputed_micros,
        duplicates=state.duplicates + fills.duplicates,
        throttled_ticks=state.throttled_ticks + fills.throttled,
        expected_pico=state.expected_pico + fills.expected_pico,
        clicks=state.clicks + fills.clicks,
        conversions=state.conversions + fills.conversions,
        conversions_due=shifted,
        late_wins=fills.late_wins,
        late_paid_micros=fills.late_paid_micros,
        late_predicted_pico=fills.late_predicted_pico,
        recent=np.concat([row[:, :, None, :], state.recent[:, :, :-1, :]], axis=2),
        total=state.total + row,
        pressure=_pressure(state, fills, params),
        standing=state.standing,
        shared_available_micros=shared[0],
        shared_reserved_micros=shared[1],
        shared_spent_micros=shared[2],
        shared_hold_micros=shared[3],
        shared_due_micros=shared[4],
    )
    outputs = Outputs(
        impressions=offered,
        simulated=fills.sampled,
        wins=fills.wins,
        incurred_micros=incurred,
        charged_micros=spent - state.spent_micros,
        clicks=fills.clicks,
        conversions=fills.conversions,
        expected_conversions=np.astype(fills.expected_pico, np.float64) * 1e-12,
        throttled=fills.throttled,
    )
    return after, outputs


def _book_shared(state: State, fills: Fills, params: Params) -> tuple[Array, Array, Array, Array, Array]:
    """Record the tick in the shared budgets, each with the sums of its campaigns."""
    is_open, member = _open(params, state.tick), params.shared_member
    return book(
        state.shared_available_micros,
        state.shared_reserved_micros,
        state.shared_spent_micros,
        state.shared_hold_micros + joined(fills.hold_micros, member, is_open),
        state.shared_due_micros + joined(fills.charge_micros, member, is_open),
        params.bills_flow[state.tick],
    )


def _history_row(state: State, fills: Fills, offered: Array, seen: Array, params: Params) -> Array:
    """The tick as it is reported, in the order of HISTORY but for the ledger's two: [L, C, 9].

    Counts of others are reported with an error; bids, charges and reservations are the bidder's own books.
    """
    level = np.astype(params.report_level[:, :, state.tick], np.float64)

    def reported(count: Array) -> Array:
        return np.astype(np.round(np.astype(count, np.float64) * level), np.int64)

    columns = {
        "impressions": reported(offered),
        "sampled": fills.sampled,
        "bid_micros": fills.bid_micros,
        "value_pico": fills.value_pico,
        "wins": reported(state.late_wins + fills.wins - fills.late_wins),
        "paid_micros": reported(state.late_paid_micros + fills.paid_micros - fills.late_paid_micros),
        "conversions": seen,
        "clicks": reported(fills.clicks),
        "predicted_pico": reported(state.late_predicted_pico + fills.predicted_pico - fills.late_predicted_pico),
    }
    return np.stack([columns[name] for name in HISTORY[: len(columns)]], axis=-1)


def _pressure(state: State, fills: Fills, params: Params) -> Array:
    """Rivals raise their prices while we win more than a reference share of the winnable, and relax below it."""
    if params.price_taking:
        return state.pressure
    share = np.astype(fills.wins, np.float32) / np.astype(np.clip(fills.sampled, 1, None), np.float32)
    moved = state.pressure + params.adaptive_gain * (share - PRESSURE_REFERENCE_FRAC)
    return np.clip(moved, -PRESSURE_MAX, PRESSURE_MAX)
