"""What can be read: plants, decisions, explanations, rollout, breakers, overrides, events, intents."""

from dataclasses import replace

import pytest

from controller.api.explain import explain, story
from controller.protocol.status import decode
from safety.values import Finding, Latch, Outcome, Rung, Source, Tier
from tests.api.conftest import Client
from tests.loop.fakes import WALL_US, FakeSite


def test_plants_tell_who_is_in_control(client: Client) -> None:
    (plant,) = client("viewer").get("/v1/plants").json()
    assert plant == {
        "plant": "hall-a",
        "mode": "rollout",
        "in_control": "candidate",
        "stage": "4%",
        "trips": 0,
        "age_s": 0.0,
    }


def test_decisions_come_newest_first_and_page_without_gap_or_double(client: Client, site: FakeSite) -> None:
    caller, seen, before = client("viewer"), [], None
    while True:
        page = caller.get("/v1/plants/hall-a/decisions", params={"limit": 7, **({"before": before} if before else {})})
        seen += [line["id"] for line in page.json()["decisions"]]
        before = page.json()["next_before"]
        if before is None:
            break
    assert seen == [decision.id for decision in reversed(site.history)]


def test_a_decision_carries_the_reason_it_was_refused_for(client: Client, site: FakeSite) -> None:
    refused = next(decision for decision in site.history if decision.command.rung is Rung.INCUMBENT)
    reply = client("viewer").get(f"/v1/decisions/{refused.id}").json()
    assert "outside [6, 12] (T2-condensation)" in reply["reason"]
    assert reply["rung"] == "incumbent"
    assert reply["judged"][1]["accepted"] is False


def test_explanation_has_all_rule_margins_and_replays_to_the_bit(client: Client, site: FakeSite) -> None:
    reply = client("viewer").get(f"/v1/decisions/{site.history[3].id}/explain").json()
    assert (reply["replayed"], reply["identical"]) == (True, True)
    for judgement in reply["judgements"]:
        assert {margin["rule"] for margin in judgement["margins"]} == {rule.id for rule in site.envelope_held.rules}
        assert all(margin["hazard"] and margin["basis"] for margin in judgement["margins"])


def test_an_explanation_that_differs_names_the_field(site: FakeSite) -> None:
    decision = site.history[3]
    reply = explain(replace(decision, command=replace(decision.command, valid_for_us=1)), site.envelope_held)
    assert reply.identical is False
    assert ": command: stored " in reply.note


def test_explanation_without_the_envelope_keeps_the_recorded_reasons(site: FakeSite) -> None:
    reply = explain(site.history[7], None)
    assert not reply.replayed
    assert "is not held here" in reply.note
    assert any("T2-condensation" in sentence for sentence in reply.story)


def test_the_story_of_a_tick_names_the_late_candidate() -> None:
    site = FakeSite()
    site.tick(53)
    assert any("gave no usable answer (late)" in sentence for sentence in story(site.history[52]))


def test_explanation_names_a_latch_and_the_candidate_it_refused(site: FakeSite) -> None:
    first = Finding("T1-hot", Tier.T1, Outcome.VETO, -1.0, "state", "`zone_1_c` 33 C is outside [15, 32]")
    decision = site.history[3]
    memory = replace(decision.memory_after, latches=(Latch("T1-hot", first),))
    reply = list(story(replace(decision, memory_after=memory, without=(Source.CANDIDATE,))))
    assert (
        "T1-hot is latched, first by: `zone_1_c` 33 C is outside [15, 32]; the candidate is out until an operator resets it."
        in reply
    )
    assert "Kept out of this decision by guard, STOP, a breach or a failing record: candidate." in reply
    assert not any("latched" in sentence or "Kept out" in sentence for sentence in story(decision))


def test_nan_value_is_null_in_json(client: Client, site: FakeSite) -> None:
    site.tick(97 - len(site.history))
    reply = client("viewer").get(f"/v1/decisions/{site.history[96].id}").json()
    assert reply["signals"]["zone_4_c"] == {"value": None, "quality": "bad", "age_us": 90_000_000}
    assert client("viewer").get("/v1/plants/hall-a").json()["signals"]["zone_4_c"]["value"] is None


def test_the_rollout_tells_its_next_gate_with_numbers(client: Client) -> None:
    reply = client("viewer").get("/v1/plants/hall-a/rollout").json()
    assert reply["version"] == 7
    assert reply["gate"]["checks"][0]["reason"] == "paired blocks (41) < required (100)"


def test_breakers_tell_trips_with_their_first_cause(client: Client, site: FakeSite) -> None:
    site.trip("envelope", "zone 3 over 27 degC", critical=True)
    reply = client("viewer").get("/v1/plants/hall-a/breakers").json()
    assert reply["breaker"]["state"] == "tripped"
    assert reply["trips"][0]["first_out"] == "zone 3 over 27 degC"


def test_events_are_numbered_and_continue_after_a_number(client: Client, site: FakeSite) -> None:
    for text in ("one", "two", "three"):
        site.note("note", "system", text)
    reply = client("viewer").get("/v1/plants/hall-a/events", params={"after": 1}).json()
    assert [(event["number"], event["text"]) for event in reply] == [(2, "two"), (3, "three")]


@pytest.mark.parametrize("path", ["plants/hall-b", "plants/hall-b/decisions", "decisions/x.y.1", "intents/none"])
def test_what_is_not_there_is_a_404_problem(client: Client, path: str) -> None:
    answer = client("viewer").get(f"/v1/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:understudy:problem:not-found"


def test_a_spool_that_cannot_be_read_is_a_503_problem(client: Client, site: FakeSite) -> None:
    site.away = True
    answer = client("viewer").get("/v1/plants/hall-a")
    assert answer.status_code == 503
    assert "control process" in answer.json()["detail"]


def test_readiness_follows_the_age_of_the_status(client: Client, site: FakeSite) -> None:
    caller = client("nobody")
    assert caller.get("/readyz").status_code == 200
    site.wall_us = WALL_US - 11_000_000
    assert caller.get("/readyz").json() == {"ready": False, "control": "stale"}
    site.away = True
    assert caller.get("/readyz").json() == {"ready": False, "control": "away"}
    assert caller.get("/livez").status_code == 200


def test_a_status_with_parts_missing_is_read_with_defaults() -> None:
    live = decode('{"plant": "p", "at_us": 1, "signals": {"t": {"value": null}}, "unknown": 3}')
    assert live.signals["t"].value is None
    assert live.breaker.state == "unknown"
