"""The web process as it is started: it comes up without a store or a control process, and goes with its parent."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from controller.api.access import create_login_url, create_token
from controller.api.app import wall_us
from controller.processes.parent_watchdog import PARENT_PIPE
from controller.protocol.status import encode
from controller.records.spool import SqliteSpool
from tests.loop.fakes import FakeSite
from tests.paths import ROOT

DEMO = ROOT / "deploy" / "sites" / "demo"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def answered(url: str) -> httpx.Response:
    """The answer of a URL as soon as there is one."""
    until = time.monotonic() + 30
    while True:
        try:
            return httpx.get(url, timeout=5)
        except httpx.TransportError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def test_web_process_serves_a_site_until_its_parent_ends(tmp_path: Path) -> None:
    port, (ours, theirs) = free_port(), os.pipe()[::-1]
    folder = shutil.copytree(DEMO, tmp_path / "site")
    settings = folder / "site.toml"
    settings.write_text(settings.read_text().replace("port = 8800", f"port = {port}"))
    os.set_inheritable(theirs, True)
    process = subprocess.Popen(
        [sys.executable, "-m", "controller.processes.web", str(folder), str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, PARENT_PIPE: str(theirs)},
        pass_fds=[theirs],
    )
    os.close(theirs)
    try:
        serves(f"http://127.0.0.1:{port}", tmp_path)
    finally:
        os.close(ours)
        assert process.wait(15) == 0


def serves(base: str, state: Path) -> None:
    """Check the health and status routes before and after the control process publishes its status."""
    assert answered(f"{base}/livez").status_code == 200
    assert httpx.get(f"{base}/readyz").json() == {"ready": False, "control": "away"}
    site = FakeSite(plant="hall", wall_us=wall_us())
    site.tick(3)
    spool = SqliteSpool(state / "spool.sqlite")
    spool.publish_live(encode(site.status()))
    assert httpx.get(f"{base}/readyz").status_code == 200
    token = create_token(state, "test", "viewer", wall_us)
    reply = httpx.get(f"{base}/v1/plants/hall", headers={"Authorization": f"Bearer {token}"}).json()
    assert reply["in_control"] == "candidate"
    with httpx.Client() as browser:
        assert browser.get(create_login_url(state, base, wall_us)).status_code == 200
        assert "The candidate is in control" in browser.get(base).text
    spool.close()
