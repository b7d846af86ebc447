"""The effect of each kind of event, and the report that the bidder gets during it."""

from dataclasses import replace

import numpy as np
import pytest

from simulators.bidding.physics.params import BILL_SLOTS, CONVERSION_SLOTS, Params
from simulators.bidding.physics.state import HISTORY, State, initial
from simulators.bidding.physics.step import Outputs, step
from simulators.bidding.world.build import build
from simulators.bidding.world.observation import account
from simulators.bidding.world.scenario import SCENARIOS, Event, Scenario, resized, scenario
from simulators.bidding.world.signals import signal_specs
from simulators.bidding.world.streams import Noise, streams
from simulators.bidding.world.traffic import Traffic, draw, impressions


def world(*events: Event, **changes: object) -> tuple[Params, Noise]:
    """The scenario `mixed` with some events and little traffic, 4 campaigns."""
    noise = streams(2, 1, "mixed")
    made = replace(resized(scenario("mixed"), 20_000.0), events=events, **changes)
    return build(made, noise, 4), noise


def fly(params: Params, noise: Noise, ticks: int, multiplier: float = 1.0) -> list[tuple[State, Outputs]]:
    """States and outputs after each of some ticks at one multiplier."""
    state, trail = initial(params), []
    for _ in range(ticks):
        state, outputs = step(state, np.full(params.shape, multiplier), params, noise)
        trail.append((state, outputs))
    return trail


def offers(params: Params, noise: Noise, tick: int) -> Traffic:
    """The impressions of a tick."""
    return impressions(next(iter(draw(noise, params, tick))), params, tick)


def test_stopped_bills_all_arrive_when_billing_resumes() -> None:
    params, noise = world(Event("billing", 10, 20))
    calm, _ = world()
    out, quiet = fly(params, noise, 24), fly(calm, noise, 24)
    assert all(outputs.charged_micros.sum() == 0 for _, outputs in out[10:20])
    held = [int(state.reserved_micros.sum()) for state, _ in out[9:20]]
    assert held == sorted(held)
    assert out[20][1].charged_micros.sum() > 5 * quiet[20][1].charged_micros.sum()
    assert out[20][0].reserved_micros.sum() < held[-1]


def test_withheld_conversions_come_in_one_burst_and_none_is_lost() -> None:
    params, noise = world(Event("notices", 8, 20))
    params = replace(params, click_rate=params.click_rate * 0 + 0.2, conversions=params.conversions * 0 + 0.5)
    seen = [int(s.recent[:, :, 0, HISTORY.index("conversions")].sum()) for s, _ in fly(params, noise, 40)]
    assert sum(seen[8:20]) == 0
    assert seen[20] > 3 * max(seen[:8])
    state = fly(params, noise, 40)[-1][0]
    assert state.total[..., HISTORY.index("conversions")].sum() + state.conversions_due.sum() == state.conversions.sum()
    assert state.conversions_due.shape[-1] == CONVERSION_SLOTS


def test_a_storm_of_duplicates_is_counted_and_charged_once() -> None:
    stormy, noise = world(Event("duplicates", 10, 20, 0.5))
    calm, _ = world()
    out, quiet = fly(stormy, noise, 30), fly(calm, noise, 30)
    wins = sum(int(o.wins.sum()) for _, o in out[10:20])
    doubled = int(out[19][0].duplicates.sum() - out[9][0].duplicates.sum())
    assert doubled == pytest.approx(0.45 * wins, rel=0.1)  # half of the nine in ten that are shown
    assert out[-1][0].incurred_micros.sum() == pytest.approx(quiet[-1][0].incurred_micros.sum(), rel=0.05)


def test_a_spike_multiplies_traffic_but_not_what_is_planned_with() -> None:
    spiky, _ = world(Event("traffic", 24, 28, 3.0))
    calm, _ = world()
    ratio = spiky.winnable_rate / calm.winnable_rate
    assert ratio[:, :, 24:28] == pytest.approx(3.0)
    assert ratio[:, :, :24] == pytest.approx(1.0)
    assert (spiky.budget_micros == calm.budget_micros).all()
    assert np.array_equal(spiky.forecast, calm.forecast)


def test_a_rival_who_bids_by_value_takes_the_better_impressions() -> None:
    rivalled, noise = world(Event("rival", 10, 20, 1.5))
    calm, _ = world()
    before, after = offers(calm, noise, 12), offers(rivalled, noise, 12)
    assert (after.price_micros >= before.price_micros).all()
    raised = after.price_micros > before.price_micros
    assert after.lift[raised].mean() > 1.05 * after.lift[~raised].mean()
    assert np.array_equal(offers(calm, noise, 25).price_micros, offers(rivalled, noise, 25).price_micros)


def test_a_new_floor_lifts_every_price_below_it() -> None:
    floored, noise = world(Event("floor", 10, 20, 60.0))
    calm, _ = world()
    before, after = offers(calm, noise, 12).price_micros, offers(floored, noise, 12).price_micros
    assert np.array_equal(after, np.maximum(before, 600))
    assert before.min() < 600


def test_a_click_farm_is_there_for_its_hours_only() -> None:
    params, noise = (
        build(resized(scenario("click-farm"), 60_000.0), streams(2, 1, "click-farm"), 4),
        streams(2, 1, "click-farm"),
    )

    def baited(tick: int) -> float:
        return float(np.mean(offers(params, noise, tick).segment % 3 == 2))

    assert baited(30) == pytest.approx(0.5, abs=0.02)
    assert baited(26) == baited(44) == 0.0


def test_disconnected_bidder_holds_its_command_until_expiry() -> None:
    params, noise = world(Event("gap", 20, 24), command_ticks=2)
    state = initial(params)
    wins = []
    for tick in range(26):
        commanded = np.full(params.shape, 5.0 if 20 <= tick < 24 else 1.0)
        state, outputs = step(state, commanded, params, noise)
        wins.append(int(outputs.wins.sum()))
    alike = fly(world()[0], noise, 21)
    assert wins[20] == int(alike[20][1].wins.sum())  # the command of tick 19 still holds, the new one never came
    assert wins[21:24] == [0, 0, 0]
    assert wins[24] > 0


def test_cut_off_the_bidder_sees_what_he_saw_before() -> None:
    params, noise = world(Event("gap", 10, 13))
    trail = fly(params, noise, 14)
    before = account(trail[8][0], params)  # before tick 9, the last one with a link
    for state, _ in trail[9:12]:
        seen = account(state, params)
        assert np.array_equal(seen.total, before.total)
        assert np.array_equal(seen.recent, before.recent)
        assert np.array_equal(seen.spent_micros, before.spent_micros)
    assert account(trail[12][0], params).total.sum() > before.total.sum()


@pytest.mark.parametrize("delay", [0, 1, 2])
def test_report_has_the_configured_age_and_consistent_money(delay: int) -> None:
    params, noise = world(report_delay_ticks=delay)
    trail = [initial(params), *(state for state, _ in fly(params, noise, 10))]
    seen = account(trail[10], params)
    reported = account(trail[10 - delay], replace(params, report_lag=(0,) * (params.ticks + 1)))
    for name in ("available_micros", "reserved_micros", "spent_micros", "cost_micros", "predicted", "total", "recent"):
        assert np.array_equal(getattr(seen, name), getattr(reported, name)), name
    assert (seen.available_micros + seen.reserved_micros + seen.spent_micros == seen.budget_micros).all()
    assert seen.tick == 10


def test_report_noise_changes_counts_but_not_money() -> None:
    params, noise = world(ranges=replace(scenario("late-reports").ranges))
    exact = replace(params, report_level=np.ones_like(params.report_level))
    noisy, true = (fly(p, noise, 30)[-1][0] for p in (params, exact))
    error = noisy.recent[..., HISTORY.index("impressions")] / np.maximum(
        true.recent[..., HISTORY.index("impressions")], 1
    )
    assert 0.02 < np.std(error) < 0.09
    assert (noisy.spent_micros == true.spent_micros).all()
    for name in ("charged_micros", "held_micros", "conversions", "sampled"):
        assert np.array_equal(noisy.total[..., HISTORY.index(name)], true.total[..., HISTORY.index(name)])


def test_a_gap_longer_than_reports_are_kept_is_refused() -> None:
    with pytest.raises(ValueError, match="reports would be 8 ticks old"):
        Scenario("x", "", report_delay_ticks=2, events=(Event("gap", 10, 16),))
    with pytest.raises(ValueError, match="not within the flight's 48 ticks"):
        Scenario("x", "", events=(Event("price", 40, 60, 1.1),))


def test_scenarios_come_in_three_difficulties() -> None:
    assert {world.difficulty for world in SCENARIOS.values()} == {"easy", "standard", "hard"}
    assert BILL_SLOTS == 5
    assert len(signal_specs(1)) == len({spec.name for spec in signal_specs(1)})
