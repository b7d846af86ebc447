"""The store's contract on SQLite and on a real PostgreSQL."""

import pytest

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
