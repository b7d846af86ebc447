"""Changes: idempotency, versions, refusals, and a STOP that works whatever else does not."""

import pytest

from tests.api.conftest import Client
from tests.loop.fakes import FakeSite

PLANT = "/v1/plants/hall-a"
WHY = {"reason": "because I say so"}


def test_a_change_answers_with_its_intent_and_outcome(client: Client, site: FakeSite) -> None:
    answer = client("operator").change(f"{PLANT}/rollout/pause", WHY)
    assert answer.status_code == 202
    reply = answer.json()
    assert (reply["kind"], reply["outcome"], reply["actor"], reply["version"]) == ("pause", "applied", "operator", 8)
    assert client("viewer").get(f"/v1/intents/{reply['id']}").json() == reply
    assert site.mode == "paused"


def test_change_stays_pending_until_the_control_process_reads_it(client: Client, site: FakeSite) -> None:
    site.control_down = True
    reply = client("operator").change(f"{PLANT}/rollout/pause", WHY)
    assert (reply.status_code, reply.json()["outcome"]) == (202, "pending")


def test_the_same_key_is_the_same_change(client: Client, site: FakeSite) -> None:
    caller = client("operator")
    first = caller.change(f"{PLANT}/rollout/pause", WHY | {"expected_version": 7})
    again = caller.change(f"{PLANT}/rollout/pause", WHY | {"expected_version": 7})
    assert first.json() == again.json()
    assert site.version == 8
    assert len(site.handed) == 1


def test_a_key_used_for_another_change_is_refused(client: Client) -> None:
    caller = client("operator")
    caller.change(f"{PLANT}/rollout/pause", WHY)
    answer = caller.change(f"{PLANT}/rollout/abort", WHY)
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:understudy:problem:idempotency-key-reused"


def test_one_actors_key_is_not_anothers(client: Client, site: FakeSite) -> None:
    client("operator").change(f"{PLANT}/rollout/pause", WHY)
    client("approver").change(f"{PLANT}/rollout/abort", WHY)
    assert site.mode == "aborted"


def test_a_change_without_a_key_is_invalid(client: Client) -> None:
    answer = client("operator").post(f"{PLANT}/rollout/pause", json=WHY)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == "header.Idempotency-Key"


@pytest.mark.parametrize("by", ["header", "body"])
def test_change_for_a_past_version_is_a_409(client: Client, site: FakeSite, by: str) -> None:
    headers, body = ({"If-Match": '"6"'}, WHY) if by == "header" else ({}, WHY | {"expected_version": 6})
    answer = client("approver").change(f"{PLANT}/rollout/resume", body, **headers)
    assert answer.status_code == 409
    assert "at version 7, the change was made for 6" in answer.json()["detail"]
    assert not site.handed


@pytest.mark.parametrize("path", ["rollout/resume", "rollout/promote", "rollout/approve", "start", "breakers/reset"])
def test_giving_authority_needs_the_version_that_was_seen(client: Client, path: str) -> None:
    body = WHY | ({"trip_id": "x"} if path.endswith("reset") else {})
    answer = client("approver").change(f"{PLANT}/{path}", body)
    assert answer.status_code == 428
    assert answer.json()["type"] == "urn:understudy:problem:version-required"


@pytest.mark.parametrize("act", ["promote", "approve"])
def test_a_refusal_says_why_with_numbers(client: Client, act: str) -> None:
    answer = client("approver").change(f"{PLANT}/rollout/{act}", WHY, **{"If-Match": '"7"'})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "paired blocks (41) < required (100)"


@pytest.mark.parametrize("act", ["promote", "approve"])
def test_a_gate_is_skipped_with_a_reason(client: Client, site: FakeSite, act: str) -> None:
    body = WHY | {"skip_gate": True, "expected_version": 7}
    reply = client("approver").change(f"{PLANT}/rollout/{act}", body).json()
    assert reply["payload"] == {"reason": WHY["reason"], "skip_gate": True}


def test_stop_writes_the_latch_and_takes_the_candidate_out(client: Client, site: FakeSite) -> None:
    answer = client("operator").change(f"{PLANT}/stop", {"reason": "smell of smoke"})
    assert (answer.status_code, answer.json()["outcome"]) == (202, "applied")
    assert site.latched == ["smell of smoke"]
    site.tick()
    assert site.history[-1].command.rung == "incumbent"


def test_stop_holds_with_control_process_and_intents_down(client: Client, site: FakeSite) -> None:
    site.control_down = site.intents_away = True
    answer = client("operator").change(f"{PLANT}/stop", {})
    assert answer.status_code == 202
    assert answer.json()["detail"].startswith("the latch is written and holds")
    assert len(site.latched) == 1


def test_change_that_cannot_be_queued_is_a_503(client: Client, site: FakeSite) -> None:
    site.intents_away = True
    answer = client("operator").change(f"{PLANT}/rollout/pause", WHY)
    assert answer.status_code == 503


def test_an_override_commands_or_rejects_but_not_both(client: Client, site: FakeSite) -> None:
    caller, path = client("operator"), f"{PLANT}/override/next"
    setpoints = {"setpoints": {"supply_air_c": 20.0}}
    for wrong in ({}, setpoints | {"reject": True}):
        answer = caller.change(path, WHY | wrong)
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:understudy:problem:invalid")
    assert caller.change(path, WHY | setpoints).json()["payload"]["scope"] == "next"
    assert client("viewer").get(f"{PLANT}/override").json()["override"]["setpoints"] == {"supply_air_c": 20.0}


def test_a_standing_override_is_bounded_in_time(client: Client) -> None:
    body = WHY | {"reject": True, "for_s": 100_000}
    answer = client("operator").change(f"{PLANT}/override/standing", body)
    assert answer.status_code == 422
    assert "limit of 86400 s" in answer.json()["detail"]


def test_an_override_is_cleared(client: Client, site: FakeSite) -> None:
    caller = client("operator")
    caller.change(f"{PLANT}/override/standing", WHY | {"reject": True, "for_s": 600})
    caller.change(f"{PLANT}/override/clear", WHY, key="another-key")
    assert site.override is None


def test_acts_are_listed_newest_first(client: Client) -> None:
    caller = client("operator")
    caller.change(f"{PLANT}/rollout/pause", WHY, key="first-key")
    caller.change(f"{PLANT}/rollout/abort", WHY, key="second-key")
    assert [act["kind"] for act in client("viewer").get(f"{PLANT}/intents").json()] == ["abort", "pause"]
