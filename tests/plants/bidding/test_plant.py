"""The simulated advertiser account behind the port."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from controller.errors import SettingsError, StateError
from controller.plants.bidding.incumbent import Pacing
from controller.plants.bidding.plant import DAY_US, LANES, TICK_US, AdAccount
from controller.plants.bidding.settings import BiddingSettings
from controller.settings import Site, load_site
from safety.decide import decide, situation
from safety.envelope import Envelope, fresh_memory, permitted
from safety.loading.spec import load_envelope
from safety.values import Command, Observation, Proposal, Ruling, Rung, Signal, Source
from simulators.bidding.controllers import BidAtTarget
from simulators.bidding.tools.evaluate import fly, soft_score
from simulators.bidding.world.build import another_flight
from simulators.bidding.world.scenario import resized, scenario
from simulators.bidding.world.streams import Noise
from tests.paths import ROOT

SITE = ROOT / "deploy" / "sites" / "bidding-demo"
NAMES = [f"multiplier_c{i}" for i in range(6)]


def site(**changes: Any) -> Site:
    """The demo's site, with other settings of its account."""
    read = load_site(SITE)
    own = {key: changes.pop(key) for key in list(changes) if key in BiddingSettings.model_fields}
    plant = read.settings.plant.model_copy(update=changes)
    settings = read.settings.model_copy(update={"plant": plant})
    return read.model_copy(update={"settings": settings, "plant_table": {**(read.plant_table or {}), **own}})


def account(*, seed: int = 1, snapshot: Path | None = None, **changes: Any) -> AdAccount:
    changed = site(**changes)
    settings = changed.plant_settings("bidding", BiddingSettings)
    return AdAccount(changed, settings, envelope(), seed=seed, snapshot=snapshot)


def envelope() -> Envelope:
    return load_envelope(SITE / "envelope.toml")


def commanded(plant: AdAccount, multiplier: float, *, until_us: int) -> None:
    """One multiplier for all campaigns, until plant time `until_us`."""
    setpoints = dict.fromkeys(NAMES, multiplier)
    plant.apply(Command(setpoints, Rung.INCUMBENT, until_us - plant.now_us, 1), decision="d")
    plant.advance(until_us)


def value(seen: Observation, name: str) -> list[float]:
    return [seen.signals[f"{name}_c{i}"].value for i in range(6)]


def test_each_day_begins_with_the_whole_budget() -> None:
    plant = account()
    commanded(plant, 1.0, until_us=plant.start_us + DAY_US - TICK_US)
    late = plant.observe()
    assert all(spent > 0 for spent in value(late, "spent_micros"))
    plant.advance(plant.start_us + DAY_US)
    fresh = plant.observe()
    assert value(fresh, "spent_micros") == [0.0] * 6
    assert value(fresh, "time_left_frac") == [1.0] * 6
    assert fresh.taken_at == plant.start_us + DAY_US


def test_seeds_are_other_days_of_the_same_campaigns() -> None:
    one, other = account(seed=1), account(seed=2)
    targets = value(one.observe(), "target_cpa_micros")
    for plant in (one, other):
        commanded(plant, 1.0, until_us=plant.start_us + 8 * TICK_US)
    seen = one.observe(), other.observe()
    assert value(seen[0], "bid_cap_micros") == value(seen[1], "bid_cap_micros")
    assert value(seen[0], "planned_frac") == value(seen[1], "planned_frac")
    assert value(seen[0], "impressions") != value(seen[1], "impressions")
    assert targets == value(account(seed=1).observe(), "target_cpa_micros")


def test_missing_or_expired_command_bids_nothing() -> None:
    plant = account()
    plant.advance(plant.start_us + 4 * TICK_US)
    assert value(plant.observe(), "wins") == [0.0] * 6
    commanded(plant, 1.0, until_us=plant.now_us + 20 * TICK_US)
    assert plant.lanes()["score"]["applied"] > 0
    plant.advance(plant.now_us + 2 * TICK_US)  # notices of the last wins
    plant.advance(plant.now_us + TICK_US)
    assert value(plant.observe(), "wins") == [0.0] * 6


def test_command_within_the_half_hour_waits_for_the_next() -> None:
    plant = account()
    plant.advance(plant.start_us + 20 * TICK_US + TICK_US // 2)
    commanded(plant, 2.0, until_us=plant.start_us + 21 * TICK_US)
    assert plant.lanes()["score"]["applied"] == 0.0
    assert plant.observe().signals["wins_c0"].age_us == 0
    commanded(plant, 2.0, until_us=plant.now_us + TICK_US + TICK_US // 4)
    assert plant.lanes()["score"]["applied"] > 0
    assert plant.observe().signals["wins_c0"].age_us == TICK_US // 4


def test_a_days_score_is_that_of_the_simulators_own_evaluation() -> None:
    plant = account()
    commanded(plant, 1.0, until_us=plant.start_us + DAY_US)
    params, noise = another_flight(
        resized(scenario("mixed"), 50_000.0), Noise("mixed", (3,), (0,)), 6, f"{plant.seed}/0"
    )
    end = fly(BidAtTarget(), params, noise).state
    target = params.target_cpa_micros.astype(np.float64)
    wanted = soft_score(end.expected_pico * 1e-12, end.incurred_micros.astype(np.float64), target) * target
    assert plant.lanes()["score"]["applied"] == pytest.approx(wanted.sum() / 1e6, rel=1e-9)


def test_offered_auctions_are_at_least_the_scored_ones() -> None:
    plant = account()
    commanded(plant, 2.5, until_us=plant.start_us + 2 * DAY_US)
    missed, score = plant.lanes()["cost"]["applied"], plant.lanes()["score"]["applied"]
    assert missed > 0
    assert missed + score == pytest.approx(plant.outcome().covariates["offered"])


def test_twins_meet_the_same_traffic_whatever_they_bid() -> None:
    plant = account()
    plant.command(LANES.index("candidate"), dict.fromkeys(NAMES, 2.0))
    commanded(plant, 0.5, until_us=plant.start_us + 6 * TICK_US)
    own, twin = plant.observation(0, None), plant.observation(LANES.index("candidate"), None)
    assert value(own, "impressions") == value(twin, "impressions")
    assert value(own, "spent_micros") != value(twin, "spent_micros")


@pytest.mark.parametrize(("hard_cost_ratio", "breaches"), [(1.0, True), (50.0, False)])
def test_conversions_far_too_dear_are_a_breach(hard_cost_ratio: float, breaches: bool) -> None:
    plant = account(hard_cost_ratio=hard_cost_ratio, hard_from_frac=0.0, scenario="cpa-bound")
    commanded(plant, 3.0, until_us=plant.start_us + DAY_US)
    assert (plant.lanes()["breach_s"]["applied"] > 0) is breaches


def test_a_saved_account_of_another_seed_is_refused(tmp_path: Path) -> None:
    plant = account(snapshot=tmp_path / "plant.sqlite")
    plant.advance(plant.start_us + TICK_US)
    plant.close()
    with pytest.raises(StateError, match="seed 1, this run of 2"):
        account(seed=2, snapshot=tmp_path / "plant.sqlite")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": None}, "midnight"),
        ({"campaigns": 5}, "disagree on these setpoints: multiplier_c5"),
        ({"campaigns": 0}, "`plant.bidding.campaigns`"),
        ({"kind": "cooling"}, "is of kind `cooling`, not `bidding`"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        account(**changes)


def test_disconnected_plant_refuses_commands_and_stops_bidding_at_expiry() -> None:
    plant = account(scenario="network-gap")  # from 12:00 to 14:00, and for half an hour at 07:00 and 18:00
    commanded(plant, 1.0, until_us=plant.start_us + 23 * TICK_US)
    plant.apply(Command(dict.fromkeys(NAMES, 1.0), Rung.INCUMBENT, 3 * TICK_US, 1), decision="d")
    plant.advance(plant.start_us + 24 * TICK_US)
    score = [plant.lanes()["score"]["applied"]]
    receipt = plant.apply(Command(dict.fromkeys(NAMES, 8.0), Rung.INCUMBENT, 3 * TICK_US, 2), decision="e")
    assert (receipt.accepted, receipt.detail) == (False, "the exchange cannot be reached")
    assert plant.observe().signals["cost_micros_c0"].age_us == TICK_US
    for tick in range(25, 29):
        plant.advance(plant.start_us + tick * TICK_US)
        score.append(plant.lanes()["score"]["applied"])
    assert score[0] < score[1] < score[2]
    assert score[2] == score[3] == score[4]
    assert plant.observe().signals["cost_micros_c0"].age_us == 0
    assert plant.apply(Command(dict.fromkeys(NAMES, 1.0), Rung.INCUMBENT, TICK_US, 2), decision="f").accepted


def test_late_reports_say_how_old_they_are() -> None:
    plant = account(scenario="late-reports")
    commanded(plant, 1.0, until_us=plant.start_us + 10 * TICK_US)
    seen = plant.observe().signals
    here = {"kill_switch", "billing_age_s"}  # the one is the console's own, the other says it in seconds
    assert {signal.age_us for name, signal in seen.items() if name not in here} == {2 * TICK_US}
    assert seen["billing_age_s"].value == 2 * TICK_US / 1e6


def test_the_account_adds_up_its_campaigns_and_its_days() -> None:
    plant = account()
    day_us = 48 * TICK_US
    commanded(plant, 1.0, until_us=plant.start_us + day_us - TICK_US)
    first = {name: signal.value for name, signal in plant.observe().signals.items()}
    budget = sum(value for name, value in first.items() if name.startswith("budget_micros_c"))
    spent = sum(value for name, value in first.items() if name.startswith("spent_micros_c"))
    assert (first["day_limit_micros"], first["day_spent_micros"]) == (budget, spent)
    assert first["account_spent_micros"] == spent > 0
    assert first["account_limit_micros"] == 90 * budget
    commanded(plant, 1.0, until_us=plant.start_us + day_us)
    second = plant.observe().signals
    assert second["day_spent_micros"].value == 0
    assert second["account_spent_micros"].value >= spent


def test_the_accounts_own_kill_switch_is_a_signal() -> None:
    plant = account()
    assert plant.observe().signals["kill_switch"].value == 0.0
    plant.killed = True
    assert plant.observe().signals["kill_switch"].value == 1.0


# -- the account under its envelope


def ruled(seen: Observation, wanted: dict[str, float]) -> Ruling:
    rules = envelope()
    own = Proposal(Source.INCUMBENT, wanted)
    return decide(
        seen, {Source.INCUMBENT: own}, Source.INCUMBENT, rules, fresh_memory(rules), elapsed_us=TICK_US, epoch=1
    )


def poor(spent_frac: float) -> Observation:
    """The start of a day, with that much of campaign 0's budget spent already."""
    seen = account().observe()
    budget = seen.signals["budget_micros_c0"].value
    spent = {"spent_micros_c0": Signal(float(int(budget * spent_frac)))}
    return Observation(seen.plant, seen.subject, seen.taken_at, {**seen.signals, **spent})


@pytest.mark.parametrize(("spent_frac", "first_out"), [(1.0, "BUDGET-C0"), (0.5, "PACE-C0"), (0.0, "")])
def test_money_that_is_not_there_is_not_bid(spent_frac: float, first_out: str) -> None:
    ruling = ruled(poor(spent_frac), dict.fromkeys(NAMES, 1.0))
    assert ruling.judgements[0].verdict.first_out == first_out
    assert (ruling.command.rung is Rung.INCUMBENT) is (first_out == "")


def test_the_incumbent_asks_only_for_what_is_permitted() -> None:
    seen, rules = poor(1.0), envelope()
    complete = Observation(
        seen.plant,
        seen.subject,
        seen.taken_at,
        seen.signals,
        permitted=permitted(rules, situation(seen, fresh_memory(rules), rules)),
    )
    proposal, _ = Pacing(6).propose(complete, Pacing(6).fresh)
    assert proposal.targets["multiplier_c0"] == 0.0
    assert proposal.targets["multiplier_c1"] == 1.0
    assert ruled(complete, dict(proposal.targets)).command.rung is Rung.INCUMBENT
