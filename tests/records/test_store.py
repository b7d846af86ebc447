"""The store's contract on SQLite and on a real PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.records.errors import StoreAway, StoreError
from controller.records.rows import Row, receipt_rows
from controller.testing.samples import sample_entry
from controller.testing.store import Database, StoreContract


class TestSqlite(StoreContract):
    @pytest.fixture
    def database(self, migrated_sqlite: Database) -> Database:
        return migrated_sqlite


@pytest.mark.xdist_group("postgres")
class TestPostgres(StoreContract):
    @pytest.fixture
    def database(self, migrated_postgres: Database) -> Database:
        return migrated_postgres

    def test_server_lost_during_a_copy_stores_nothing(
        self, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spool, store = self.spooled(tmp_path, database, [])
        for index in range(200):
            spool.append(sample_entry(index))
        batch = spool.unshipped(200)

        class Deadly(list[Row]):
            def __iter__(self) -> Iterator[Row]:
                for n, row in enumerate(super().__iter__()):
                    if n == 100:
                        database.stop()
                    yield row

        with monkeypatch.context() as patch:
            patch.setattr("controller.records.ingest.receipt_rows", lambda batch: Deadly(receipt_rows(batch)))
            with pytest.raises(StoreAway):
                store.ingest(batch)
        database.start()
        assert store.count() == 0
        assert store.ingest(batch).decisions == 200

    def test_row_refused_by_the_server_is_a_permanent_error(
        self, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spool, store = self.spooled(tmp_path, database, [])
        spool.append(sample_entry(1))
        with monkeypatch.context() as patch:
            patch.setattr(
                "controller.records.ingest.receipt_rows", lambda batch: [receipt_rows(batch)[0] | {"at": "now"}]
            )
            with pytest.raises(StoreError, match="refused: invalid input syntax") as refused:
                store.ingest(spool.unshipped(10))
        assert not isinstance(refused.value, StoreAway)
        assert store.ingest(spool.unshipped(10)).decisions == 1
