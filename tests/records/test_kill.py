"""A control process killed at any moment: every acknowledged decision is there, once, and the chain goes on."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from controller.records.spool import SqliteSpool
from controller.testing.samples import sample_decision
from tests.paths import ROOT

KILLS = 80
# Forks a writer per line it reads, so that a hundred processes can die in the time in which a few could start.
NURSERY = """
import os, sys
from controller.records.spool import SqliteSpool
from controller.testing.samples import sample_entry

def write(path):
    os.write(1, b"%d\\n" % os.getpid())
    spool = SqliteSpool(path)
    index = spool.count()
    while True:
        spool.append(sample_entry(index, checkpoint=b"%d" % index, event=index % 5 == 0))
        os.write(1, b"%d\\n" % index)
        index += 1

for line in sys.stdin:
    if os.fork() == 0:
        write(sys.argv[1])
    os.wait()
    os.write(1, b"dead\\n")
"""


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", NURSERY, str(tmp_path / "spool.sqlite")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        yield process


def test_kill_at_any_moment_loses_no_acknowledged_decision(nursery: "subprocess.Popen[str]", tmp_path: Path) -> None:
    spool, moments, stored = SqliteSpool(tmp_path / "spool.sqlite"), random.Random(7), 0
    for _ in range(KILLS):
        acknowledged = _write_until_killed(nursery, after_s=moments.uniform(0.0, 0.06))
        before, stored = stored, spool.count()
        assert acknowledged == list(range(before, before + len(acknowledged)))
        # At most the one being written when the kill came was stored and not heard of any more.
        assert before + len(acknowledged) <= stored <= before + len(acknowledged) + 1
        assert spool.checkpoint() == (b"%d" % (stored - 1) if stored else None)
        assert len(spool.events(stored + 1)) == (stored + 4) // 5
        spool.close()
    assert stored > KILLS
    report = spool.verify()
    assert (report.ok, report.checked) == (True, stored)
    assert [decision.id for decision in reversed(spool.recent(stored))] == [
        sample_decision(index).id for index in range(stored)
    ]
    spool.close()


def _write_until_killed(nursery: "subprocess.Popen[str]", *, after_s: float) -> list[int]:
    """Let a real process write, kill it, and return the decisions it said were stored."""
    orders, heard = _pipes(nursery)
    orders.write("next\n")
    orders.flush()
    pid = int(heard.readline())
    time.sleep(after_s)
    os.kill(pid, signal.SIGKILL)
    return [int(line) for line in iter(heard.readline, "dead\n")]


def _pipes(process: "subprocess.Popen[str]") -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout
