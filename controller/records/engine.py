"""Connecting to the database of a URL, and what its errors mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidRequestError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool

from controller.records.errors import StoreAway, StoreError, StoreOutdated

UNDEFINED = ("42P01", "42703")  # PostgreSQL: undefined table, undefined column
ABSENT = ("no such table", "no such column", "has no column named")  # the same, said by SQLite


def connect(url: str, *, wait_s: float = 5.0) -> Engine:
    """An engine for `sqlite:///FILE` or `postgresql+psycopg://...`; connects on first use. Raises StoreError on a bad URL."""
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend == "sqlite":
            return _sqlite(url, wait_s)
        if backend == "postgresql":
            return create_engine(parsed, pool_pre_ping=True, pool_size=4, connect_args=_patience(wait_s))
    except ModuleNotFoundError as error:
        raise StoreError(f"cannot use the store's URL: {error}: install `understudy[postgres]`") from error
    except (ArgumentError, InvalidRequestError) as error:
        raise StoreError(
            f"cannot use the store's URL: {error}: want `sqlite:///FILE` or `postgresql+psycopg://...`"
        ) from error
    raise StoreError(f"the store's URL is of `{backend}`: want `sqlite:///FILE` or `postgresql+psycopg://...`")


def _patience(wait_s: float) -> dict[str, int]:
    """libpq's settings: a server that vanished without a word is noticed in about half a minute, not in hours."""
    return {
        "connect_timeout": max(int(wait_s), 2),
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }


def make_folder(engine: Engine) -> None:
    """Make the folder of a SQLite file. Only a migration does: elsewhere a missing folder means that the store is not reachable."""
    if engine.dialect.name == "sqlite" and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)


def _sqlite(url: str, wait_s: float) -> Engine:
    # No pool: a connection kept open would go on writing to a file that was moved away or deleted, and nobody would know.
    engine = create_engine(url, connect_args={"timeout": wait_s}, poolclass=NullPool)
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: Any, _: Any) -> None:
    """FULL: once the store has an entry the spool may forget it, so it must survive a power cut."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


@contextmanager
def store_errors(engine: Engine) -> Iterator[None]:
    """Turn the database's errors into StoreAway, StoreOutdated, or StoreError for what waiting will not cure."""
    try:
        yield
    except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:  # COPY speaks to the driver itself
        where = engine.url.render_as_string(hide_password=True)
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        if _is_outdated(error):
            raise StoreOutdated(
                f"store `{where}` lacks tables of this build ({reason}): run `understudy db upgrade`"
            ) from error
        if _is_away(error):
            raise StoreAway(
                f"store `{where}` does not answer ({reason}): undelivered records stay in the spool until it returns"
            ) from error
        raise StoreError(f"store `{where}` refused: {reason}") from error


def _is_outdated(error: Exception) -> bool:
    cause = getattr(error, "orig", None) or error
    return getattr(cause, "sqlstate", None) in UNDEFINED or any(words in str(cause) for words in ABSENT)


def _is_away(error: Exception) -> bool:
    if isinstance(error, PoolTimeout) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return True
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"OperationalError", "InterfaceError"})
