"""The pages: whole without script, true without a store, and safe to show hostile text."""

import asyncio
import hashlib
import re
from dataclasses import replace

import pytest

from controller.api.services import Services
from controller.console.pages import FRAGMENTS, HERE
from controller.console.trends import charted, trends
from controller.console.watch import _changes
from tests.console.conftest import Browser
from tests.loop.fakes import WALL_US, ZONES, FakeSite


def test_the_page_follows_the_order_an_operator_reads_in(browser: Browser) -> None:
    html = browser("viewer").get("/").text
    parts = [
        'id="banner"',
        'id="signals"',
        'id="setpoint-trend"',
        'id="decisions"',
        'id="rollout"',
        'id="trips"',
        'id="stop"',
    ]
    places = [html.index(part) for part in parts]
    assert places == sorted(places)


def test_the_page_tells_control_reasons_gate_and_trips_without_script(browser: Browser, site: FakeSite) -> None:
    site.tick(2)  # the 32nd is refused
    site.trip("envelope", "zone 3 over 27 degC")
    html = browser("viewer").get("/").text
    for words in (
        "The incumbent is in control",
        "chw_supply_c",
        "(T2-condensation)",
        "paired blocks (41) &lt; required (100)",
        "tripped: zone 3 over 27 degC",
    ):
        assert words in html


def test_the_page_works_and_says_so_while_the_store_is_away(browser: Browser, site: FakeSite) -> None:
    site.store_away = True
    answer = browser("viewer").get("/")
    assert answer.status_code == 200
    assert "the store is not reachable" in answer.text


def test_without_a_control_process_the_page_says_so_and_keeps_stop(browser: Browser, site: FakeSite) -> None:
    site.away = True
    answer = browser("operator").get("/?plant=hall-a")
    assert answer.status_code == 503
    assert "No word from the control process" in answer.text
    assert "/act/stop?plant=hall-a" in answer.text


def test_a_plant_that_never_reported_is_waited_for(browser: Browser, site: FakeSite) -> None:
    site.history.clear()
    assert "has not reported yet" in browser("viewer").get("/").text


def test_hostile_text_is_shown_and_not_run(browser: Browser, site: FakeSite) -> None:
    site.trip("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>')
    html = browser("viewer").get("/").text
    assert "<script>alert" not in html
    assert "<img src=x" not in html


def test_no_page_has_inline_script_or_style(browser: Browser, site: FakeSite) -> None:
    caller = browser("approver")
    for path in ("/", f"/decisions/{site.history[7].id}", "/act/override?plant=hall-a", "/login"):
        html = caller.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\son\w+=|javascript:", html), path


def test_a_decision_is_explained_with_margins(browser: Browser, site: FakeSite) -> None:
    html = browser("viewer").get(f"/decisions/{site.history[7].id}").text
    assert "refused by T2-condensation" in html
    assert "identical to the bit" in html


def test_a_decision_without_its_envelope_says_that_margins_are_missing(browser: Browser, site: FakeSite) -> None:
    decision = site.history[7].id
    site.envelope = lambda digest: None  # type: ignore[method-assign]
    assert "recorded reasons only, no margins" in browser("viewer").get(f"/decisions/{decision}").text


@pytest.mark.parametrize("path", ["/decisions/nothing", "/act/nothing?plant=hall-a"])
def test_a_page_that_is_not_there_is_a_404_in_words(browser: Browser, path: str) -> None:
    answer = browser("viewer").get(path)
    assert answer.status_code == 404
    assert "No such" in answer.text


def test_the_stream_sends_only_what_changed_and_always_a_beat(site: FakeSite) -> None:
    found = Services(site, None, lambda: WALL_US, poll_s=0)  # type: ignore[arg-type]

    async def watch() -> list[bytes]:
        source = _changes(found, "hall-a")
        first, second = await anext(source), await anext(source)
        site.trip("envelope", "zone 3 hot")
        return [first, second, await anext(source)]

    first, second, third = asyncio.run(watch())
    assert all(f'hx-target="#{name}"'.encode() in first for name in FRAGMENTS)
    assert second == b'event: beat\ndata: {"tick":30,"decision":"%s"}\n\n' % site.history[-1].id.encode()
    assert b'hx-target="#trips"' in third
    assert b'hx-target="#decisions"' not in third


def test_every_line_of_a_stream_message_belongs_to_it(site: FakeSite) -> None:
    site.trip("a\n\nevent: beat\rdata: forged", "b\u2028c")
    found = Services(site, None, lambda: WALL_US, poll_s=0)  # type: ignore[arg-type]

    async def watch() -> bytes:
        return await anext(_changes(found, "hall-a"))

    message = asyncio.run(watch()).decode().split("event: beat\n")[0]
    assert all(line.startswith("data: ") for line in re.split(r"\r\n|\r|\n", message) if line)


def test_trends_align_what_was_wanted_with_what_was_applied(site: FakeSite) -> None:
    live = site.live("hall-a")
    assert live is not None
    told = trends(live, site.decisions("hall-a", limit=10))
    assert told["t_s"] == sorted(told["t_s"])
    supply = told["setpoints"]["supply_air_c"]
    assert {len(supply[who]) for who in ("applied", "incumbent", "candidate")} == {10}
    assert supply["applied"][-1] == site.history[-1].command.setpoints["supply_air_c"]
    assert (supply["low"], supply["high"]) == (18.0, 24.0)


def test_a_gap_in_a_signal_is_a_gap_in_its_trend(site: FakeSite) -> None:
    site.tick(97 - len(site.history))
    live = site.live("hall-a")
    assert live is not None
    assert trends(live, site.decisions("hall-a", limit=3))["signals"]["zone_4_c"]["values"][-1] is None


def test_the_signals_charted_are_those_with_limits(site: FakeSite) -> None:
    live = site.live("hall-a")
    assert live is not None
    assert charted(live) == list(ZONES)
    bare = {name: replace(signal, low=None, high=None) for name, signal in live.signals.items()}
    assert charted(replace(live, signals=bare)) == [*ZONES, "outdoor_wetbulb_c"]
    assert charted(replace(live, signals={})) == []


def test_vendored_files_are_what_their_page_says() -> None:
    vendor = HERE / "static" / "vendor"
    rows = re.findall(
        r"^\| (\S+) \| (\S+) \| ([\d.]+) \|.*\| (\w+) \|$", (vendor / "VENDORED.md").read_text(), re.MULTILINE
    )
    assert {name for name, *_ in rows} == {path.name for path in vendor.iterdir() if path.suffix in (".js", ".css")}
    for name, package, _, digest in rows:
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest, name
        assert (vendor / f"{package.removesuffix('.org').replace('uplot', 'uPlot')}.LICENSE").is_file()
