"""PostgreSQL is stopped and started: control goes on, the page says so, and all arrives afterwards, exactly once."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from controller.api.access import create_login_url
from controller.api.app import wall_us
from controller.records.chain import Link, check_chain
from controller.records.queries import DecisionFilter
from controller.records.store import Store
from tests.e2e.running import Running, eventually
from tests.records.conftest import PostgresDatabase

pytestmark = pytest.mark.xdist_group("e2e")
AWAY_S, PERIOD_US = 10.0, 300_000_000


def made_in(running: Running, wall_s: float) -> int:
    """How many decisions are made in that much wall time."""
    before = running.count()
    time.sleep(wall_s)
    return running.count() - before


@pytest.fixture
def console(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=10) as browser:
        assert browser.get(create_login_url(running.state, running.url, wall_us)).status_code == 200
        yield browser


def test_an_absent_database_holds_up_nobody_and_gets_everything_once(
    running: Running, database: PostgresDatabase, viewer: httpx.Client, console: httpx.Client
) -> None:
    usual = made_in(running, 3.0) / 3.0
    database.stop()
    try:
        away = made_in(running, AWAY_S) / AWAY_S
        told, page = running.status(viewer)["store"], console.get("/").text
        assert told["away"]
        assert told["lag"] > 0.5 * usual * AWAY_S
        assert "the store is not reachable" in page
        assert viewer.get("/v1/plants/hall/decisions").status_code == 200
    finally:
        database.start()
    assert away > 0.5 * usual > 0
    assert in_full(running)
    last = running.spool.last_decision()
    assert last is not None
    until_us = last.observation.taken_at
    eventually(lambda: arrived(running, until_us), "all in the store")
    assert not running.status(viewer)["store"]["away"]
    spooled, stored = spool_hashes(running, until_us), store_links(database, until_us)
    assert sorted(spooled) == [(link[3], link[6]) for link in stored]
    assert len({taken_at for taken_at, _ in spooled}) == len(spooled)
    assert running.spool.verify().ok
    assert check_chain(stored, bytes(32)).ok
    assert running.spool.shipping().conflicts == 0


def in_full(running: Running) -> bool:
    """Whether no period is without its decision."""
    with closing(sqlite3.connect(f"file:{running.spool.path}?mode=ro", uri=True)) as db:
        sql = "SELECT min(taken_at), max(taken_at), count(*) FROM entry WHERE record NOTNULL AND taken_at % ? = 0"
        first, last, count = db.execute(sql, (PERIOD_US,)).fetchone()
    return bool((last - first) // PERIOD_US + 1 == count)


def arrived(running: Running, until_us: int) -> bool:
    """Whether the shipper has got past the decision of that moment."""
    with closing(sqlite3.connect(f"file:{running.spool.path}?mode=ro", uri=True)) as db:
        (seq,) = db.execute("SELECT seq FROM entry WHERE taken_at = ?", (until_us,)).fetchone()
    return running.spool.shipping().seq >= int(seq)


def spool_hashes(running: Running, until_us: int) -> list[tuple[int, bytes]]:
    with closing(sqlite3.connect(f"file:{running.spool.path}?mode=ro", uri=True)) as db:
        sql = "SELECT taken_at, hash FROM entry WHERE record NOTNULL AND taken_at <= ?"
        return [(taken_at, bytes(found)) for taken_at, found in db.execute(sql, (until_us,))]


def store_links(database: PostgresDatabase, until_us: int) -> list[Link]:
    store = Store(database.url)
    try:
        rows = store.decisions(DecisionFilter(plant="hall", until_us=until_us + 1), limit=1_000_000)
    finally:
        store.close()
    rows.sort(key=lambda d: d.taken_at)
    return [(n, d.plant, d.subject, d.taken_at, d.record, d.prev_hash, d.hash) for n, d in enumerate(rows)]
