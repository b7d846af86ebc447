"""Push mode over HTTP: a plant that keeps its own loop gets a command with reasons, or is told to go on with its own."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.e2e.running import Running, eventually
from tests.loop.test_push_mode import question

pytestmark = pytest.mark.xdist_group("e2e")
PATH = "/v1/plants/hall/decide"
PATIENT_MS = 10_000


@pytest.fixture
def plant(pushing: Running) -> Iterator[httpx.Client]:
    with pushing.client("operator") as made:
        yield made


def ask(plant: httpx.Client, number: int, deadline_ms: int = PATIENT_MS) -> dict[str, Any]:
    """What the hall is told at its `number`-th period."""
    body = msgspec.to_builtins(question(number)) | {"deadline_ms": deadline_ms}
    answer = plant.post(PATH, json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def first(pushing: Running, plant: httpx.Client, number: int) -> dict[str, Any]:
    """The first decision there is of that period: control may still be starting."""

    def decided() -> dict[str, Any] | None:
        told = ask(plant, number)
        return told if told["status"] == "decided" else None

    return eventually(decided, "a decision")


def stands_still(pid: int) -> bool:
    """Whether each thread of a process that was told to stop has done so: on a busy machine one may run a little longer."""
    states = [path.read_text().rpartition(")")[2].split()[0] for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return set(states) == {"T"}


def test_a_question_gets_a_command_and_asked_again_the_same_one(pushing: Running, plant: httpx.Client) -> None:
    told = first(pushing, plant, 1)
    assert (told["rung"], told["setpoints"]) == ("incumbent", dict(question(1).incumbent))
    assert told["valid_for_us"] > 0
    assert told["why"]
    made = pushing.count()
    assert ask(plant, 1) == told
    assert pushing.count() == made
    assert pushing.spool.decision(told["decision"]) is not None


def test_a_site_whose_database_was_never_there_decides(pushing: Running, plant: httpx.Client) -> None:
    first(pushing, plant, 1)
    eventually(lambda: pushing.spool.shipping().away, "word of the store")
    assert "does not answer" in pushing.said.read_text()


def test_between_questions_control_says_that_it_is_there(pushing: Running, plant: httpx.Client) -> None:
    first(pushing, plant, 1)
    before = pushing.live()
    eventually(lambda: pushing.live()["wall_us"] > before["wall_us"] + 2_000_000, "two seconds of being there")
    assert pushing.live()["tick"] == before["tick"]


def test_past_its_deadline_the_plants_own_command_stands_and_that_is_said(
    pushing: Running, plant: httpx.Client
) -> None:
    first(pushing, plant, 2)
    made, control = pushing.count(), pushing.pid("control")
    os.kill(control, signal.SIGSTOP)
    try:
        eventually(lambda: stands_still(control), "every thread of control standing still")
        told = ask(plant, 3, deadline_ms=100)
    finally:
        os.kill(control, signal.SIGCONT)
    assert (told["status"], told["rung"], told["setpoints"]) == ("late", "relinquish", {})
    assert "your own command stands" in told["why"]
    assert ask(plant, 3)["status"] == "decided"
    assert pushing.count() == made + 1


def test_an_unknown_plant_is_not_decided_for(plant: httpx.Client) -> None:
    answer = plant.post(PATH.replace("hall", "stall"), json=msgspec.to_builtins(question(1)))
    assert answer.status_code == 404
    assert "stall" in answer.json()["detail"]


def test_without_control_the_plants_own_command_stands_and_a_new_one_remembers(
    pushing: Running, plant: httpx.Client
) -> None:
    before = first(pushing, plant, 4)
    killed = pushing.kill("control")
    eventually(lambda: not Path(f"/proc/{killed}").exists(), "control gone")
    told = ask(plant, 5)
    assert (told["status"], told["rung"], told["setpoints"]) == ("unavailable", "relinquish", {})
    assert "control process is not reachable" in told["why"]
    assert first(pushing, plant, 4) == before
    assert first(pushing, plant, 5)["status"] == "decided"
