"""The account on the spine's own loop: the second plant, run and killed as the first one is."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.paths import ROOT

SITE = ROOT / "deploy" / "sites" / "bidding-demo"
START_US = 1_672_617_600_000_000
TICKS = 120
DEADLINE_S = 120.0


def control(state: Path) -> "subprocess.Popen[bytes]":
    """A control process that ends after two and a half days of plant time."""
    until_us = START_US + TICKS * 1_800_000_000
    argv = [sys.executable, "-m", "controller.processes.control", str(SITE), str(state), "--until-us", str(until_us)]
    return subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})


def report(state: Path) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((state / "report.json").read_text())
    return body


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    state = tmp_path_factory.mktemp("undisturbed")
    assert control(state).wait(DEADLINE_S) == 0
    return report(state)


def test_candidate_gets_a_share_after_two_shadow_days(undisturbed: dict[str, Any]) -> None:
    assert undisturbed["ticks"] == TICKS
    assert [stage["name"] for stage in undisturbed["stages"]] == ["shadow", "25 %"]
    assert undisturbed["status"] == "running"
    assert undisturbed["escapes"] == 0
    assert undisturbed["vetoes"] == {}
    assert undisturbed["breach_s"]["applied"] == 0.0
    assert set(undisturbed["cost"]["lanes"]) == {"applied", "incumbent", "candidate"}


def test_killed_again_and_again_it_comes_to_the_same_report(tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    chance, killed = random.Random(5), 0
    while True:
        process = control(tmp_path)
        if killed < 2:
            _wait_for_decisions(tmp_path, process)
            time.sleep(chance.uniform(0.05, 0.5))
            process.send_signal(signal.SIGKILL)
        code = process.wait(DEADLINE_S)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        killed += 1
    assert killed > 0
    assert report(tmp_path) == undisturbed


def _wait_for_decisions(state: Path, process: "subprocess.Popen[bytes]") -> None:
    until_s = time.monotonic() + DEADLINE_S
    before = (state / "plant.sqlite-wal").stat().st_mtime_ns if (state / "plant.sqlite-wal").exists() else 0
    while process.poll() is None and time.monotonic() < until_s:
        wal = state / "plant.sqlite-wal"
        if wal.exists() and wal.stat().st_mtime_ns != before:
            return
        time.sleep(0.01)
