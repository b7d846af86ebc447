"""The gate: sessions post only from our own pages, bodies are bounded, and every answer carries its headers."""

import pytest
from fastapi import FastAPI

from controller.api.access import AccessBook
from controller.api.authentication import COOKIE
from controller.api.roles import Role
from tests.api.conftest import Client
from tests.api.web_client import WebClient

STOP = "/v1/plants/hall-a/stop"


@pytest.fixture
def browser(app: FastAPI, access: AccessBook) -> WebClient:
    redeemed = access.redeem_link(access.create_link("console", Role.APPROVER))
    assert redeemed is not None
    return WebClient(app, {"Cookie": f"{COOKIE}={redeemed[0]}"})


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "http://testserver:81", "file://testserver"])
def test_a_post_with_a_session_from_elsewhere_is_refused(browser: WebClient, origin: str | None) -> None:
    headers = {} if origin is None else {"Origin": origin}
    assert browser.change(STOP, {}, **headers).status_code == 403


def test_a_post_with_a_session_from_our_own_page_passes(browser: WebClient) -> None:
    assert browser.change(STOP, {}, Origin="http://testserver").status_code == 202


def test_a_session_may_read(browser: WebClient) -> None:
    assert browser.get("/v1/plants").status_code == 200


def test_a_wrong_token_does_not_fall_back_to_the_session(browser: WebClient) -> None:
    assert browser.get("/v1/plants", headers={"Authorization": "Bearer wrong"}).status_code == 401


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "Bearer ", "Bearer \u00e9"])
def test_request_without_a_known_bearer_token_is_unauthenticated(app: FastAPI, header: str) -> None:
    assert WebClient(app).get("/v1/plants", headers={"Authorization": header.encode()}).status_code == 401


def test_a_body_too_large_is_refused_before_it_is_read(client: Client) -> None:
    answer = client("operator").post(STOP, content=b"x" * (1 << 20) + b"y")
    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:understudy:problem:too-large"


def test_a_body_of_unknown_length_is_refused(client: Client) -> None:
    answer = client("operator").post(STOP, headers={"Transfer-Encoding": "chunked"})
    assert answer.status_code == 413


def test_browser_without_a_session_is_redirected_to_login(app: FastAPI) -> None:
    answer = WebClient(app).get("/", headers={"Accept": "text/html,application/xhtml+xml"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


def test_every_answer_forbids_inline_script_and_framing(client: Client) -> None:
    for path in ("/livez", "/v1/plants", "/nothing"):
        headers = client("viewer").get(path).headers
        assert "script-src 'self';" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
