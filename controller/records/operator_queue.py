"""The operator queue: intents wait here until the control process carries them out. Any process may submit; only control resolves.

An intent is stored once per idempotency key: submitting it again returns the stored one, whatever its outcome.
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from controller.records.errors import IntentError

Kind = Literal[
    "pause",
    "resume",
    "promote",
    "approve",
    "abort",
    "trip",
    "reset",
    "override",
    "override_clear",
    "stop",
    "start",
]
Resolution = Literal["applied", "refused", "stale"]
BUSY_S = 1.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS intent (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, key TEXT NOT NULL UNIQUE, plant TEXT NOT NULL, kind TEXT NOT NULL,
    payload BLOB NOT NULL, actor TEXT NOT NULL, role TEXT NOT NULL, expected_version INTEGER, created_us INTEGER NOT NULL,
    outcome TEXT NOT NULL DEFAULT 'pending', detail TEXT NOT NULL DEFAULT '', version INTEGER)
"""
INTENT = "id, key, plant, kind, payload, actor, role, expected_version, created_us"


@dataclass(frozen=True, slots=True)
class Intent:
    """One act asked for. `key` is the client's idempotency key; `expected_version` the rollout state it was decided on."""

    id: str
    key: str
    plant: str
    kind: Kind
    payload: Mapping[str, Any]
    actor: str
    role: str
    expected_version: int | None
    created_us: int


@dataclass(frozen=True, slots=True)
class IntentState:
    """An intent and its outcome: `outcome` is `pending`, `applied`, `refused` or `stale`."""

    intent: Intent
    outcome: str
    detail: str
    version: int | None


class OperatorQueue:
    """The operator queue of one site, a small SQLite file. Every change is synced to disk before `submit` or `resolve` returns.

    Thread rule: any thread may call; calls take turns. The file is made by the first call.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._inode = 0

    def submit(self, intent: Intent) -> Intent:
        """Submit an intent. Returns the intent stored under its key: this one, or an earlier one."""
        if intent.kind not in get_args(Kind):
            raise IntentError(f"unknown `kind` `{intent.kind}`; valid: {', '.join(get_args(Kind))}")
        row = (
            intent.id,
            intent.key,
            intent.plant,
            intent.kind,
            _payload(intent),
            intent.actor,
            intent.role,
            intent.expected_version,
            intent.created_us,
        )
        with self._opened("submit an intent to") as db:
            try:
                db.execute(
                    f"INSERT INTO intent ({INTENT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
                    row,
                )
            except sqlite3.IntegrityError as error:
                raise IntentError(
                    f"intent `{intent.id}` is stored under another key: give each intent its own id"
                ) from error
            stored = db.execute(f"SELECT {INTENT} FROM intent WHERE key = ?", (intent.key,)).fetchone()
        return _intent(stored)

    def pending(self, plant: str) -> list[Intent]:
        """The pending intents of a plant, oldest first."""
        sql = f"SELECT {INTENT} FROM intent WHERE plant = ? AND outcome = 'pending' ORDER BY n"
        with self._opened("read") as db:
            return [_intent(row) for row in db.execute(sql, (plant,))]

    def resolve(self, intent_id: str, outcome: Resolution, detail: str, version: int | None) -> None:
        """Store the outcome of an intent, with the rollout's version after it. The first outcome stands."""
        if outcome not in get_args(Resolution):
            raise IntentError(f"unknown `outcome` `{outcome}`; valid: {', '.join(get_args(Resolution))}")
        with self._opened("resolve an intent in") as db:
            changed = db.execute(
                "UPDATE intent SET outcome = ?, detail = ?, version = ? WHERE id = ? AND outcome = 'pending'",
                (outcome, detail, version, intent_id),
            ).rowcount
            if changed:
                return
            found = db.execute("SELECT outcome FROM intent WHERE id = ?", (intent_id,)).fetchone()
        if found is None:
            raise IntentError(f"no intent `{intent_id}` is stored: resolve what `pending` returned")
        if found[0] != outcome:
            raise IntentError(
                f"intent `{intent_id}` is `{found[0]}` already, not `{outcome}`: an outcome is stored once"
            )

    def get(self, intent_id: str) -> IntentState | None:
        """An intent and its outcome."""
        states = self._states("WHERE id = ?", intent_id)
        return states[0] if states else None

    def recent(self, limit: int) -> list[IntentState]:
        """The last intents, newest first."""
        return self._states("ORDER BY n DESC LIMIT ?", limit)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def _states(self, where: str, value: str | int) -> list[IntentState]:
        with self._opened("read") as db:
            rows = db.execute(f"SELECT {INTENT}, outcome, detail, version FROM intent {where}", (value,)).fetchall()
        return [IntentState(_intent(row[:9]), *row[9:]) for row in rows]

    @contextmanager
    def _opened(self, doing: str) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._db is not None and not self._is_the_file():
                    self._db.close()  # the file was removed: other processes would write to a new one, unseen
                    self._db = None
                if self._db is None:
                    self._db = _open(self.path)
                    self._inode = self.path.stat().st_ino
                yield self._db
            except sqlite3.DatabaseError as error:
                raise IntentError(f"cannot {doing} `{self.path}`: {error}: try again, or check the file") from error

    def _is_the_file(self) -> bool:
        try:
            return self.path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_S)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(SCHEMA)
    except BaseException:
        db.close()
        raise
    return db


def _intent(row: tuple[Any, ...]) -> Intent:
    intent_id, key, plant, kind, payload, *rest = row
    return Intent(intent_id, key, plant, kind, msgspec.msgpack.decode(payload), *rest)


def _payload(intent: Intent) -> bytes:
    try:
        return msgspec.msgpack.encode(dict(intent.payload))
    except (TypeError, ValueError) as error:
        raise IntentError(f"the payload of `{intent.kind}` cannot be kept: {error}: send plain JSON values") from error
