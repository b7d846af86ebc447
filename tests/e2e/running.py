"""A whole system as a person starts it, `understudy run`, and what a test does to it from outside."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from controller.api.access import create_token
from controller.api.app import wall_us
from controller.records.spool_reader import SpoolReader
from controller.settings import load_site
from tests.e2e.sites import ROOT

T = TypeVar("T")
MODULES = {
    b"controller.processes.control": "control",
    b"controller.policies.server": "policy",
    b"controller.processes.shipper": "shipper",
    b"controller.processes.web": "web",
}
PATIENCE_S = 120.0


def eventually(look: Callable[[], T | None], what: str, within_s: float = PATIENCE_S) -> T:
    """What `look` returns as soon as it is something; fails when that takes too long."""
    until_s = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < until_s, f"not within {within_s:g} s: {what}"
        time.sleep(0.02)


class Running:
    """One `understudy run`, its state directory and its ports."""

    def __init__(self, process: "subprocess.Popen[str]", site: Path, state: Path, output: Path) -> None:
        self.process, self.site, self.state, self.output = process, site, state, output
        self.settings = load_site(site).settings
        self.plant = self.settings.plant.name
        self.spool = SpoolReader(state / "spool.sqlite")
        self.web = f"127.0.0.1:{self.settings.web.port}"
        self.metrics = f"127.0.0.1:{self.settings.web.metrics_port}"
        self.url = f"http://{self.web}"

    def login_link(self) -> str:
        """The link that was printed."""
        return eventually(lambda: re.search(r"console: (http\S+)", self.output.read_text()), "the login link")[1]

    def client(self, role: str) -> httpx.Client:
        """An API client with a token of that role."""
        token = create_token(self.state, f"{role} of a test", role, wall_us)
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=10)

    def status(self, viewer: httpx.Client) -> dict[str, Any]:
        """The plant's live status over the API."""
        answer = viewer.get(f"/v1/plants/{self.plant}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def live(self) -> dict[str, Any]:
        """The live status as control wrote it, whatever the web process does."""
        return dict(json.loads(self.spool.live() or "{}"))

    def in_control(self) -> str:
        """The rung in control."""
        return str(self.live()["in_control"])

    def count(self) -> int:
        """The number of decisions made so far."""
        return self.spool.count()

    def pid(self, kind: str) -> int:
        """The process of that kind that runs now: control, policy, shipper or web."""
        return eventually(lambda: self._pids().get(kind), f"a `{kind}` process")

    def kill(self, kind: str) -> int:
        """Kill the process of that kind without a word; returns its number."""
        pid = self.pid(kind)
        os.kill(pid, signal.SIGKILL)
        return pid

    def ready(self) -> bool:
        """Whether the web process serves and has heard of control."""
        return self._answers("/readyz")

    def serves(self) -> bool:
        """Whether the web process serves."""
        return self._answers("/livez")

    def _answers(self, path: str) -> bool:
        assert self.process.poll() is None, self.output.read_text()
        try:
            return httpx.get(self.url + path, timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def _pids(self) -> dict[str, int]:
        try:
            return dict(_descendants(self.process.pid))
        except (FileNotFoundError, ProcessLookupError):  # one of them has just ended
            return {}


def _descendants(pid: int) -> Iterator[tuple[str, int]]:
    """The processes under `pid`, each as what it is."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            yield from ((kind, child) for module, kind in MODULES.items() if module in words)
            yield from _descendants(child)


@contextmanager
def started(site: Path, folder: Path, *options: str) -> Iterator[Running]:
    """`understudy run` on `site`, ended as Ctrl-C ends it."""
    state, output = folder / "state", folder / "said"
    argv = [sys.executable, "-m", "controller.cli", "run", "--site", str(site), "--state", str(state), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with output.open("w") as out:
        process = subprocess.Popen(argv, cwd=ROOT, stdout=out, stderr=out, env=environment, text=True)
    running = Running(process, site, state, output)
    try:
        yield running
    finally:
        running.spool.close()
        process.send_signal(signal.SIGINT)
        try:
            code = process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
    assert code == 128 + signal.SIGINT, output.read_text()
