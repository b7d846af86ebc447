"""Default deny: who may use which route, walked from the schema so that no route can be forgotten."""

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI

from controller.api.access import AccessBook
from controller.api.app import create_app
from tests.api.conftest import Client
from tests.loop.fakes import FakeSite

ROLES = ("nobody", "viewer", "operator", "approver")
DE_ESCALATION = ("/stop", "/rollout/abort", "/rollout/pause", "/breakers/trip")
ESCALATION = ("/start", "/rollout/promote", "/rollout/approve", "/rollout/resume", "/breakers/reset")


def operations(app: FastAPI) -> list[tuple[str, str, str]]:
    """(method, path with values, lowest role) of every operation of the schema but endless streams."""
    document = app.openapi()
    return [
        (method.upper(), _filled(path), operation["x-role"])
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if not path.endswith("/stream")
    ]


def _filled(path: str) -> str:
    values = {"plant": "hall-a", "decision_id": "hall-a.plant.1", "intent_id": "none"}
    return path.format(**values)


@pytest.mark.parametrize("role", ROLES)
def test_every_route_admits_its_role_and_above_and_nobody_below(app: FastAPI, client: Client, role: str) -> None:
    caller = client(role)
    for method, path, lowest in operations(app):
        status = caller.request(method, path, headers={"Idempotency-Key": f"{role}-{path}"}).status_code
        if lowest == "none":
            assert status == 200, path
        elif role == "nobody":
            assert status == 401, path
        elif ROLES.index(role) < ROLES.index(lowest):
            assert status == 403, path
        else:
            assert status not in (401, 403), path


def test_only_health_is_open_in_the_schema(app: FastAPI) -> None:
    assert {path for _, path, role in operations(app) if role == "none"} == {"/livez", "/readyz"}


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/openapi.json", "/metrics", "/nothing/here", "/docs"])
def test_unknown_route_is_denied(client: Client, path: str) -> None:
    assert client("nobody").get(path).status_code == 401


def test_taking_authority_needs_an_operator_and_giving_it_an_approver(app: FastAPI) -> None:
    lowest = {path.removeprefix("/v1/plants/hall-a"): role for _, path, role in operations(app)}
    assert {lowest[path] for path in DE_ESCALATION} == {"operator"}
    assert {lowest[path] for path in ESCALATION} == {"approver"}


def test_a_stream_is_denied_without_a_token(client: Client) -> None:
    assert client("nobody").get("/v1/plants/hall-a/events/stream").status_code == 401


def test_a_route_that_names_no_role_stops_the_start(site: FakeSite, access: AccessBook) -> None:
    router = APIRouter()

    @router.get("/v1/forgotten")
    async def forgotten() -> dict[str, Any]:
        return {}

    with pytest.raises(ValueError, match="names no role"):
        create_app(site, access, routers=[router])
