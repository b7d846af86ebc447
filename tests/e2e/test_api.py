"""The API on the running system: overrides, explanations, the event stream, and a change made for a version that has gone."""

import json
import uuid
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from controller.cli import app
from tests.e2e.running import Running, eventually

pytestmark = pytest.mark.xdist_group("e2e")
PLANT = "/v1/plants/hall"


def change(client: httpx.Client, path: str, body: dict[str, Any]) -> httpx.Response:
    return client.post(f"{PLANT}/{path}", json=body, headers={"Idempotency-Key": uuid.uuid4().hex})


def test_an_override_of_the_next_decision_commands_once(running: Running, approver: httpx.Client) -> None:
    body = {"setpoints": {"supply_air_c": 21.0}, "reason": "one cooler moment"}
    handed = change(approver, "override/next", body)
    assert handed.status_code == 202, handed.text
    assert handed.json()["outcome"] == "applied"
    overridden = eventually(
        lambda: [d for d in running.spool.recent(100) if d.assignment.override == handed.json()["id"]],
        "the overridden decision",
    )
    assert [d.command.rung.value for d in overridden] == ["operator"]
    eventually(lambda: running.in_control() == "candidate", "the candidate in control again")


def test_a_standing_override_lasts_until_it_is_cleared(
    running: Running, viewer: httpx.Client, approver: httpx.Client
) -> None:
    body = {"reject": True, "reason": "no experiments now", "for_s": 80_000}
    assert change(approver, "override/standing", body).json()["outcome"] == "applied"
    eventually(lambda: running.status(viewer)["mode"] == "override", "the mode")
    reply = viewer.get(f"{PLANT}/override").json()["override"]
    assert (reply["reject"], reply["reason"]) == (True, "no experiments now")
    assert running.in_control() == "incumbent"
    assert change(approver, "override/clear", {"reason": "go on"}).json()["outcome"] == "applied"
    eventually(lambda: running.status(viewer)["mode"] == "rollout", "the mode before")


def test_an_explanation_is_what_replay_says(running: Running, viewer: httpx.Client) -> None:
    name = viewer.get(f"{PLANT}/decisions", params={"limit": 1}).json()["decisions"][0]["id"]
    reply = viewer.get(f"/v1/decisions/{name}/explain").json()
    argv = ["replay", name, "--site", str(running.site), "--state", str(running.state)]
    replayed = CliRunner().invoke(app, argv)
    assert replayed.exit_code == 0, replayed.output
    assert "the same to the last bit" in replayed.output
    assert (reply["replayed"], reply["identical"]) == (True, True)
    lines = [line.strip() for line in replayed.output.replace("\n    ", " ").splitlines()]
    for judged in reply["judgements"]:
        verdict = "accepted" if judged["accepted"] else f"refused by {judged['first_out']}"
        assert f"{judged['rung']}: {verdict}" in lines
    words = " ".join(replayed.output.split())
    command = ", ".join(f"{name} {value:.6g}" for name, value in reply["decision"]["setpoints"].items())
    assert f"command: {command}" in words


def test_the_event_stream_delivers_decisions_as_they_are_made(running: Running, viewer: httpx.Client) -> None:
    seen: list[str] = []
    with viewer.stream("GET", f"{PLANT}/events/stream") as answer:
        kind = ""
        for line in answer.iter_lines():
            kind = line.removeprefix("event: ") if line.startswith("event: ") else kind
            if kind == "decision" and line.startswith("data: "):
                seen.append(json.loads(line.removeprefix("data: "))["id"])
            if len(seen) == 3:
                break
    assert len(set(seen)) == 3
    assert all(running.spool.decision(name) is not None for name in seen)


def test_a_change_made_for_another_version_is_refused_as_stale(
    running: Running, viewer: httpx.Client, approver: httpx.Client
) -> None:
    version = running.status(viewer)["version"]
    answer = change(approver, "rollout/pause", {"reason": "looked too long", "expected_version": version - 1})
    assert answer.status_code == 409
    assert f"version {version}" in answer.json()["detail"]
    assert running.status(viewer)["version"] == version


def test_a_viewer_may_not_change_anything(viewer: httpx.Client) -> None:
    assert change(viewer, "rollout/pause", {"reason": "because"}).status_code == 403
