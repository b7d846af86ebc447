"""The spool: what is acknowledged stays, once, in order, and a damaged file is never made worse."""

import os
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.ports import Event, EventDetail
from controller.records.entry import decode_events, encode_events
from controller.records.errors import SpoolBusy, SpoolConflict, SpoolCorrupt, SpoolError
from controller.records.spool import SqliteSpool
from controller.records.spool_file import checkpoint_log
from controller.records.spool_reader import SpoolReader
from controller.records.tick_entry import Spool, TickEntry
from controller.testing.samples import sample_decision, sample_entry, sample_event


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.sqlite"


@pytest.fixture
def spool(path: Path) -> Iterator[SqliteSpool]:
    spool = SqliteSpool(path)
    yield spool
    spool.close()


def fill(spool: SqliteSpool, count: int, start: int = 0) -> None:
    for index in range(start, start + count):
        spool.append(sample_entry(index))


def test_nothing_is_opened_before_the_first_call(spool: SqliteSpool, path: Path) -> None:
    as_port: Spool = spool
    assert not path.exists()
    assert as_port.last_decision() is None
    assert path.exists()


def test_an_entry_comes_back_whole(spool: SqliteSpool) -> None:
    entry = sample_entry(4, checkpoint=b"evidence", event=True)
    spool.append(entry)
    assert spool.last_decision() == entry.decision
    assert spool.checkpoint() == b"evidence"
    assert spool.events(10) == list(entry.events)
    assert spool.event("note-4") == entry.events[0]
    assert spool.event("note-5") is None
    batch = spool.unshipped(10)
    assert (batch.last, batch.entries, len(batch.receipts), len(batch.comparisons)) == (1, 1, 1, 1)


def test_another_process_reads_what_was_written(spool: SqliteSpool, path: Path) -> None:
    reader = SpoolReader(path)
    with pytest.raises(SpoolError, match="no spool at"):
        reader.live()
    fill(spool, 3)
    spool.publish_live('{"mode": "shadow"}')
    spool.publish_live('{"mode": "rollout"}')
    assert reader.live() == '{"mode": "rollout"}'
    assert reader.last_decision() == sample_decision(2)
    assert reader.decision(sample_decision(1).id) == sample_decision(1)
    assert reader.decision("hall.plant.1") is None
    assert reader.decision("nonsense") is None
    reader.close()


def test_recent_pages_join_without_gap(spool: SqliteSpool) -> None:
    fill(spool, 7)
    first = spool.recent(3)
    rest = spool.recent(10, before=first[-1].id)
    assert [*first, *rest] == [sample_decision(index) for index in reversed(range(7))]


def test_an_id_with_dots_in_its_names_is_found(spool: SqliteSpool) -> None:
    decision = sample_decision(1, plant="site.a", subject="campaign.7")
    spool.append(TickEntry(decision))
    assert spool.decision(decision.id) == decision


def test_the_same_decision_again_changes_nothing(spool: SqliteSpool) -> None:
    entry = sample_entry(1, checkpoint=b"first", event=True)
    spool.append(entry)
    spool.append(replace(entry, checkpoint=b"second"))
    spool.append(sample_entry(2))
    assert spool.count() == 2
    assert spool.checkpoint() == b"first"
    assert spool.verify().ok


def test_same_decision_with_different_bytes_is_refused(spool: SqliteSpool) -> None:
    spool.append(sample_entry(1))
    with pytest.raises(SpoolConflict, match="written once"):
        spool.append(sample_entry(1, stage="1 %", event=True))
    spool.append(sample_entry(2))
    assert [decision.assignment.stage for decision in spool.recent(5)] == ["shadow", "shadow"]
    assert spool.events(5) == []
    assert spool.verify().checked == 2


def test_of_two_events_with_one_id_the_first_stands(spool: SqliteSpool) -> None:
    spool.append(TickEntry(None, events=(sample_event("act-1", "intent", at=1),)))
    spool.append(TickEntry(None, events=(sample_event("act-1", "intent", at=2), sample_event("act-2", "intent", at=2))))
    assert [(event.id, event.at) for event in spool.events(5)] == [("act-2", 2), ("act-1", 1)]


def test_numbers_of_numpy_are_kept_as_numbers(spool: SqliteSpool) -> None:
    spool.append(TickEntry(None, events=(sample_event("n", setpoints={"fan": np.float64(0.25)}, version=np.int64(7)),)))
    assert spool.events(1)[0].detail == EventDetail(setpoints={"fan": 0.25}, version=7)


def test_events_stored_by_an_earlier_build_are_read() -> None:
    stored = [["hall.5.v2.0", 5, "trip", "system", "tripped", {"trip": "t-1", "critical": False, "dropped_since": 1}]]
    (event,) = decode_events(msgspec.msgpack.encode(stored))
    assert event == Event("hall.5.v2.0", 5, "trip", "system", "tripped", EventDetail(trip="t-1", critical=False))
    assert msgspec.msgpack.decode(encode_events([event]))[0][5] == {"trip": "t-1", "critical": False}


def test_what_cannot_be_kept_is_refused_before_anything_is_written(spool: SqliteSpool) -> None:
    with pytest.raises(TypeError, match="a record cannot hold a `object`"):
        spool.append(TickEntry(sample_decision(1), events=(sample_event("n", setpoints={"fan": object()}),)))
    assert spool.count() == 0
    fill(spool, 2)
    assert spool.verify().checked == 2


def test_a_second_writer_is_kept_out(spool: SqliteSpool, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(spool, 1)
    monkeypatch.setattr("controller.records.spool.LOCK_WAIT_S", 0.0)
    other = SqliteSpool(path)
    with pytest.raises(SpoolBusy, match="stop it first"):
        fill(other, 1)
    spool.close()
    fill(other, 1, start=1)
    other.close()
    assert spool.count() == 2


def test_durable_entries_are_synced_and_others_are_not(spool: SqliteSpool) -> None:
    spool.append(sample_entry(0))
    assert _synchronous(spool) == 1
    spool.append(replace(sample_entry(1), durable=True))
    assert _synchronous(spool) == 2
    spool.append(sample_entry(2))
    assert _synchronous(spool) == 1


def test_power_loss_durability_syncs_every_entry(path: Path) -> None:
    spool = SqliteSpool(path, durability="power_loss")
    fill(spool, 1)
    assert _synchronous(spool) == 2
    spool.close()


def _synchronous(spool: SqliteSpool) -> int:
    return int(spool._rows("PRAGMA synchronous")[0][0])


def test_full_disk_is_one_error_and_appending_resumes(spool: SqliteSpool) -> None:
    fill(spool, 3)
    pages = spool._rows("PRAGMA page_count")[0][0]
    spool._rows(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(SpoolError, match="check disk space"):
        fill(spool, 50, start=3)
    kept = spool.count()
    spool._rows("PRAGMA max_page_count = 1000000")
    fill(spool, 5, start=kept)
    assert spool.verify().checked == kept + 5


def test_unshipped_moves_on_with_what_is_marked(spool: SqliteSpool, path: Path) -> None:
    fill(spool, 5)
    shipper = SpoolReader(path)
    first = shipper.unshipped(2)
    assert [link.taken_at for link in first.decisions] == [sample_decision(i).observation.taken_at for i in (0, 1)]
    shipper.mark_shipped(first.last)
    assert spool.lag() == 3
    shipper.mark_shipped(shipper.unshipped(10).last)
    assert shipper.unshipped(10).entries == spool.lag() == 0
    assert spool.shipping().last_ok_wall_us > 0
    shipper.close()


@pytest.mark.parametrize("position", [b"", b"{", b'{"spool_id": "of another spool", "seq": 99}'])
def test_lost_or_foreign_position_ships_everything_again(spool: SqliteSpool, path: Path, position: bytes) -> None:
    fill(spool, 2)
    path.with_name(path.name + ".shipping").write_bytes(position)
    assert spool.unshipped(10).entries == 2


def test_prune_forgets_only_what_is_shipped_and_not_kept(spool: SqliteSpool) -> None:
    fill(spool, 10)
    assert spool.prune(keep=2) == 0
    spool.mark_shipped(6)
    assert spool.prune(keep=2) == 6
    spool.mark_shipped(10)
    assert spool.prune(keep=2, at_most=1) == 1
    assert spool.prune(keep=0) == 2
    assert spool.count() == 1
    report = spool.verify()
    assert (report.ok, report.checked) == (True, 1)
    fill(spool, 1, start=10)
    assert spool.verify().checked == 2


def test_a_number_once_shipped_is_never_used_again(path: Path) -> None:
    """A power cut may take the last entries; what comes after must not hide behind what was shipped."""
    spool = SqliteSpool(path)
    fill(spool, 5)
    spool.mark_shipped(5)
    spool._rows("DELETE FROM entry WHERE seq > 3")
    spool.close()
    fill(spool, 1, start=3)
    assert spool.unshipped(10).entries == 1
    assert spool.verify().ok
    spool.close()


def test_verify_names_the_first_changed_record(spool: SqliteSpool) -> None:
    fill(spool, 6)
    spool._rows("UPDATE entry SET record = substr(record, 1, length(record) - 1) || x'00' WHERE seq >= 4")
    broken = spool.verify().broken
    assert broken is not None
    assert (broken.seq, broken.decision) == (4, sample_decision(3).id)
    assert "not those that were written" in broken.why


@pytest.mark.parametrize(
    ("tampering", "why"),
    [
        ("DELETE FROM entry WHERE seq = 3", "one was removed"),
        ("DELETE FROM entry WHERE seq = 1", "one was removed"),
        ("UPDATE entry SET taken_at = taken_at + 1 WHERE seq = 3", "its key is not that of its record"),
        ("UPDATE entry SET prev_hash = hash WHERE seq = 3", "does not follow"),
    ],
)
def test_verify_finds_what_was_removed_or_moved(spool: SqliteSpool, tampering: str, why: str) -> None:
    fill(spool, 5)
    spool._rows(tampering)
    broken = spool.verify().broken
    assert broken is not None
    assert why in broken.why


def test_empty_or_incomplete_file_becomes_a_spool(path: Path) -> None:
    path.touch()
    path.with_name(path.name + ".new").write_bytes(b"half of a file")
    spool = SqliteSpool(path)
    fill(spool, 1)
    assert spool.count() == 1
    spool.close()


@pytest.mark.parametrize("harm", ["torn", "header", "middle"])
def test_a_damaged_file_is_one_error_and_keeps_every_byte(path: Path, harm: str) -> None:
    spool = SqliteSpool(path)
    fill(spool, 60)
    spool.close()
    body = bytearray(path.read_bytes())
    if harm == "torn":
        del body[len(body) * 2 // 3 + 100 :]
    elif harm == "header":
        body[:64] = bytes(64)
    else:
        body[5 * 4096 : 6 * 4096] = random.Random(1).randbytes(4096)
    path.write_bytes(body)
    with pytest.raises(SpoolCorrupt, match="move it and its `-wal` file aside"):
        fill(SqliteSpool(path), 1, start=60)
    assert path.read_bytes() == body


def test_orphaned_log_is_kept_and_not_replayed(path: Path) -> None:
    log = path.with_name(path.name + "-wal")
    log.write_bytes(b"acknowledged decisions")
    with pytest.raises(SpoolCorrupt, match=r"is missing, but its log `spool.sqlite-wal` is there"):
        fill(SqliteSpool(path), 1)
    assert log.read_bytes() == b"acknowledged decisions"


def test_anothers_database_is_never_written(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (n)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(SpoolError, match="no spool: choose another"):
        fill(SqliteSpool(path), 1)
    assert path.read_bytes() == before


def test_a_spool_of_a_later_format_is_left_alone(path: Path) -> None:
    spool = SqliteSpool(path)
    fill(spool, 1)
    spool._rows("PRAGMA user_version = 2")
    spool.close()
    with pytest.raises(SpoolError, match="is of format 2, this build knows 1"):
        fill(SqliteSpool(path), 1)


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((SpoolError, OSError)):
        fill(SqliteSpool(tmp_path / "file" / "spool.sqlite"), 1)


def test_external_checkpoint_loses_nothing_and_does_not_block(spool: SqliteSpool, path: Path) -> None:
    fill(spool, 1)
    assert not checkpoint_log(path)
    fill(spool, 400, start=1)
    log = path.with_name(path.name + "-wal")
    grown = log.stat().st_size
    spool._rows("BEGIN IMMEDIATE")
    assert checkpoint_log(path)
    spool._rows("ROLLBACK")
    fill(spool, 100, start=401)
    assert log.stat().st_size == grown
    assert spool.verify().checked == 501


def test_threads_take_turns(spool: SqliteSpool) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda index: spool.append(sample_entry(index)), range(80)))
    report = spool.verify()
    assert (report.ok, report.checked) == (True, 80)


STEPS = st.lists(st.sampled_from(["append", "repeat", "conflict", "event", "ship", "prune", "reopen"]), max_size=25)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(STEPS)
def test_no_order_of_acts_loses_doubles_or_unchains_a_decision(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    spool = SqliteSpool(tmp_path_factory.mktemp("acts") / "spool.sqlite")
    written, shipped = 0, []
    for step in steps:
        if step == "append":
            spool.append(sample_entry(written))
            written += 1
        elif step == "repeat" and written and spool.decision(sample_decision(written - 1).id):
            spool.append(sample_entry(written - 1))
        elif step == "conflict" and written:
            with pytest.raises(SpoolConflict):
                spool.append(sample_entry(written - 1, stage="other"))
        elif step == "event":
            spool.append(TickEntry(None, events=(sample_event(os.urandom(4).hex()),)))
        elif step == "ship":
            batch = spool.unshipped(3)
            shipped += [link.taken_at for link in batch.decisions]
            spool.mark_shipped(batch.last)
        elif step == "prune":
            spool.prune(keep=2)
        elif step == "reopen":
            spool.close()
    while (batch := spool.unshipped(100)).entries:
        shipped += [link.taken_at for link in batch.decisions]
        spool.mark_shipped(batch.last)
    assert shipped == [sample_decision(index).observation.taken_at for index in range(written)]
    assert spool.verify().ok
    spool.close()
