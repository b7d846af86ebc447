"""Migrations run up and down on both databases with data in place, and lead to the models' tables exactly."""

from pathlib import Path

import pytest

import migrations
from controller.records.disagreement_review import Stretch
from controller.records.errors import StoreAway, StoreOutdated
from controller.records.shipper import Shipper
from controller.records.spool import SqliteSpool
from controller.records.store import Store
from controller.testing.samples import sample_entry
from controller.testing.store import Database


class Migrations:
    def test_migrated_tables_are_those_of_the_models(self, empty: Database) -> None:
        assert migrations.differences(empty.url)
        migrations.upgrade(empty.url)
        assert migrations.differences(empty.url) == []
        assert migrations.current(empty.url) == migrations.head()

    def test_upgrading_twice_changes_nothing(self, empty: Database) -> None:
        migrations.upgrade(empty.url)
        migrations.upgrade(empty.url)
        assert migrations.differences(empty.url) == []

    def test_downgrade_and_upgrade_keep_the_remaining_tables_data(self, empty: Database, tmp_path: Path) -> None:
        migrations.upgrade(empty.url)
        spool, store = SqliteSpool(tmp_path / "spool.sqlite"), Store(empty.url)
        for index in range(30):
            spool.append(sample_entry(index, event=True))
        Shipper(spool, store).ship_until_empty()
        decisions = store.decisions()
        migrations.downgrade(empty.url, "0001")
        assert store.decisions() == decisions
        with pytest.raises(StoreOutdated, match="run `understudy db upgrade`"):
            store.disagreements(Stretch())
        migrations.upgrade(empty.url)
        assert store.decisions() == decisions
        assert len(store.events()) == 30
        store.ingest(spool.unshipped(100, after=0))
        assert store.disagreements(Stretch()).ticks == 30
        store.close()
        spool.close()

    def test_fully_downgraded_store_is_refilled_from_the_spool(self, empty: Database, tmp_path: Path) -> None:
        migrations.upgrade(empty.url)
        spool, store = SqliteSpool(tmp_path / "spool.sqlite"), Store(empty.url)
        spool.append(sample_entry(1))
        Shipper(spool, store).ship_until_empty()
        migrations.downgrade(empty.url, "base")
        assert migrations.current(empty.url) is None
        migrations.upgrade(empty.url)
        assert store.count() == 0
        store.ingest(spool.unshipped(100, after=0))
        assert store.count() == 1
        store.close()
        spool.close()

    def test_migrating_an_unreachable_database_is_one_error(self, empty: Database) -> None:
        empty.stop()
        try:
            with pytest.raises(StoreAway, match="does not answer"):
                migrations.current(empty.url)
        finally:
            empty.start()


class TestSqlite(Migrations):
    @pytest.fixture
    def empty(self, empty_sqlite: Database) -> Database:
        return empty_sqlite


@pytest.mark.xdist_group("postgres")
class TestPostgres(Migrations):
    @pytest.fixture
    def empty(self, empty_postgres: Database) -> Database:
        return empty_postgres
