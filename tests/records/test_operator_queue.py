"""The intent book: an act is booked once, waits for control, and its outcome is said once."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.records.errors import IntentError
from controller.records.operator_queue import Intent, IntentBook

PROMOTE = Intent("i-1", "k-1", "hall", "promote", {"reason": "gate passed"}, "ada", "operator", 4, 1_000)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[IntentBook]:
    book = IntentBook(tmp_path / "state" / "intents.sqlite")
    yield book
    book.close()


def test_what_is_asked_waits_for_its_plant_in_order(book: IntentBook) -> None:
    second = replace(
        PROMOTE, id="i-2", key="k-2", kind="override", payload={"setpoints": {"fan_frac": 0.5}, "for_s": 600}
    )
    elsewhere = replace(PROMOTE, id="i-3", key="k-3", plant="other")
    assert [book.submit(intent) for intent in (PROMOTE, second, elsewhere)] == [PROMOTE, second, elsewhere]
    assert book.pending("hall") == [PROMOTE, second]


def test_asking_again_under_one_key_returns_what_was_asked_first(book: IntentBook) -> None:
    book.submit(PROMOTE)
    book.resolve("i-1", "applied", "stage `5 %`", 5)
    again = replace(PROMOTE, id="i-9", payload={"reason": "impatient"})
    assert book.submit(again) == PROMOTE
    assert book.pending("hall") == []


def test_an_outcome_is_said_once(book: IntentBook) -> None:
    book.submit(PROMOTE)
    book.resolve("i-1", "stale", "version is 5", 5)
    book.resolve("i-1", "stale", "said again", 6)
    with pytest.raises(IntentError, match="is `stale` already, not `applied`"):
        book.resolve("i-1", "applied", "", 6)
    state = book.get("i-1")
    assert state is not None
    assert (state.intent, state.outcome, state.detail, state.version) == (PROMOTE, "stale", "version is 5", 5)


def test_recent_shows_the_newest_first(book: IntentBook) -> None:
    for n in range(4):
        book.submit(replace(PROMOTE, id=f"i-{n}", key=f"k-{n}"))
    book.resolve("i-2", "refused", "not simulated", None)
    assert [(state.intent.id, state.outcome) for state in book.recent(2)] == [("i-3", "pending"), ("i-2", "refused")]


def test_another_process_sees_what_was_booked(book: IntentBook) -> None:
    book.submit(PROMOTE)
    other = IntentBook(book.path)
    assert other.pending("hall") == [PROMOTE]
    other.resolve("i-1", "applied", "", 5)
    assert book.pending("hall") == []
    other.close()


def test_what_is_not_known_is_refused(book: IntentBook) -> None:
    assert book.get("i-1") is None
    with pytest.raises(IntentError, match="`kind` is `explode`, want one of pause"):
        book.submit(replace(PROMOTE, kind="explode"))  # type: ignore[arg-type]
    with pytest.raises(IntentError, match="no intent `i-1` is booked"):
        book.resolve("i-1", "applied", "", 1)
    with pytest.raises(IntentError, match="`outcome` is `done`"):
        book.resolve("i-1", "done", "", 1)  # type: ignore[arg-type]
    with pytest.raises(IntentError, match="cannot be kept"):
        book.submit(replace(PROMOTE, payload={"reason": "\ud800"}))
    book.submit(PROMOTE)
    with pytest.raises(IntentError, match="booked under another key"):
        book.submit(replace(PROMOTE, key="k-2"))


def test_a_damaged_book_is_one_error(book: IntentBook) -> None:
    book.path.parent.mkdir()
    book.path.write_bytes(b"no database at all, and long enough to be read as one" * 100)
    with pytest.raises(IntentError, match="check the file"):
        book.pending("hall")


def test_a_locked_book_is_one_error_and_works_when_it_is_free(
    book: IntentBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.records.operator_queue.BUSY_S", 0.05)
    book.recent(1)
    holder = sqlite3.connect(book.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(IntentError, match="locked"):
        book.submit(PROMOTE)
    holder.close()
    assert book.submit(PROMOTE) == PROMOTE
