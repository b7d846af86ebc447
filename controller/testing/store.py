"""The contract of the store: what holds on every database it runs on, outages included.

Inherit `StoreContract` in a test module that has a fixture `database`, whose value can start and stop (see `Database`),
is running, and whose database is migrated and empty.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from controller.records.disagreement_review import Stretch
from controller.records.errors import StoreAway
from controller.records.queries import DecisionFilter
from controller.records.shipper import Shipper
from controller.records.spool import SqliteSpool
from controller.records.spool_reader import SpoolReader
from controller.records.store import Store
from controller.records.tick_entry import TickEntry
from controller.testing.samples import sample_decision, sample_entry, sample_event
from safety.values import Receipt, Source

WAIT_S = 30.0


class Database(Protocol):
    """A real database that the suite can take away and bring back."""

    @property
    def url(self) -> str: ...

    def stop(self) -> None: ...

    def start(self) -> None: ...


class StoreContract:
    """Inherit this. Each test is a fact about the store."""

    def setup_method(self) -> None:
        self._opened: list[SqliteSpool | SpoolReader | Store] = []

    def teardown_method(self) -> None:
        for opened in self._opened:
            opened.close()

    def spooled(self, folder: Path, database: Database, entries: list[TickEntry]) -> tuple[SqliteSpool, Store]:
        """A spool of the entries, and the store they were shipped to."""
        spool, store = SqliteSpool(folder / "spool.sqlite"), Store(database.url, wait_s=0.2)
        self._opened += [spool, store]
        for entry in entries:
            spool.append(entry)
        Shipper(spool, store).ship_until_empty()
        return spool, store

    def test_a_decision_comes_back_to_the_bit(self, database: Database, tmp_path: Path) -> None:
        decision = sample_decision(3, vetoed_by="T2-freeze")
        with_nan = TickEntry(decision, Receipt(decision.id, {"fan_frac": float("nan")}, None, 7, False, "sensor lost"))
        spool, store = self.spooled(tmp_path, database, [with_nan])
        stored = store.decision(decision.id)
        assert stored is not None
        assert stored.decode() == decision
        assert stored.record == spool.record(decision.id)
        assert stored.hash == spool.verify().head
        receipt = store.receipts(decision.id)[0]
        assert receipt.applied is not None
        assert receipt.applied["fan_frac"] != receipt.applied["fan_frac"]

    def test_typed_columns_say_what_the_record_says(self, database: Database, tmp_path: Path) -> None:
        decision = sample_decision(3, stage="25 %", assigned=Source.CANDIDATE, vetoed_by="T2-freeze")
        _, store = self.spooled(tmp_path, database, [TickEntry(decision)])
        stored = store.decisions()[0]
        assert (stored.id, stored.stage, stored.assigned) == (decision.id, "25 %", "candidate")
        assert (stored.rung, stored.candidate_accepted, stored.incumbent_accepted) == ("incumbent", False, True)
        assert (stored.candidate_first_out, stored.incumbent_first_out) == ("T2-freeze", "")
        assert stored.latency_us == sum(decision.latencies_us.values())
        assert stored.envelope_digest == decision.digests.envelope

    def test_shipping_twice_stores_once(self, database: Database, tmp_path: Path) -> None:
        spool, store = self.spooled(tmp_path, database, [sample_entry(i, event=True) for i in range(20)])
        batch = spool.unshipped(100, after=0)
        again = store.ingest(batch)
        assert (again.decisions, again.conflicts) == (0, ())
        assert store.count() == len(store.events()) == store.disagreements(Stretch()).ticks == 20

    def test_a_decision_with_other_bytes_is_reported_the_first_stays(self, database: Database, tmp_path: Path) -> None:
        _, store = self.spooled(tmp_path / "one", database, [sample_entry(1), sample_entry(2)])
        other, _ = self.spooled(tmp_path / "two", database, [sample_entry(1, stage="1 %"), sample_entry(5)])
        assert other.shipping().conflicts == 1
        assert store.count() == 3
        first = store.decision(sample_decision(1).id)
        assert first is not None
        assert first.stage == "shadow"

    def test_filters_choose_and_pages_join_without_gap(self, database: Database, tmp_path: Path) -> None:
        entries = [
            sample_entry(i, plant=plant, vetoed_by="T5-trust" * (i % 4 == 0)) for i in range(12) for plant in "ab"
        ]
        _, store = self.spooled(tmp_path, database, entries)
        assert store.count(DecisionFilter(plant="a", candidate_accepted=False)) == 3
        assert store.count(DecisionFilter(overridden=True)) == 0
        assert store.count(DecisionFilter(since_us=sample_decision(10).observation.taken_at)) == 4
        paged, before = [], None
        while page := store.decisions(DecisionFilter(rung="incumbent"), limit=5, before=before):
            paged += [stored.id for stored in page]
            before = paged[-1]
        assert paged == [stored.id for stored in store.decisions(limit=100)]
        assert len(set(paged)) == 24

    def test_vetoes_are_counted_by_the_rule_named_first(self, database: Database, tmp_path: Path) -> None:
        entries = [sample_entry(i, vetoed_by=("", "T2-freeze", "T5-trust")[i % 3]) for i in range(8)]
        _, store = self.spooled(tmp_path, database, entries)
        assert store.vetoes() == {"T2-freeze": 3, "T5-trust": 2}
        assert store.vetoes(source=Source.INCUMBENT) == {}

    def test_disagreements_are_summed_per_class_and_setpoint(self, database: Database, tmp_path: Path) -> None:
        entries = [_compared(i, difference) for i, difference in enumerate((-4.0, 1.0, 2.0, float("nan"), 3.0))]
        _, store = self.spooled(tmp_path, database, entries)
        review = store.disagreements(Stretch(plant="hall"))
        assert review.classes == {"candidate_failed": 1, "differ": 4}
        channel = review.channels["fan_frac"]
        assert (channel.count, channel.p50, channel.p95, channel.largest, channel.flips) == (4, 2.0, 4.0, 4.0, 1)
        assert channel.mean_difference == 0.5
        assert store.disagreements(Stretch(plant="elsewhere")).ticks == 0

    def test_stages_and_trips_come_from_their_events(self, database: Database, tmp_path: Path) -> None:
        events = (
            sample_event("s1", "stage", at=10, plant="hall", from_stage="shadow", stage="1 %", version=4),
            sample_event("t1", "trip", at=20, plant="hall", trip="trip-7", cause="escape", critical=True),
            sample_event("t2", "trip", at=30, plant="hall", cause="late"),
        )
        reset = sample_event("r1", "reset", at=40, trip="trip-7", reason="fan replaced\x00")
        spool, store = self.spooled(
            tmp_path, database, [TickEntry(None, events=events), TickEntry(None, events=(reset,))]
        )
        moved = store.transitions("hall")[0]
        assert (moved.from_stage, moved.to_stage, moved.version) == ("shadow", "1 %", 4)
        assert [trip.id for trip in store.trips(active=True)] == ["t2"]
        (done,) = store.trips("hall", active=False)
        assert (done.cause, done.critical, done.reset_at, done.reset_by) == ("escape", True, 40, "system")
        store.ingest(spool.unshipped(10, after=0))
        assert [trip.id for trip in store.trips(active=True)] == ["t2"]
        assert [act.id for act in store.events(kinds=("trip", "reset"))] == ["r1", "t2", "t1"]

    def test_lifting_a_latch_resets_only_the_trips_it_set(self, database: Database, tmp_path: Path) -> None:
        events = [
            sample_event("t1", "trip", at=10, plant="hall", latch="T1-hot"),
            sample_event("t2", "trip", at=10, plant="hall", latch="T2-flow"),
            sample_event("t3", "trip", at=10, plant="other", latch="T1-hot"),
            sample_event("r1", "reset", at=20, plant="hall", latch="T1-hot", reason="cooled down"),
            sample_event("t4", "trip", at=30, plant="hall", latch="T1-hot"),
        ]
        _, store = self.spooled(tmp_path, database, [TickEntry(None, events=(event,)) for event in events])
        assert [trip.id for trip in store.trips(active=False)] == ["t1"]
        assert [trip.id for trip in store.trips(active=True)] == ["t4", "t3", "t2"]

    def test_artefacts_are_named_by_their_content(self, database: Database, tmp_path: Path) -> None:
        spool, store = self.spooled(tmp_path, database, [])
        kept = spool.keep_artefact("envelope", b"limits")
        Shipper(spool, store).ship_until_empty()
        assert store.get_artefact(kept) == b"limits"
        assert store.put_artefact("envelope", b"limits") == kept
        assert store.get_artefact("0" * 64) is None

    def test_an_unreachable_database_is_one_error(self, database: Database, tmp_path: Path) -> None:
        spool, store = self.spooled(tmp_path, database, [sample_entry(0)])
        batch = spool.unshipped(10, after=0)
        database.stop()
        for ask in (store.ping, lambda: store.ingest(batch), store.decisions, lambda: store.put_artefact("x", b"y")):
            assert _is_away(ask)
        database.start()
        assert store.count() == 1

    def test_records_of_a_database_outage_arrive_exactly_once(self, database: Database, tmp_path: Path) -> None:
        spool, store = self.spooled(tmp_path, database, [sample_entry(i) for i in range(50)])
        reader, stopping = SpoolReader(spool.path), threading.Event()
        shipping = threading.Thread(target=Shipper(reader, store, batch=40).run, args=(stopping,))
        shipping.start()
        try:
            database.stop()
            for index in range(50, 300):
                spool.append(sample_entry(index, event=index % 50 == 0))
            assert _soon(lambda: reader.shipping().away)
            assert reader.lag() > 0
            assert reader.shipping().error
            database.start()
            assert _soon(lambda: reader.lag() == 0)
        finally:
            stopping.set()
            shipping.join()
            reader.close()
        assert not reader.shipping().away
        assert [stored.id for stored in reversed(store.decisions(limit=1000))] == [
            sample_decision(index).id for index in range(300)
        ]
        assert (len(store.events()), store.disagreements(Stretch()).ticks) == (5, 300)


def _compared(index: int, difference: float) -> TickEntry:
    """An entry whose comparison has one setpoint with that difference; not-a-number is a candidate that failed."""
    decision = sample_decision(index)
    comparison = {
        "plant": "hall",
        "subject": "plant",
        "taken_at": decision.observation.taken_at,
        "klass": "differ" if difference == difference else "candidate_failed",
        "channels": {"fan_frac": difference},
        "flips": ("fan_frac",) if difference < 0 else (),
        "in_control": "incumbent",
    }
    return TickEntry(decision, comparison=comparison)


def _is_away(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except StoreAway:
        return True
    return False


def _soon(holds: Callable[[], bool]) -> bool:
    """Whether something comes to hold before patience ends."""
    until = time.monotonic() + WAIT_S
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True
