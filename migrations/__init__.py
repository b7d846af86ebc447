"""Alembic migrations of the store, run from Python: no `alembic.ini`, no working directory.

One change of the tables is one file in `versions/`. `controller` and `shadow` own their tables; both are migrated together.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from controller.records.comparison_table import METADATA as COMPARISONS
from controller.records.engine import connect, make_folder, store_errors
from controller.records.models import METADATA as RECORDS

T = TypeVar("T")
TARGET: Any = [RECORDS, COMPARISONS]


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database of a URL to a revision, from wherever it is. Raises StoreAway."""
    engine = connect(url)
    make_folder(engine)
    engine.dispose()
    _run(url, lambda config: command.upgrade(config, revision))


def downgrade(url: str, revision: str) -> None:
    """Take the database of a URL back to a revision (`base` removes every table). Raises StoreAway."""
    _run(url, lambda config: command.downgrade(config, revision))


def current(url: str) -> str | None:
    """The revision the database of a URL is at, None before the first. Raises StoreAway."""
    return _with(url, lambda db: MigrationContext.configure(db).get_current_revision())


def head() -> str | None:
    """The revision that this build requires."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def differences(url: str) -> list[Any]:
    """Return Alembic's differences between the database of a URL and the models; empty when migrations are complete."""
    options = {"compare_type": True}
    return _with(url, lambda db: list(compare_metadata(MigrationContext.configure(db, opts=options), TARGET)))


def _run(url: str, act: Callable[[Config], None]) -> None:
    def on(db: Connection) -> None:
        config = _config()
        config.attributes["connection"] = db
        act(config)

    _with(url, on)


def _with(url: str, act: Callable[[Connection], T]) -> T:
    engine = connect(url)
    try:
        with store_errors(engine), engine.begin() as db:
            return act(db)
    finally:
        engine.dispose()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
