"""The web process is killed: the control process continues, and a signed-in user stays signed in."""

from pathlib import Path

import httpx
import pytest

from controller.api.access import create_login_url
from controller.api.app import wall_us
from tests.e2e.running import Running, eventually
from tests.e2e.test_outage import in_full

pytestmark = pytest.mark.xdist_group("e2e")


def test_a_killed_web_process_costs_no_tick_and_no_session(running: Running) -> None:
    control, policy = running.pid("control"), running.pid("policy")
    with httpx.Client(base_url=running.url, timeout=10) as browser:
        browser.get(create_login_url(running.state, running.url, wall_us))
        assert browser.get("/").status_code == 200
        before = running.live()["tick"]
        killed = running.kill("web")
        eventually(lambda: not Path(f"/proc/{killed}").exists(), "the web process gone")
        eventually(lambda: running.live()["tick"] >= before + 20, "twenty ticks without a web process")
        assert not running.serves() or running.pid("web") != killed
        eventually(running.ready, "the web process back")
        assert running.pid("web") != killed
        assert "in control" in browser.get("/").text
    assert (running.pid("control"), running.pid("policy")) == (control, policy)
    assert in_full(running)
