"""What the web process counts of its own requests."""

from pathlib import Path

import pytest

from controller.api.access import FILE, AccessBook
from controller.api.app import create_app
from controller.api.roles import Role
from controller.api.services import Services
from controller.console.app import install_console
from tests.api.web_client import WebClient
from tests.loop.fakes import WALL_US, FakeSite


@pytest.fixture
def clients(tmp_path: Path) -> tuple[WebClient, WebClient, Services]:
    """A client with a token, an unauthenticated client, and the services behind."""
    site = FakeSite()
    site.tick(3)
    book = AccessBook(tmp_path / FILE, lambda: WALL_US)
    app = install_console(create_app(site, book, push_plants=["hall-a"], now_us=lambda: WALL_US, settle_s=0.01))
    token = book.create_token("scraper", Role.VIEWER)
    return WebClient(app, {"Authorization": f"Bearer {token}"}), WebClient(app), app.state.services


def test_requests_denials_and_sign_ins_are_counted(clients: tuple[WebClient, WebClient, Services]) -> None:
    known, nobody, found = clients
    known.get("/v1/plants")
    known.post("/v1/plants/hall-a/stop", json={})
    nobody.get("/v1/plants")
    nobody.get("/login?token=wrong")
    value = found.metrics.registry.get_sample_value
    assert value("understudy_http_requests_total", {"area": "api", "method": "GET", "code": "2xx"}) == 1
    assert value("understudy_http_requests_total", {"area": "api", "method": "GET", "code": "4xx"}) == 1
    assert value("understudy_denied_requests_total", {"reason": "forbidden"}) == 2  # a viewer's STOP, and a used link
    assert value("understudy_denied_requests_total", {"reason": "unauthenticated"}) == 1
    assert value("understudy_sign_ins_total", {"sign_in": "refused"}) == 1
    assert value("understudy_http_request_seconds_count", {"area": "api"}) == 3


def test_changes_are_counted_by_their_outcome(clients: tuple[WebClient, WebClient, Services]) -> None:
    _, nobody, found = clients
    token = found.access.create_token("op", Role.OPERATOR)
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "a-key-of-mine"}
    body = {"reason": "because", "expected_version": 3}
    nobody.post("/v1/plants/hall-a/rollout/pause", json=body, headers=headers)
    nobody.post("/v1/plants/hall-a/stop", json={}, headers=headers)
    value = found.metrics.registry.get_sample_value
    assert value("understudy_changes_total", {"act": "pause", "result": "stale"}) == 1
    assert value("understudy_changes_total", {"act": "stop", "result": "applied"}) == 1


def test_the_web_target_needs_a_viewer(clients: tuple[WebClient, WebClient, Services]) -> None:
    known, nobody, _ = clients
    assert nobody.get("/metrics").status_code == 401
    answer = known.get("/metrics")
    assert answer.status_code == 200
    assert "understudy_live_age_seconds" in answer.text
