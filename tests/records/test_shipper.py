"""The shipper: it ends with its parent, outlives the store's absence, and lets nothing block what waits behind it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import migrations
from controller.processes.parent_watchdog import PARENT_PIPE, STORE_URL
from controller.records.disagreement_review import Stretch
from controller.records.errors import StoreError, StoreOutdated
from controller.records.shipper import Shipper
from controller.records.spool import SqliteSpool
from controller.records.store import Store
from controller.records.tick_entry import TickEntry
from controller.testing.samples import sample_decision, sample_entry
from tests.paths import ROOT


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[SqliteSpool]:
    spool = SqliteSpool(tmp_path / "spool.sqlite")
    yield spool
    spool.close()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.sqlite'}"


def soon(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + 20
    while not holds() and time.monotonic() < until:
        time.sleep(0.01)
    return holds()


def test_batches_follow_each_other_until_nothing_waits(spool: SqliteSpool, url: str) -> None:
    migrations.upgrade(url)
    for index in range(25):
        spool.append(sample_entry(index))
    shipper = Shipper(spool, Store(url), batch=10)
    assert shipper.ship_batch() == 10
    assert spool.lag() == 15
    assert shipper.ship_until_empty() == 15
    assert shipper.ship_until_empty() == 0
    assert Store(url).count() == 25


def test_unmigrated_store_is_reported_and_loses_no_record(spool: SqliteSpool, url: str) -> None:
    spool.append(sample_entry(1))
    shipper, stopping = Shipper(spool, Store(url)), threading.Event()
    with pytest.raises(StoreOutdated, match="run `understudy db upgrade`"):
        shipper.ship_until_empty()
    loop = threading.Thread(target=shipper.run, args=(stopping,))
    loop.start()
    try:
        assert soon(lambda: spool.shipping().away)
        assert "db upgrade" in spool.shipping().error
        migrations.upgrade(url)
        assert soon(lambda: not spool.shipping().away)
    finally:
        stopping.set()
        loop.join()
    assert Store(url).count() == 1


def test_an_idle_shipper_notices_that_the_store_went_away(
    spool: SqliteSpool, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.records.shipper.PING_S", 0.0)
    migrations.upgrade(url)
    spool.append(sample_entry(1))
    store, stopping = Store(url), threading.Event()
    folder = Path(url.removeprefix("sqlite:///"))
    loop = threading.Thread(target=Shipper(spool, store).run, args=(stopping,))
    loop.start()
    try:
        assert soon(lambda: spool.lag() == 0)
        kept = folder.rename(folder.with_suffix(".kept"))
        folder.mkdir()
        assert soon(lambda: spool.shipping().away)
        folder.rmdir()
        kept.rename(folder)
        assert soon(lambda: not spool.shipping().away)
    finally:
        stopping.set()
        loop.join()


def test_record_of_an_unknown_version_is_stored_without_blocking(spool: SqliteSpool, url: str) -> None:
    migrations.upgrade(url)
    for index in range(3):
        spool.append(sample_entry(index))
    spool._rows("UPDATE entry SET record = x'00' WHERE seq = 2")
    store = Store(url)
    assert Shipper(spool, store).ship_until_empty() == 3
    assert [stored.rung for stored in store.decisions()] == ["incumbent", "unreadable", "incumbent"]


def test_a_malformed_comparison_is_dropped_and_blocks_nothing(spool: SqliteSpool, url: str) -> None:
    migrations.upgrade(url)
    spool.append(TickEntry(sample_decision(1), comparison={"klass": "differ"}))
    spool.append(sample_entry(2))
    store = Store(url)
    assert Shipper(spool, store).ship_until_empty() == 2
    assert (store.count(), store.disagreements(Stretch()).ticks) == (2, 1)


@pytest.mark.parametrize("bad", ["nonsense", "mysql://root@localhost/x", "postgresql+nodriver://localhost/x"])
def test_a_url_that_cannot_be_used_is_one_error(bad: str) -> None:
    with pytest.raises(StoreError, match=r"`sqlite:///FILE`.*`postgresql\+psycopg://...`"):
        Store(bad)


@pytest.mark.parametrize("end", ["parent", "sigterm", "kill"])
def test_the_shipper_process_ships_and_ends(spool: SqliteSpool, url: str, end: str) -> None:
    migrations.upgrade(url)
    for index in range(3):
        spool.append(sample_entry(index))
    ours, theirs = os.pipe()
    command = [sys.executable, "-m", "controller.processes.shipper", str(spool.path)]
    environment = os.environ | {STORE_URL: url, PARENT_PIPE: str(ours)}
    with subprocess.Popen(command, cwd=ROOT, pass_fds=[ours], env=environment) as process:
        os.close(ours)
        try:
            assert soon(lambda: spool.shipping().seq == 3)
            if end == "sigterm":
                process.send_signal(signal.SIGTERM)
            elif end == "kill":
                process.kill()
        finally:
            os.close(theirs)
        assert process.wait(15) == (-signal.SIGKILL if end == "kill" else 0)
    assert Shipper(spool, Store(url)).ship_until_empty() == 0
    assert Store(url).count() == 3
