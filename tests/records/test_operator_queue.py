"""The operator queue: an intent is stored once, waits for control, and has one outcome."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.records.errors import IntentError
from controller.records.operator_queue import Intent, OperatorQueue

PROMOTE = Intent("i-1", "k-1", "hall", "promote", {"reason": "gate passed"}, "ada", "operator", 4, 1_000)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[OperatorQueue]:
    queue = OperatorQueue(tmp_path / "state" / "intents.sqlite")
    yield queue
    queue.close()


def test_what_is_asked_waits_for_its_plant_in_order(queue: OperatorQueue) -> None:
    second = replace(
        PROMOTE, id="i-2", key="k-2", kind="override", payload={"setpoints": {"fan_frac": 0.5}, "for_s": 600}
    )
    elsewhere = replace(PROMOTE, id="i-3", key="k-3", plant="other")
    assert [queue.submit(intent) for intent in (PROMOTE, second, elsewhere)] == [PROMOTE, second, elsewhere]
    assert queue.pending("hall") == [PROMOTE, second]


def test_asking_again_under_one_key_returns_what_was_asked_first(queue: OperatorQueue) -> None:
    queue.submit(PROMOTE)
    queue.resolve("i-1", "applied", "stage `5 %`", 5)
    again = replace(PROMOTE, id="i-9", payload={"reason": "impatient"})
    assert queue.submit(again) == PROMOTE
    assert queue.pending("hall") == []


def test_an_outcome_is_said_once(queue: OperatorQueue) -> None:
    queue.submit(PROMOTE)
    queue.resolve("i-1", "stale", "version is 5", 5)
    queue.resolve("i-1", "stale", "said again", 6)
    with pytest.raises(IntentError, match="is `stale` already, not `applied`"):
        queue.resolve("i-1", "applied", "", 6)
    state = queue.get("i-1")
    assert state is not None
    assert (state.intent, state.outcome, state.detail, state.version) == (PROMOTE, "stale", "version is 5", 5)


def test_recent_shows_the_newest_first(queue: OperatorQueue) -> None:
    for n in range(4):
        queue.submit(replace(PROMOTE, id=f"i-{n}", key=f"k-{n}"))
    queue.resolve("i-2", "refused", "not simulated", None)
    assert [(state.intent.id, state.outcome) for state in queue.recent(2)] == [("i-3", "pending"), ("i-2", "refused")]


def test_another_process_sees_what_was_submitted(queue: OperatorQueue) -> None:
    queue.submit(PROMOTE)
    other = OperatorQueue(queue.path)
    assert other.pending("hall") == [PROMOTE]
    other.resolve("i-1", "applied", "", 5)
    assert queue.pending("hall") == []
    other.close()


def test_what_is_not_known_is_refused(queue: OperatorQueue) -> None:
    assert queue.get("i-1") is None
    with pytest.raises(IntentError, match="`kind` `explode`; valid: pause, "):
        queue.submit(replace(PROMOTE, kind="explode"))  # type: ignore[arg-type]
    with pytest.raises(IntentError, match="no intent `i-1` is stored"):
        queue.resolve("i-1", "applied", "", 1)
    with pytest.raises(IntentError, match="`outcome` `done`; valid: applied, "):
        queue.resolve("i-1", "done", "", 1)  # type: ignore[arg-type]
    with pytest.raises(IntentError, match="cannot be kept"):
        queue.submit(replace(PROMOTE, payload={"reason": "\ud800"}))
    queue.submit(PROMOTE)
    with pytest.raises(IntentError, match="stored under another key"):
        queue.submit(replace(PROMOTE, key="k-2"))


def test_a_damaged_queue_is_one_error(queue: OperatorQueue) -> None:
    queue.path.parent.mkdir()
    queue.path.write_bytes(b"no database at all, and long enough to be read as one" * 100)
    with pytest.raises(IntentError, match="check the file"):
        queue.pending("hall")


def test_a_locked_queue_is_one_error_and_works_when_it_is_free(
    queue: OperatorQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.records.operator_queue.BUSY_S", 0.05)
    queue.recent(1)
    holder = sqlite3.connect(queue.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(IntentError, match="locked"):
        queue.submit(PROMOTE)
    holder.close()
    assert queue.submit(PROMOTE) == PROMOTE
