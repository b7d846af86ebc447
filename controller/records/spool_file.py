"""The spool's file: its tables, and how it is opened without harm.

One SQLite file in WAL mode. `seq` numbers the entries of a spool, usually one per tick; a gap in it means nothing.
Whatever is wrong with a file, opening it changes no byte of it and says what to do.
"""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from controller.records.errors import SpoolCorrupt, SpoolError

APPLICATION_ID = 0x554E4453  # "UNDS": a file that is another program's database is never written
FORMAT = 1
GENESIS = bytes(32)
BUSY_MS = 2000
# A checkpoint of the write-ahead log takes milliseconds of disk time. The shipper makes it long before the writer must.
CHECKPOINT_BY_SHIPPER = 1000  # pages
CHECKPOINT_BY_WRITER = 4000
PAGE = 4096

# One row per tick, all of it in one place: every further table costs a page of write-ahead log on each commit.
SCHEMA = """
CREATE TABLE spool (id INTEGER PRIMARY KEY CHECK (id = 1), spool_id TEXT NOT NULL, anchor BLOB NOT NULL);
CREATE TABLE entry (
    seq INTEGER PRIMARY KEY, plant TEXT, subject TEXT, taken_at INTEGER, prev_hash BLOB, hash BLOB,
    events BLOB, receipt BLOB, comparison BLOB, record BLOB, UNIQUE (plant, subject, taken_at));
CREATE TABLE event (id TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE artefact (
    seq INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE checkpoint (id INTEGER PRIMARY KEY CHECK (id = 1), body BLOB NOT NULL);
CREATE TABLE live (id INTEGER PRIMARY KEY CHECK (id = 1), text TEXT NOT NULL);
"""


@contextmanager
def spool_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn SQLite's errors into ours: what was done, to which file, and what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if type(error) is sqlite3.DatabaseError:  # only damage has no class of its own
            raise damaged(path, str(error)) from error
        if "no such table" in str(error):
            raise absent(path) from error
        raise SpoolError(f"cannot {doing} spool `{path}`: {error}: check disk space and rights") from error


def absent(path: Path) -> SpoolError:
    """The one message for a file that is not there, or not yet a spool."""
    return SpoolError(f"there is no spool at `{path}`: start the site first (`understudy run`)")


def damaged(path: Path, why: str) -> SpoolCorrupt:
    """The one message for a file that cannot be trusted."""
    return SpoolCorrupt(
        f"spool `{path}` is damaged ({why}): nothing was changed; move it and its `-wal` file aside to keep them, "
        "then start again (what was shipped is safe in the store)"
    )


def open_writer(path: Path) -> sqlite3.Connection:
    """The one read-write connection, on a file that was made or checked first. Raises SpoolError."""
    with spool_errors(path, "open"):
        if path.exists() and path.stat().st_size > 0:
            _check(path)
        else:
            _create(path)
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000)
        try:
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_BY_WRITER}")
        except BaseException:
            db.close()
            raise
        return db


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, for any process. Raises SpoolError where there is no spool."""
    if not path.exists():
        raise absent(path)
    with spool_errors(path, "open"):
        return sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_MS / 1000,
        )


def checkpoint_log(path: Path) -> bool:
    """Checkpoint a grown write-ahead log without delaying writer or readers. Returns whether the log was large enough."""
    log = path.with_name(path.name + "-wal")
    try:
        if log.stat().st_size < CHECKPOINT_BY_SHIPPER * PAGE:
            return False
    except FileNotFoundError:
        return False
    with spool_errors(path, "checkpoint the log of"):
        name = f"{path.resolve().as_uri()}?mode=rw"
        with closing(sqlite3.connect(name, uri=True, isolation_level=None, timeout=0)) as db:
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA wal_checkpoint(PASSIVE)")
    return True


def _create(path: Path) -> None:
    """Make the file beside its place and move it there whole, so that a kill in the middle leaves nothing half made."""
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size > 0:  # SQLite would replay it onto the new file
        raise damaged(path, f"it is missing, but its log `{log.name}` is there")
    fresh = path.with_name(path.name + ".new")
    for left in (fresh, *(fresh.with_name(fresh.name + end) for end in ("-journal", "-wal", "-shm"))):
        left.unlink(missing_ok=True)
    with closing(sqlite3.connect(fresh, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(SCHEMA)
        db.execute("INSERT INTO spool VALUES (1, ?, ?)", (uuid.uuid4().hex, GENESIS))
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {FORMAT}")
    fresh.replace(path)


def _check(path: Path) -> None:
    """Read the whole file without the right to write. Raises SpoolCorrupt on damage, SpoolError on a strange file."""
    with closing(open_reader(path)) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        application = db.execute("PRAGMA application_id").fetchone()[0]
        if application != APPLICATION_ID:
            raise SpoolError(f"`{path}` is a database, but no spool: choose another state directory")
        if version != FORMAT:
            raise SpoolError(
                f"spool `{path}` is of format {version}, this build knows {FORMAT}: use the build it is of"
            )
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise damaged(path, found)
