"""The printed link, opened in a real browser, shows a live plant; STOP takes the candidate out and `start` gives it back."""

import os
import re
import shutil
import time
from pathlib import Path

import pytest

from tests.console.test_browser import ARGS
from tests.e2e.running import Running

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = [pytest.mark.needs("chromium"), pytest.mark.xdist_group("e2e")]
STOP_S = 2.0
PATIENCE_MS = 30_000
CANDIDATE, INCUMBENT = "The candidate is in control", "The incumbent is in control"


def test_console_stop_reverts_to_the_incumbent_within_two_seconds(running: Running, tmp_path: Path) -> None:
    executable = shutil.which(os.environ.get("UNDERSTUDY_CHROMIUM", "chromium"))
    errors: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=ARGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        expect = playwright.expect
        page.goto(running.login_link())
        headline, banner = page.locator("#banner h1"), page.locator("#banner")
        expect(headline).to_have_text(CANDIDATE, timeout=PATIENCE_MS)
        before = banner.inner_text()
        expect(banner).not_to_have_text(before, timeout=PATIENCE_MS, use_inner_text=True)
        expect(page.locator("#signals canvas")).to_be_visible(timeout=PATIENCE_MS)
        page.screenshot(path=tmp_path / "live.png")

        began_s = time.monotonic()
        page.click("#stop")
        expect(headline).to_have_text(INCUMBENT, timeout=1000 * STOP_S)
        expect(banner).to_contain_text(re.compile(r"mode\s*stopped"))
        took_s = time.monotonic() - began_s
        page.screenshot(path=tmp_path / "stopped.png")
        assert took_s < STOP_S
        assert running.live()["stop"]["active"]

        page.click("text=Take STOP back")
        page.fill("input[name=reason]", "the drill is over")
        page.click("main button, form button >> nth=-1")
        expect(headline).to_have_text(CANDIDATE, timeout=PATIENCE_MS)
        page.screenshot(path=tmp_path / "given-back.png")
        browser.close()
    (tmp_path / "stop-took").write_text(f"{took_s:.2f} s\n")
    assert not errors
