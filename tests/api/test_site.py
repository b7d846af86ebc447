"""The real backend on a real state directory: spool, intents, STOP latch, control socket, and a store that goes away."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.api.backend import BackendAwayError
from controller.api.site import SOCKET, SiteBackend
from controller.ports import Event
from controller.protocol.push_server import PushServer
from controller.protocol.status import encode
from controller.records.decision import Decision
from controller.records.errors import StoreAway
from controller.records.operator_queue import Intent
from controller.records.spool import SqliteSpool
from controller.records.spool_reader import SpoolReader
from controller.records.stop_latch import read_stop
from controller.records.store import Store
from controller.records.tick_entry import TickEntry
from migrations import upgrade
from tests.loop.fakes import FakeSite

ACT = Intent("i1", "me/key-1", "hall-a", "pause", {"reason": "because"}, "me", "operator", None, 1)


@pytest.fixture
def spooled() -> FakeSite:
    made = FakeSite()
    made.tick(10)
    return made


@pytest.fixture
def spool(tmp_path: Path, spooled: FakeSite) -> Iterator[SqliteSpool]:
    made = SqliteSpool(tmp_path / "spool.sqlite")
    for n, decision in enumerate(spooled.history):
        events = tuple(Event(f"{n}-{i}", n, "note", "system", f"{n}.{i}") for i in range(n % 3))
        made.append(TickEntry(decision=decision, events=events))
    made.publish_live(encode(spooled.status()))
    yield made
    made.close()


@pytest.fixture
def backend(tmp_path: Path, spool: SqliteSpool, spooled: FakeSite) -> Iterator[SiteBackend]:
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    envelope = spooled.envelope_held
    made = SiteBackend(tmp_path, ["hall-a"], {envelope.digest: envelope}, lambda: Store(url))
    yield made
    made.close()


def ship(tmp_path: Path) -> None:
    """Everything spooled into the store."""
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    upgrade(url)
    reader, store = SpoolReader(tmp_path / "spool.sqlite"), Store(url)
    batch = reader.unshipped(1000)
    store.ingest(batch)
    reader.mark_shipped(batch.last)
    reader.close()
    store.close()


def ids(decisions: list[Decision]) -> list[str]:
    return [decision.id for decision in decisions]


def test_decisions_page_through_the_spool(backend: SiteBackend, spooled: FakeSite) -> None:
    newest = ids(list(reversed(spooled.history)))
    first = backend.decisions("hall-a", limit=4)
    assert ids(first) == newest[:4]
    assert ids(backend.decisions("hall-a", limit=4, before=first[-1].id)) == newest[4:8]


def test_what_has_left_the_spool_comes_from_the_store(
    backend: SiteBackend, spool: SqliteSpool, spooled: FakeSite, tmp_path: Path
) -> None:
    ship(tmp_path)
    assert spool.prune(3) == 7
    newest = ids(list(reversed(spooled.history)))
    first = backend.decisions("hall-a", limit=20)
    assert ids(first) == newest[:3]
    assert ids(backend.decisions("hall-a", limit=20, before=first[-1].id)) == newest[3:]
    assert backend.decision(spooled.history[0].id) == spooled.history[0]


def test_the_spool_answers_while_the_store_is_away(spool: SqliteSpool, spooled: FakeSite, tmp_path: Path) -> None:
    def away() -> Store:
        raise StoreAway("the database does not answer")

    backend = SiteBackend(tmp_path, ["hall-a"], {}, away)
    assert len(backend.decisions("hall-a", limit=20)) == 10
    assert backend.decision(spooled.history[0].id) is not None
    for older in ({"subject": "plant"}, {"before": spooled.history[0].id}):
        with pytest.raises(BackendAwayError, match="the database does not answer"):
            backend.decisions("hall-a", limit=5, **older)
    backend.close()


def test_the_status_tells_of_the_store_and_of_who_pressed_stop(backend: SiteBackend, tmp_path: Path) -> None:
    reader = SpoolReader(tmp_path / "spool.sqlite")
    reader.mark_away("refused")
    backend.stop("hall-a", actor="ann", reason="smoke")
    live = backend.live("hall-a")
    assert live is not None
    assert (live.store.away, live.store.lag) == (True, 10)
    assert (live.stop.active, live.stop.actor, live.stop.reason) == (True, "ann", "smoke")
    latch = read_stop(tmp_path)
    assert latch is not None
    reader.close()


def test_events_are_numbered_in_order_and_continue_anywhere(backend: SiteBackend) -> None:
    everything = backend.events("hall-a", after=0, limit=100)
    numbers = [number for number, _ in everything]
    assert [event.text for _, event in everything] == ["1.0", "2.0", "2.1", "4.0", "5.0", "5.1", "7.0", "8.0", "8.1"]
    assert numbers == sorted(set(numbers))
    for n, number in enumerate(numbers):
        assert backend.events("hall-a", after=number, limit=2) == everything[n + 1 : n + 3]
    assert backend.last_event("hall-a") == numbers[-1]


def test_repeated_act_is_stored_once_and_notifies_each_time(backend: SiteBackend, tmp_path: Path) -> None:
    notified: list[int] = []
    server = PushServer(tmp_path / SOCKET, lambda *_: pytest.fail("asked"), lambda: notified.append(1))
    server.start()
    assert backend.submit(ACT) == ACT
    assert backend.submit(ACT) == ACT
    deadline = time.monotonic() + 5
    while len(notified) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    server.close()
    assert len(notified) == 2
    state = backend.act("i1")
    assert state is not None
    assert (state.intent, state.outcome) == (ACT, "pending")
    assert len(backend.acts("hall-a", limit=10)) == 1


def test_a_state_directory_without_a_spool_says_what_to_look_at(tmp_path: Path) -> None:
    backend = SiteBackend(tmp_path, ["hall-a"], {}, lambda: pytest.fail("opened"))
    with pytest.raises(BackendAwayError, match="is the control process running"):
        backend.live("hall-a")
    backend.close()
