"""A spool that cannot be written is an audit failure: control reverts to the incumbent at once.

When the spool can be written again, the record is complete and names the failure.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller import bootstrap
from controller.errors import StateError
from controller.ports import Event
from controller.records.decision import Decision
from controller.records.errors import SpoolError
from controller.records.spool import SqliteSpool
from controller.records.spool_buffer import Ledger
from controller.records.tick_entry import Spool, TickEntry
from controller.rollout.state import RolloutStatus
from safety.values import Rung
from tests.loop.scripted_candidates import Operator, events, hall, play, second

PERIOD_US = 300_000_000


class Flaky:
    """A spool on a disk that a test fills and empties. With `late` the commit happens all the same, and only then fails."""

    def __init__(self, spool: SqliteSpool) -> None:
        self.spool, self.full, self.late = spool, False, False

    def append(self, entry: TickEntry) -> None:
        if self.late:
            self.spool.append(entry)
        if self.full or self.late:
            raise SpoolError("cannot append to spool: database or disk is full: check disk space and rights")
        self.spool.append(entry)

    def last_decision(self) -> Decision | None:
        return self.spool.last_decision()

    def recent(self, limit: int) -> list[Decision]:
        return self.spool.recent(limit)

    def checkpoint(self) -> bytes | None:
        return self.spool.checkpoint()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[bootstrap.ControlSystem]:
    """A hall with the candidate in charge."""
    with hall(tmp_path) as running:
        yield running


@pytest.fixture
def disk(running: bootstrap.ControlSystem) -> Flaky:
    flaky = Flaky(running.spool)
    running.loop.ledger.spool = flaky
    return flaky


def commands(running: bootstrap.ControlSystem) -> list[Rung]:
    """The rung of every command the plant is sent from now on."""
    rungs: list[Rung] = []
    plant = running.built.plant
    send = plant.apply

    def apply(command, *, decision):  # type: ignore[no-untyped-def]
        rungs.append(command.rung)
        return send(command, decision=decision)

    plant.apply = apply  # type: ignore[method-assign]
    return rungs


def test_control_reverts_to_the_incumbent_on_the_failing_tick(running: bootstrap.ControlSystem, disk: Flaky) -> None:
    rungs = commands(running)
    play(running, 2)
    disk.full = True
    with pytest.raises(StateError, match="disk is full"):
        play(running, 4)
    assert rungs == [Rung.CANDIDATE] * 2 + [Rung.INCUMBENT] * 4
    assert running.plant.observe().applied
    assert running.built.lanes()["breach_s"]["applied"] == 0.0
    assert running.spool.count() == 2


def test_restored_spool_has_every_tick_the_alarm_and_the_trip(running: bootstrap.ControlSystem, disk: Flaky) -> None:
    play(running, 2)
    decisions = play(
        running, 6, {PERIOD_US * 2 + PERIOD_US: lambda: fill(disk), PERIOD_US * 6: lambda: fill(disk, False)}
    )
    assert [second(d) for d in decisions] == [300.0 * n for n in range(2, 8)]
    assert [d.command.rung.value for d in decisions] == ["candidate"] + ["incumbent"] * 5
    assert running.spool.verify().ok

    trip = running.loop.state.rollout.trip
    assert trip is not None
    assert (trip.cause, trip.critical, trip.at_us) == ("audit_failure", True, decisions[1].observation.taken_at)
    assert [(e.kind, e.at) for e in events(running)] == [
        ("alarm", trip.at_us),
        ("trip", trip.at_us),
        ("alarm", decisions[4].observation.taken_at),
    ]
    failed, _, back = events(running)
    assert "cannot be saved" in failed.text
    assert "disk is full" in failed.text
    assert back.text == "the record is saved again"


def test_audit_failure_is_published_in_the_status_at_once(running: bootstrap.ControlSystem, disk: Flaky) -> None:
    seen: list[Event] = []
    watcher = running.loop.parts.watchers[0]
    watcher.happened = seen.append  # type: ignore[method-assign]
    disk.full = True
    running.loop.tick(running.plant.observe())
    assert [event.kind for event in seen] == ["alarm", "trip"]
    assert running.loop.state.rollout.status is RolloutStatus.TRIPPED


def test_it_trips_in_shadow_too(tmp_path: Path) -> None:
    with hall(tmp_path, driving=False) as running:
        running.loop.ledger.spool = disk = Flaky(running.spool)
        disk.full = True
        running.loop.tick(running.plant.observe())
        trip = running.loop.state.rollout.trip
        assert trip is not None
        assert trip.cause == "audit_failure"


def test_unrecorded_act_reverts_control_and_is_answered_after_recovery(
    running: bootstrap.ControlSystem, disk: Flaky
) -> None:
    ann = Operator(running)
    intents: list[str] = []

    def act() -> None:
        disk.full = True
        intents.append(ann.does("override", setpoints={"supply_air_c": 19.5}))

    rungs = commands(running)
    look = running.operators.notify
    play(running, 3, {60_000_000: act, 90_000_000: look, 330_000_000: look, 600_000_000: lambda: fill(disk, False)})
    assert rungs[:2] == [Rung.CANDIDATE, Rung.OPERATOR]
    assert set(rungs[2:]) == {Rung.INCUMBENT}, "it is carried out once, then control reverts to the incumbent"
    assert ann.intent(intents[0]).outcome == "applied"
    assert [event.id for event in events(running)].count(intents[0]) == 1
    assert running.spool.verify().ok


def test_a_trip_cannot_be_reset_while_the_cause_is_active(running: bootstrap.ControlSystem, disk: Flaky) -> None:
    ann = Operator(running)
    disk.full = True
    intents: list[str] = []

    def reset() -> None:
        trip = running.loop.state.rollout.trip
        assert trip is not None
        intents.append(ann.does("reset", trip_id=trip.id))

    play(running, 16, {13 * PERIOD_US: reset, 14 * PERIOD_US: lambda: fill(disk, False)})
    assert ann.intent(intents[0]).outcome == "refused"
    assert "audit_failure" in ann.intent(intents[0]).detail
    reset()
    play(running, 1)
    assert ann.intent(intents[1]).outcome == "applied"


def test_commit_reported_as_failed_stays_with_its_replacement(running: bootstrap.ControlSystem, disk: Flaky) -> None:
    play(running, 1)
    decisions = play(running, 3, {PERIOD_US * 2: lambda: late(disk), PERIOD_US * 3: lambda: late(disk, False)})
    stored = next(d for d in decisions if second(d) == 600.0)
    assert stored.command.rung is Rung.CANDIDATE, "a stored decision is never changed"
    conflict = next(e for e in events(running, "alarm") if "written once" in e.text)
    assert conflict.detail.decision == stored.id
    assert conflict.detail.rung == "incumbent"
    assert conflict.detail.setpoints
    assert [second(d) for d in decisions] == [300.0, 600.0, 900.0]
    assert running.loop.state.rollout.status is RolloutStatus.TRIPPED
    assert running.spool.verify().ok


def test_file_that_cannot_grow_is_an_audit_failure(
    running: bootstrap.ControlSystem,
) -> None:
    play(running, 1)
    db = running.spool._opened()
    (pages,) = db.execute("PRAGMA page_count").fetchone()

    def most(more: int) -> None:
        db.execute(f"PRAGMA max_page_count = {pages + more}")

    decisions = play(running, 80, {PERIOD_US * 2: lambda: most(0), PERIOD_US * 78: lambda: most(1_000_000)})
    assert [second(d) for d in decisions] == [300.0 * n for n in range(1, 81)]
    assert running.loop.state.rollout.status is RolloutStatus.TRIPPED
    alarms = [event.text for event in events(running, "alarm")]
    assert "full" in alarms[0]
    assert running.spool.verify().ok


class Memory:
    """A spool in memory that fails while `full`."""

    def __init__(self) -> None:
        self.entries: list[TickEntry] = []
        self.full = False

    def append(self, entry: TickEntry) -> None:
        if self.full:
            raise SpoolError("full")
        self.entries.append(entry)


def entry(number: int) -> TickEntry:
    return TickEntry(decision=None, checkpoint=bytes([number]))


class TestLedger:
    """What waits, waits in order and is bounded."""

    @pytest.fixture
    def spool(self) -> Memory:
        return Memory()

    @pytest.fixture
    def ledger(self, spool: Memory) -> Ledger:
        as_spool: Spool = spool  # type: ignore[assignment]
        return Ledger(as_spool, keep_at_most=3)

    def test_what_cannot_be_saved_is_not_kept_by_itself(self, spool: Memory, ledger: Ledger) -> None:
        spool.full = True
        assert not ledger.save(entry(1))
        assert not ledger.failing
        assert ledger.why == "full"

    def test_what_waits_is_saved_first_and_in_order(self, spool: Memory, ledger: Ledger) -> None:
        for number in (1, 2):
            ledger.keep(entry(number))
        assert ledger.failing
        assert ledger.save(entry(3))
        assert spool.entries == [entry(1), entry(2), entry(3)]
        assert not ledger.failing

    def test_the_oldest_are_kept_and_the_others_counted(self, spool: Memory, ledger: Ledger) -> None:
        for number in range(5):
            ledger.keep(entry(number))
        assert ledger.lost == 2
        assert ledger.catch_up()
        assert spool.entries == [entry(0), entry(1), entry(2)]


def test_dropped_entries_are_reported_when_the_spool_recovers(running: bootstrap.ControlSystem, disk: Flaky) -> None:
    running.loop.ledger.keep_at_most = 2
    disk.full = True
    decisions = play(running, 6, {PERIOD_US * 5: lambda: fill(disk, False)})
    assert [second(d) for d in decisions] == [0.0, 300.0, 1500.0]
    assert events(running, "alarm")[-1].text == "the record is saved again; 3 entries were lost"


def fill(disk: Flaky, full: bool = True) -> None:
    disk.full = full


def late(disk: Flaky, is_late: bool = True) -> None:
    disk.late = is_late
