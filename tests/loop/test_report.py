"""The report of a run: the same seed gives the same, whatever the wall clock did; a run that was ended has none."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from controller import bootstrap
from tests.loop.loop_fixture import DEMO, ROOT, run_ticks

TICKS = 144


def report(state: Path, seed: int) -> dict[str, Any]:
    """The report of half a day in the demo, with the shipped candidate in shadow."""
    options = bootstrap.Options(site=DEMO, state=state, seed=seed)
    with bootstrap.build_control(options) as running:
        run_ticks(running, TICKS)
        return running.report()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return report(tmp_path_factory.mktemp("first"), seed=1)


def test_the_same_seed_gives_the_same_report(first: dict[str, Any], tmp_path: Path) -> None:
    assert report(tmp_path, seed=1) == first


def test_another_seed_gives_another(first: dict[str, Any], tmp_path: Path) -> None:
    other = report(tmp_path, seed=2)
    assert other["cost"]["lanes"] != first["cost"]["lanes"]
    assert other.keys() == first.keys()


def test_half_a_day_is_counted_as_it_was(first: dict[str, Any]) -> None:
    assert first["ticks"] == TICKS
    assert first["decisions"] == TICKS + first["guard_decisions"] == sum(first["rungs"].values())
    assert first["simulated_s"] == TICKS * 300.0
    assert first["escapes"] == 0
    assert first["breach_s"]["applied"] == first["breach_s"]["incumbent"] == 0.0
    cost = first["cost"]["lanes"]
    assert set(cost) == {"applied", "incumbent", "candidate", "best_static"}
    assert cost["applied"] == cost["incumbent"] > cost["candidate"] > 0.0
    assert first["stages"] == [{"name": "shadow", "entered_at_s": 0.0, "left_at_s": None, "why": "running"}]
    assert json.loads(json.dumps(first)) == first


def test_stopped_run_leaves_no_report_and_can_be_resumed(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "controller.cli", "run", "--site", str(DEMO), "--for", "300d", "--headless"]
    argv += ["--state", str(tmp_path / "state"), "--report", str(tmp_path / "out.json")]
    run = subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    until_s = time.monotonic() + 60.0
    while not (tmp_path / "state" / "plant.sqlite").exists() and time.monotonic() < until_s:
        time.sleep(0.05)
    time.sleep(0.5)
    run.send_signal(signal.SIGTERM)
    assert run.wait(30.0) == 128 + signal.SIGTERM
    assert not (tmp_path / "out.json").exists()
    assert not (tmp_path / "state" / "report.json").exists()
    assert "done" not in json.loads((tmp_path / "state" / "run.json").read_text())
