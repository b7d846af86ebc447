"""A real browser on a real server: the page updates, STOP works, and a lost connection is shown."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console.console_server import serving
from tests.loop.fakes import FakeSite

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = [pytest.mark.needs("chromium"), pytest.mark.xdist_group("chromium")]
ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def site() -> FakeSite:
    made = FakeSite()
    made.tick(60)
    return made


@pytest.fixture
def page(site: FakeSite, tmp_path: Path) -> Iterator[object]:
    """A signed-in page; any error in its console fails the test."""
    executable = shutil.which(os.environ.get("UNDERSTUDY_CHROMIUM", "chromium"))
    with serving(site, tmp_path) as url, playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=ARGS)
        opened, errors = browser.new_page(viewport={"width": 1280, "height": 800}), []
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        opened.goto(url)
        opened.wait_for_selector("#banner h1")
        yield opened
        browser.close()
        # A refused reconnection is what the page is there to tell; anything else is a fault of its own.
        assert not [error for error in errors if "503" not in error]


def test_stop_removes_the_candidate_and_shows_the_incumbent(page, site: FakeSite) -> None:  # type: ignore[no-untyped-def]
    playwright.expect(page.locator("#banner h1")).to_have_text("The candidate is in control")
    page.click("#stop")
    playwright.expect(page.locator(".told")).to_contain_text("stop: done")
    site.tick()
    playwright.expect(page.locator("#banner h1")).to_have_text("The incumbent is in control")
    playwright.expect(page.locator("#banner .flags .alarm")).to_contain_text("STOP by console")
    assert site.latched


def test_page_updates_without_a_reload(page, site: FakeSite) -> None:  # type: ignore[no-untyped-def]
    playwright.expect(page.locator("#signals canvas")).to_be_visible()
    playwright.expect(page.locator("#setpoint-trend canvas")).to_be_visible()
    site.trip("envelope", "zone 3 over 27 degC")
    site.tick()
    playwright.expect(page.locator("#trips")).to_contain_text("zone 3 over 27 °C")
    playwright.expect(page.locator("#decisions tbody tr").first).to_contain_text("incumbent")


def test_the_page_lives_however_late_a_script_of_it_comes(page, site: FakeSite) -> None:  # type: ignore[no-untyped-def]
    def late(route) -> None:  # type: ignore[no-untyped-def]
        page.wait_for_timeout(500)
        route.continue_()

    page.route("**/hx-sse.min.js", late)
    page.reload(wait_until="load")
    page.wait_for_timeout(500)
    site.trip("envelope", "zone 3 over 27 degC")
    site.tick()
    playwright.expect(page.locator("#trips")).to_contain_text("zone 3 over 27 °C")


def test_the_page_says_when_contact_is_lost(page, site: FakeSite) -> None:  # type: ignore[no-untyped-def]
    playwright.expect(page.locator("#lost")).to_be_hidden()
    site.away = True
    playwright.expect(page.locator("#lost")).to_be_visible(timeout=15_000)
