"""The walk of one decision names files that are there and take part in one, each of them once."""

import re
import sys
from pathlib import Path
from types import FrameType

import pytest

from tests.docs.pages import ROOT
from tests.loop.loop_fixture import system

PAGE = ROOT / "docs" / "explanation" / "walk-one-decision.md"
NAMED = re.findall(r"`((?:controller|safety|shadow)/[\w/]+\.py)`", PAGE.read_text())


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files of this repository with a function that is called from the start of a run to the end of its second period."""
    found: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        found.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        with system(tmp_path_factory.mktemp("state")) as running:
            until_us = running.plant.observe().taken_at + 2 * running.loaded.envelope.period_us
            running.loop.run(until_us, lambda: True)
    finally:
        sys.setprofile(None)
    return {Path(name).relative_to(ROOT).as_posix() for name in found if name.startswith(str(ROOT))}


@pytest.mark.parametrize("name", NAMED)
def test_named_file_takes_part_in_a_decision(name: str, called: set[str]) -> None:
    assert (ROOT / name).is_file()
    assert name in called


def test_each_file_is_named_once() -> None:
    assert len(NAMED) == len(set(NAMED)) >= 25


def test_steps_are_numbered_without_a_gap() -> None:
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", PAGE.read_text(), re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_file_of_the_loop_a_tick_calls_is_named(called: set[str]) -> None:
    """But for the report, which is made after a run."""
    loop = {name for name in called if name.startswith("controller/loop/")}
    assert loop - set(NAMED) - {"controller/loop/report.py"} == set()
