"""Auctions worked out by hand."""

import numpy as np
import pytest

from simulators.bidding.physics.auction import Fills, Terms, Wins, segment_sums, settle, slot_prices
from simulators.bidding.physics.params import EVENT_OVER_BID, EVENT_UNRENDERED
from simulators.bidding.world.traffic import Traffic


def traffic(
    prices: list[int],
    owners: list[int] | None = None,
    lifts: list[float] | None = None,
    events: list[int] | None = None,
    uniforms: list[float] | None = None,
    spares: list[float] | None = None,
) -> Traffic:
    """Impressions with the given prices, in order."""
    n = len(prices)
    owner = np.asarray(owners or [0] * n)
    groups = int(owner.max()) + 1
    return Traffic(
        campaigns=np.arange(groups),
        bounds=np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=groups))]),
        unwinnable=np.zeros(groups, dtype=np.int64),
        owner=owner,
        segment=owner * 3,
        lift=np.asarray(lifts or [1.0] * n, dtype=np.float32),
        price_micros=np.asarray(prices, dtype=np.int32),
        event=np.asarray(events or [0] * n, dtype=np.int32),
        uniform=np.asarray(uniforms or [0.99] * n),
        spare=np.asarray(spares or [0.5] * n),
    )


def auction(
    offers: Traffic, bid: float, available: int = 10**9, cap: int = 3000, first_price: bool = False, slots: int = 1
) -> tuple[Fills, Wins]:
    """Bid `bid` * lift on everything; clicks at 10 % and conversions at half of them."""
    groups = len(offers.campaigns)
    return settle(
        offers,
        Terms(
            bid_scale=np.full(3 * groups, bid, dtype=np.float32),
            value_rate=np.full(3 * groups, 0.05, dtype=np.float32),
            click_rate=np.full(3 * groups, 0.1, dtype=np.float32),
            conversion_rate=np.full(3 * groups, 0.5, dtype=np.float32),
            bid_cap_micros=np.full(groups, cap, dtype=np.int64),
            available_micros=np.full(groups, available, dtype=np.int64),
            over_bid=np.ones(groups, dtype=np.bool_),
            first_price=first_price,
            slots=slots,
        ),
    )


def test_second_price_pays_the_market_price_of_what_it_wins() -> None:
    fills, _ = auction(traffic([400, 900, 500, 1000]), bid=600.0)
    assert fills.wins.tolist() == [2]
    assert fills.charge_micros[0].tolist() == [900, 0, 0, 0, 0]
    assert fills.hold_micros[0].tolist() == [1200, 0, 0, 0, 0]
    assert fills.bid_micros.tolist() == [2400]


def test_first_price_pays_the_bid() -> None:
    fills, _ = auction(traffic([400, 900, 500]), bid=600.0, first_price=True)
    assert fills.charge_micros[0].tolist() == [1200, 0, 0, 0, 0]


def test_bid_at_the_floor_wins_and_below_never() -> None:
    fills, _ = auction(traffic([700, 700], owners=[0, 1], lifts=[1.0, 0.99]), bid=700.0)
    assert fills.wins.tolist() == [1, 0]
    assert fills.charge_micros[0, 0] == 700


def test_the_cap_limits_every_bid() -> None:
    fills, wins = auction(traffic([100]), bid=1e9, cap=3000)
    assert wins.bid_micros.tolist() == [3000]
    assert fills.charge_micros[0, 0] == 100


def test_bidding_stops_at_the_first_reservation_that_does_not_fit() -> None:
    # Room for 1000 + 600 of reservations: two wins of 600 leave less than a cap of 1000, so the third is not bid on.
    fills, _ = auction(traffic([100, 900, 100, 100, 100]), bid=600.0, available=2000, cap=1000)
    assert fills.wins.tolist() == [2]
    assert fills.hold_micros.sum() == 1200
    assert fills.throttled.tolist() == [1]


def test_one_campaign_running_dry_does_not_stop_another() -> None:
    fills, _ = auction(
        traffic([100] * 6, owners=[0, 0, 0, 1, 1, 1], lifts=[1, 1, 1, 0.1, 0.1, 0.1]), 1000.0, 2000, 1000
    )
    assert fills.wins.tolist() == [2, 3]
    assert fills.throttled.tolist() == [1, 0]


def test_a_budget_below_the_cap_never_bids() -> None:
    fills, _ = auction(traffic([1, 1]), bid=500.0, available=999, cap=1000)
    assert fills.wins.tolist() == [0]


def test_a_win_that_is_never_shown_costs_and_brings_nothing() -> None:
    fills, wins = auction(traffic([400], events=[EVENT_UNRENDERED | 4], uniforms=[0.0]), bid=600.0)
    assert fills.wins.tolist() == [1]
    assert fills.charge_micros.sum() == 0
    assert fills.hold_micros[0].tolist() == [0, 0, 0, 0, 600]
    assert (fills.clicks.tolist(), fills.expected_pico.tolist()) == ([0], [0])
    assert wins.conversion_chance.tolist() == [0.0]


def test_bill_above_the_bid_is_charged_at_the_bid() -> None:
    fills, _ = auction(traffic([400], events=[EVENT_OVER_BID], uniforms=[0.5]), bid=600.0)
    assert fills.charge_micros[0, 0] == 600
    assert fills.disputed_micros[0] == 1 + int(600 * 0.176 * 0.5)


def test_one_uniform_decides_click_and_conversion() -> None:
    fills, _ = auction(traffic([1, 1, 1], uniforms=[0.04, 0.09, 0.2]), bid=600.0)
    assert fills.clicks.tolist() == [2]
    assert fills.conversions.tolist() == [1]
    assert fills.expected_pico[0] == pytest.approx(3 * 0.05e12, rel=1e-6)


def test_three_slots_pay_the_rival_below() -> None:
    # spare 0.5 puts rivals at 400, 400 / 0.75 = 533 and 533 / 0.75 = 711; 0.5 * 4096 is whole, so every slot is shown.
    for bid, paid in ((399.0, 0), (400.0, 400), (540.0, 533), (720.0, 711)):
        fills, _ = auction(traffic([400], spares=[0.5]), bid=bid, slots=3)
        assert fills.charge_micros.sum() == paid


def test_lower_slot_that_is_not_shown_costs_nothing() -> None:
    hidden = traffic([400], spares=[0.5 + 0.7 / 4096])
    assert auction(hidden, bid=420.0, slots=3)[0].charge_micros.sum() == 0
    assert auction(hidden, bid=540.0, slots=3)[0].charge_micros.sum() == 533
    assert slot_prices(hidden).tolist() == [533]


def test_sums_between_bounds_are_exact_with_empty_groups() -> None:
    values = np.asarray([2**61, 1, 5], dtype=np.int64)
    assert segment_sums(values, np.asarray([0, 0, 2, 2, 3])).tolist() == [0, 2**61 + 1, 0, 5]
