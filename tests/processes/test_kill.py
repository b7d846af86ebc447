"""`kill -9` of each process at a random moment: nothing acknowledged is lost or doubled, and the report is the same."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.loop.loop_fixture import DEMO, ROOT

FOR = "18h"
RUN = [sys.executable, "-m", "controller.cli", "run", "--site", str(DEMO), "--for", FOR, "--speed", "max", "--headless"]
WALL = ("wall_s", "ticks_per_s")
DEADLINE_S = 120.0


def start(folder: Path) -> "subprocess.Popen[bytes]":
    argv = [*RUN, "--state", str(folder / "state"), "--report", str(folder / "out.json")]
    return subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})


def report(folder: Path) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((folder / "out.json").read_text())
    return {key: value for key, value in body.items() if key not in WALL}


def descendants(pid: int) -> dict[str, int]:
    """The processes under `pid`, by what they are."""
    kinds = {
        "controller.processes.control": "control",
        "controller.policies.server": "policy",
        "controller.processes.shipper": "shipper",
    }
    found: dict[str, int] = {}
    for child in children_of(pid):
        words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        for module, kind in kinds.items():
            if module.encode() in words:
                found[kind] = child
        found |= descendants(child)
    return found


def children_of(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        yield from map(int, task.read_text().split())


def wait_for(folder: Path, process: "subprocess.Popen[bytes]", kind: str) -> int:
    """The pid of a process of the run once it is there and decisions are being made."""
    until_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < until_s and process.poll() is None:
        try:
            found = descendants(process.pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if kind in found and (folder / "state" / "spool.sqlite").exists():
            return found[kind]
        time.sleep(0.02)
    raise AssertionError(f"no `{kind}` process appeared")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert start(folder).wait(DEADLINE_S) == 0
    return report(folder)


@pytest.mark.parametrize("kind", ["control", "shipper"])
def test_killed_process_is_restarted_and_the_report_is_equal(
    kind: str, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    chance = random.Random(kind)
    run = start(tmp_path)
    for _ in range(2):
        victim = wait_for(tmp_path, run, kind)
        time.sleep(chance.uniform(0.3, 1.2))
        if run.poll() is None:
            os.kill(victim, signal.SIGKILL) if Path(f"/proc/{victim}").exists() else None
    assert run.wait(DEADLINE_S) == 0
    assert report(tmp_path) == undisturbed


def test_killed_policy_child_trips_its_breaker_without_missed_ticks(
    tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    run = start(tmp_path)
    victim = wait_for(tmp_path, run, "policy")
    time.sleep(0.5)
    os.kill(victim, signal.SIGKILL)
    assert run.wait(DEADLINE_S) == 0
    seen = report(tmp_path)
    assert seen["ticks"] == seen["decisions"] == undisturbed["ticks"]
    assert seen["status"] == "tripped"
    assert seen["rungs"] == {"incumbent": seen["ticks"]}


def test_killed_supervisor_ends_its_children_and_the_run_resumes(tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    run = start(tmp_path)
    control = wait_for(tmp_path, run, "control")
    time.sleep(1.0)
    left = descendants(run.pid)
    run.kill()
    run.wait()
    until_s = time.monotonic() + DEADLINE_S
    while any(Path(f"/proc/{pid}").exists() for pid in left.values()) and time.monotonic() < until_s:
        time.sleep(0.05)
    assert not Path(f"/proc/{control}").exists()
    assert start(tmp_path).wait(DEADLINE_S) == 0
    assert report(tmp_path) == undisturbed
