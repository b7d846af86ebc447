"""Signing in and acting, as a browser without script does it."""

import re

import pytest
from fastapi import FastAPI

from controller.api.access import AccessBook
from controller.api.authentication import COOKIE
from controller.api.roles import Role
from tests.api.web_client import WebClient
from tests.console.conftest import Browser
from tests.loop.fakes import FakeSite


def act(caller: WebClient, kind: str, **fields: str) -> tuple[int, str]:
    """Fill in and send the form of an act; the status and the page one ends on."""
    form = caller.get(f"/act/{kind}?plant=hall-a&trip={fields.get('trip_id', '')}").text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    answer = caller.post(f"/act/{kind}?plant=hall-a", data={**hidden, "reason": "because", **fields})
    if answer.status_code == 303:
        return 303, caller.get(answer.headers["location"]).text
    return answer.status_code, answer.text


def test_a_link_opens_the_console_once(app: FastAPI, access: AccessBook) -> None:
    browser, link = WebClient(app, {"Accept": "text/html"}), access.create_link("console", Role.APPROVER)
    welcome = browser.get(f"/login?token={link}")
    assert welcome.status_code == 200
    cookie = welcome.headers["set-cookie"]
    assert all(word in cookie for word in (COOKIE, "HttpOnly", "SameSite=strict", "Path=/"))
    assert browser.get("/").status_code == 200
    assert WebClient(app).get(f"/login?token={link}").status_code == 403


def test_login_page_without_a_link_names_the_login_command(app: FastAPI) -> None:
    assert "understudy login" in WebClient(app).get("/login").text


def test_signing_out_ends_the_session_in_the_book_too(browser: Browser) -> None:
    caller = browser("viewer")
    assert caller.post("/logout").headers["location"] == "/login"
    assert caller.get("/").headers["location"] == "/login"


def test_stop_is_one_post_confirmed_on_the_page(browser: Browser, site: FakeSite) -> None:
    caller = browser("operator")
    answer = caller.post("/act/stop?plant=hall-a")
    assert answer.status_code == 303
    site.tick()
    html = caller.get(answer.headers["location"]).text
    assert "stop: done" in html
    assert "The incumbent is in control" in html
    assert "STOP by operator" in html
    assert site.latched == ["STOP pressed in the console"]


def test_viewer_cannot_stop_and_sees_the_required_role(browser: Browser, site: FakeSite) -> None:
    assert browser("viewer").post("/act/stop?plant=hall-a").status_code == 403
    assert not site.latched


def test_a_post_from_another_site_is_refused(browser: Browser, site: FakeSite) -> None:
    answer = browser("operator").post("/act/stop?plant=hall-a", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    assert not site.latched


@pytest.mark.parametrize(("kind", "mode"), [("pause", "paused"), ("abort", "aborted"), ("trip", "tripped")])
def test_authority_is_taken_with_a_reason(browser: Browser, site: FakeSite, kind: str, mode: str) -> None:
    status, html = act(browser("operator"), kind)
    assert status == 303
    assert f"{kind}: done" in html
    assert site.mode == mode


def test_operator_sees_that_promotion_requires_an_approver(browser: Browser) -> None:
    caller = browser("operator")
    assert "This takes the role approver" in caller.get("/act/promote?plant=hall-a").text
    assert caller.post("/act/promote?plant=hall-a", data={"reason": "because"}).status_code == 403


def test_a_gate_that_has_not_passed_refuses_with_its_numbers(browser: Browser) -> None:
    status, html = act(browser("approver"), "promote")
    assert status == 422
    assert "paired blocks (41) &lt; required (100)" in html


def test_a_form_made_for_an_older_version_is_refused(browser: Browser, site: FakeSite) -> None:
    status, html = act(browser("approver"), "resume", version="6")
    assert status == 409
    assert "look again" in html


def test_a_second_click_is_the_same_change(browser: Browser, site: FakeSite) -> None:
    caller = browser("operator")
    for _ in range(2):
        caller.post("/act/pause?plant=hall-a", data={"key": "one-and-only", "reason": "because"})
    assert site.version == 8


def test_a_trip_is_reset_by_its_own_id(browser: Browser, site: FakeSite) -> None:
    site.trip("envelope", "zone 3 hot")
    trip_id = site.trips[0]["id"]
    assert act(browser("approver"), "reset", trip_id=trip_id)[0] == 303
    assert next(iter(site.handed.values())).intent.payload["trip_id"] == trip_id


def test_an_override_commands_the_whole_vector_for_a_time(browser: Browser, site: FakeSite) -> None:
    fields = {"setpoint.supply_air_c": "20.5", "setpoint.chw_supply_c": "8", "setpoint.fan_frac": "0.8"}
    status, html = act(browser("operator"), "override", what="command", for_min="30", **fields)
    assert status == 303
    assert site.override is not None
    assert site.override["setpoints"] == {"supply_air_c": 20.5, "chw_supply_c": 8.0, "fan_frac": 0.8}
    assert (site.override["scope"], site.override["for_s"]) == ("standing", 1800)
    assert "End the override" in html


def test_an_override_of_the_next_decision_refuses_the_candidate(browser: Browser, site: FakeSite) -> None:
    assert act(browser("operator"), "override", what="reject", for_min="0")[0] == 303
    assert next(iter(site.handed.values())).intent.payload == {
        "reason": "because",
        "reject": True,
        "scope": "next",
        "for_s": 0,
    }


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"reason": "x"}, "give a reason"),
        ({"what": "command", "setpoint.fan_frac": "fast"}, "is not a number"),
        ({"what": "command", "setpoint.fan_frac": "nan"}, "is not a number"),
        ({"for_min": "1e9"}, "an override lasts from 0 to 1440 minutes"),
        ({"version": "seven"}, "is not a version"),
    ],
)
def test_a_form_filled_in_wrongly_says_what_is_wrong(browser: Browser, fields: dict[str, str], words: str) -> None:
    status, html = act(browser("operator"), "override", **fields)
    assert status == 422
    assert words in html


def test_an_unknown_act_is_a_404(browser: Browser) -> None:
    assert browser("operator").post("/act/explode?plant=hall-a", data={}).status_code == 404
