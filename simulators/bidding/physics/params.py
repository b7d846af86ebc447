"""What a batch of accounts is made of: everything the step reads and never changes."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.bidding.world.curves import TICK_S

Array = Any  # a numpy array

SEGMENTS = 3
KIND_BODY = 0  # kinds 1.. are the atoms
CODE_LEVELS = 4096
EVENT_LEVELS = 1 << 16
BILL_SLOTS = 5  # a bill arrives 0 .. 3 ticks after the win; slot 4 is where an unbilled reservation expires
CONVERSION_SLOTS = 49
SLOT_EXPOSURE = (1.0, 0.8, 0.6)

LAG_MAX_TICKS = 6  # the longest a report may lag, a network gap included

EVENT_SLOT_MASK = 0b111
EVENT_UNRENDERED = 0b1000
EVENT_LATE_NOTICE = 0b10000
EVENT_DUPLICATE = 0b100000
EVENT_OVER_BID = 0b1000000


@dataclass(frozen=True, slots=True)
class Notices:
    """How the exchange's messages lag and fail. Rates are those of the real logs (facts, sections 3.2 and 5.2).

    `unrendered_frac`: wins whose advert is never shown: no bill, no click, no conversion; the reservation expires.
    `over_bid_frac`: bills above the bid, only on campaigns so marked (191,091 of 6.31 M impressions of three).
    """

    bill_delay_s: float = 300.0
    win_delay_s: float = 10.0
    unrendered_frac: float = 0.10
    duplicate_frac: float = 0.0037
    over_bid_frac: float = 0.0303


@dataclass(frozen=True, slots=True)
class Params:
    """Lanes L x campaigns C over T ticks. All money in integer micros (one millionth of the currency).

    `conversions` of a click and `predicted` conversions of a click [-] are per segment, [L, C, SEGMENTS]; where they
    differ the bidder's model is wrong. `winnable_rate` and `unwinnable_rate` are expected impressions of a tick
    [L, C, T]; `forecast` [L, C, T] is what the advertiser expects of the traffic, as shares of the flight.
    `code_row` [L, C, T] says which row of `code_table` mixes segments and atoms; `tracked_frac` [L, C, T] is the share
    of conversion notices that arrive at all. `floor_micros` [L, C, T] is the least price there is, and a rival asks
    `rival_micros` [L, C, T] times an impression's lift. `event_row` [L, T] picks a row of `event_table`.
    `report_level` [L, C, T] multiplies the counts that are reported; `rendered_frac` [L, C] is the usual share shown.

    A shared budget p of P holds for the campaigns `shared_member` [L, C, P] (0 or 1) from tick `shared_open[p][0]` to
    before `shared_open[p][1]`: `shared_micros` [L, P].

    Per tick, the same in all lanes: `bills_flow` and `notices_flow` say whether bills and conversion notices arrive;
    `silent_ticks` says for how long the bidder has been cut off, this tick included. `report_lag` [T + 1] is the age of
    the newest report. A command not renewed holds for `command_ticks`.
    """

    budget_micros: Array
    target_cpa_micros: Array
    bid_cap_micros: Array
    shape_row: Array
    code_row: Array
    code_table: Array
    atom_micros: Array
    click_rate: Array
    conversions: Array
    predicted: Array
    value_log_sd: Array
    price_corr: Array
    over_bid: Array
    conversion_delay_ticks: Array
    price_level: Array
    click_level: Array
    winnable_rate: Array
    unwinnable_rate: Array
    tracked_frac: Array
    forecast: Array
    floor_micros: Array
    rival_micros: Array
    event_table: Array
    event_row: Array
    report_level: Array
    rendered_frac: Array
    adaptive_gain: Array
    shared_micros: Array
    shared_member: Array
    shared_open: tuple[tuple[int, int], ...]
    bills_flow: tuple[bool, ...]
    notices_flow: tuple[bool, ...]
    silent_ticks: tuple[int, ...]
    report_lag: tuple[int, ...]
    command_ticks: int = 2
    first_price: bool = False
    slots: int = 1

    @property
    def shape(self) -> tuple[int, int]:
        """Lanes and campaigns."""
        return int(self.budget_micros.shape[0]), int(self.budget_micros.shape[1])

    @property
    def ticks(self) -> int:
        """Length of the episode [ticks]."""
        return int(self.forecast.shape[2])

    def lanes(self, rows: list[int]) -> "Params":
        """The parameters of some lanes, in the order given."""
        shared = {"code_table", "event_table"}
        values: dict[str, Array] = {f.name: getattr(self, f.name) for f in fields(self)}
        picked: dict[str, Array] = {
            n: v[rows] if n not in shared and isinstance(v, np.ndarray) else v for n, v in values.items()
        }
        return Params(**picked)

    @property
    def price_taking(self) -> bool:
        """Whether market prices are the same whatever we bid; only then is there a hindsight bound."""
        return not bool((self.adaptive_gain != 0).any())


def event_table(notices: Notices) -> NDArray[np.uint8]:
    """The events of a win, as bit fields over 65,536 equally likely levels.

    Events are the delay of its bill, a late notice, a duplicate, a charge over the bid, and not being rendered.

    A win at a uniform time of a tick of length T with an exponential delay of mean d is billed d' ticks later with
    P(d' > j) = (d / T) (1 - exp(-T / d)) exp(-(j T) / d). The tail beyond 3 ticks is put into 3. Events are
    independent, so their probabilities multiply; counts are rounded to whole levels.
    """
    slots = _slot_probabilities(notices.bill_delay_s)
    late = _late_probability(notices.win_delay_s)
    shares: dict[int, float] = {}
    for code, probability in (*enumerate(slots), (EVENT_UNRENDERED | (BILL_SLOTS - 1), notices.unrendered_frac)):
        rendered = not code & EVENT_UNRENDERED
        for flags in range(8):
            bits = (EVENT_LATE_NOTICE, EVENT_DUPLICATE, EVENT_OVER_BID)
            rates = (late, notices.duplicate_frac if rendered else 0.0, notices.over_bid_frac if rendered else 0.0)
            share = probability * (1 - notices.unrendered_frac) if rendered else probability
            full = code
            for place, (bit, rate) in enumerate(zip(bits, rates, strict=True)):
                on = bool(flags >> place & 1)
                share *= rate if on else 1 - rate
                full |= bit if on else 0
            shares[full] = shares.get(full, 0.0) + share
    return _levels(shares, EVENT_LEVELS)


def code_table(segment_fracs: NDArray[np.float64], atom_fracs: tuple[float, ...]) -> NDArray[np.uint8]:
    """Segment and price kind of an impression over 4,096 equally likely levels: code = 16 * segment + kind."""
    kinds = (1 - sum(atom_fracs), *atom_fracs)
    shares = {16 * s + k: float(seg) * kind for s, seg in enumerate(segment_fracs) for k, kind in enumerate(kinds)}
    return _levels(shares, CODE_LEVELS)


def _levels(shares: dict[int, float], levels: int) -> NDArray[np.uint8]:
    """Codes repeated in proportion to their shares, rounded so that every edge is within half a level."""
    edges = np.rint(np.cumsum(list(shares.values())) / sum(shares.values()) * levels).astype(np.int64)
    return np.repeat(np.asarray(list(shares), dtype=np.uint8), np.diff(edges, prepend=0))


def _late_probability(delay_s: float) -> float:
    """Share of events at a uniform time of a tick whose exponential delay of mean `delay_s` crosses its end."""
    return delay_s / TICK_S * -float(np.expm1(-TICK_S / delay_s)) if delay_s > 0 else 0.0


def _slot_probabilities(delay_s: float) -> list[float]:
    """Probability of a bill after 0, 1, 2, 3 ticks, the tail in the last."""
    if delay_s <= 0:
        return [1.0, 0.0, 0.0, 0.0]
    beyond = [_late_probability(delay_s) * float(np.exp(-j * TICK_S / delay_s)) for j in range(BILL_SLOTS - 2)]
    return [1 - beyond[0], beyond[0] - beyond[1], beyond[1] - beyond[2], beyond[2]]
