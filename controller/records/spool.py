"""The local durable log of one plant's loop: one SQLite transaction per tick, acknowledged when `append` returns.

* A tick is written with `synchronous=NORMAL`: it survives `kill -9` at any moment, not a power cut. An entry marked `durable`
  (trip, approval) is synced, and everything before it with it; `durability="power_loss"` syncs every entry.
* A decision is written once. Writing it again with the same bytes does nothing; with other bytes it is an error.
* One writer: a lock file keeps a second process out. Readers (`SpoolReader`) and the shipper never hold it up.

Thread rule: as for `SpoolReader`, any thread of the writing process may call; calls take turns.
"""

import fcntl
import hashlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Literal

from controller.ports import Event
from controller.records.chain import link_hash
from controller.records.codec import encode
from controller.records.decision import Decision
from controller.records.entry import encode_events, encode_mapping, encode_receipt
from controller.records.errors import SpoolBusy, SpoolConflict, SpoolError
from controller.records.spool_file import GENESIS, open_writer, spool_errors
from controller.records.spool_reader import SpoolReader, wall_us
from controller.records.tick_entry import TickEntry

Durability = Literal["process_kill", "power_loss"]
LOCK_WAIT_S = 2.0
# seq, plant, subject, taken_at, prev_hash, hash, events, receipt, comparison, record
INSERT_ENTRY = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
Linked = tuple[str | None, str | None, int | None, bytes | None, bytes | None]


class SqliteSpool(SpoolReader):
    """The writing side of a spool; implements `controller.records.tick_entry.Spool`. Nothing is opened before the first call."""

    def __init__(self, path: Path | str, *, durability: Durability = "process_kill") -> None:
        super().__init__(path)
        self._always_sync = durability == "power_loss"
        self._synced = False
        self._lock_fd: int | None = None
        self._seq = 0
        self._head = GENESIS

    def append(self, entry: TickEntry) -> None:
        """Make all of a tick durable in one transaction. Raises SpoolConflict, or SpoolError where it cannot be written."""
        record = None if entry.decision is None else encode(entry.decision)
        receipt = None if entry.receipt is None else encode_receipt(entry.receipt)
        comparison = None if entry.comparison is None else encode_mapping(entry.comparison)
        with self._lock, spool_errors(self.path, "append to"):
            db = self._opened()
            self._sync(db, entry.durable or self._always_sync)
            seq = self._seq + 1
            key, head = self._link(entry.decision, record)
            try:
                db.execute("BEGIN IMMEDIATE")
                events = encode_events(_news(db, seq, entry.events)) if entry.events else None
                db.execute(INSERT_ENTRY, (seq, *key, events, receipt, comparison, record))
                if entry.checkpoint is not None:
                    db.execute("INSERT OR REPLACE INTO checkpoint VALUES (1, ?)", (entry.checkpoint,))
                db.execute("COMMIT")
            except BaseException as error:
                self._forget(db)
                if isinstance(error, sqlite3.IntegrityError) and self._is_repeat(entry.decision, record):
                    return
                raise
            self._seq, self._head = seq, head

    def keep_artefact(self, kind: str, body: bytes) -> str:
        """Keep something decisions will refer to, and ship it like them. Returns its SHA-256 (hex); known ones are kept once."""
        digest = hashlib.sha256(body).hexdigest()
        with self._lock, spool_errors(self.path, "append to"):
            if self._rows("SELECT 1 FROM artefact WHERE digest = ?", digest):
                return digest
            db, seq = self._opened(), self._seq + 1
            self._sync(db, True)
            try:
                db.execute("BEGIN IMMEDIATE")
                db.execute("INSERT INTO entry (seq) VALUES (?)", (seq,))
                db.execute("INSERT INTO artefact VALUES (?, ?, ?, ?, ?)", (seq, digest, kind, wall_us(), body))
                db.execute("COMMIT")
            except BaseException:
                self._forget(db)
                raise
            self._seq = seq
        return digest

    def publish_live(self, json_text: str) -> None:
        """Replace the live status, JSON text of one object."""
        with self._lock, spool_errors(self.path, "write to"):
            db = self._opened()
            self._sync(db, False)
            db.execute("INSERT OR REPLACE INTO live VALUES (1, ?)", (json_text,))

    def prune(self, keep: int, *, at_most: int = 1000) -> int:
        """Forget shipped entries beyond the last `keep` decisions (at least one), `at_most` numbers a call so that no tick waits.

        Returns how many decisions went. The chain stays provable: the hash before the first that stays is kept.
        """
        with self._lock, spool_errors(self.path, "prune"):
            db = self._opened()
            self._sync(db, self._always_sync)
            cut = self._cut(keep, at_most)
            hashes = self._rows("SELECT hash FROM entry WHERE seq <= ? AND record NOTNULL ORDER BY seq", cut)
            try:
                db.execute("BEGIN IMMEDIATE")
                db.execute("DELETE FROM event WHERE seq <= ?", (cut,))
                db.execute("DELETE FROM entry WHERE seq <= ?", (cut,))
                if hashes:
                    db.execute("UPDATE spool SET anchor = ?", hashes[-1])
                db.execute("COMMIT")
            except BaseException:
                self._forget(db)
                raise
            return len(hashes)

    def close(self) -> None:
        """Close the file and let another writer in."""
        with self._lock:
            super().close()
            if self._lock_fd is not None:
                os.close(self._lock_fd)
                self._lock_fd = None

    def _link(self, decision: Decision | None, record: bytes | None) -> tuple[Linked, bytes]:
        """The key and hashes of the next link of the chain, and the chain's head after it."""
        if decision is None or record is None:
            return (None, None, None, None, None), self._head
        seen, head = decision.observation, link_hash(self._head, record)
        return (seen.plant, seen.subject, seen.taken_at, self._head, head), head

    def _is_repeat(self, decision: Decision | None, record: bytes | None) -> bool:
        """Whether a refused decision is stored already, byte for byte. Raises SpoolConflict if with other bytes."""
        if decision is None or record is None:
            return False
        stored = self.record(decision.id)
        if stored is not None and stored != record:
            raise SpoolConflict(f"decision `{decision.id}` is stored with other bytes: a decision is written once")
        return stored is not None

    def _cut(self, keep: int, at_most: int) -> int:
        """The last number that may go: shipped, older than what stays, not too many at once."""
        sql = "SELECT seq FROM entry WHERE record NOTNULL ORDER BY seq DESC LIMIT 1 OFFSET ?"
        stays = self._rows(sql, max(keep, 1) - 1)
        if not stays:
            return 0
        first = self._rows("SELECT min(seq) FROM entry")[0][0]
        return int(min(stays[0][0] - 1, self.shipping().seq, first + at_most - 1))

    def _sync(self, db: sqlite3.Connection, wanted: bool) -> None:
        if wanted is not self._synced:
            db.execute(f"PRAGMA synchronous = {'FULL' if wanted else 'NORMAL'}")
            self._synced = wanted

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            self._lock_fd = self._lock_fd if self._lock_fd is not None else _only_writer(self.path)
            self._db = open_writer(self.path)
            self._synced = False
            self._find_head()
        return self._db

    def _forget(self, db: sqlite3.Connection) -> None:
        """Undo, and believe nothing remembered of the file: a commit that failed may have happened."""
        try:
            if db.in_transaction:
                db.execute("ROLLBACK")
            self._find_head()
        except (sqlite3.Error, SpoolError):
            super().close()  # the next call opens and checks the file again

    def _find_head(self) -> None:
        """Read the head of the chain. A number once shipped is never used again, even if a power cut took its entry."""
        self._seq = max(self.last_seq(), self.shipping().seq)
        last = self._rows("SELECT hash FROM entry WHERE record NOTNULL ORDER BY seq DESC LIMIT 1")
        self._head = last[0][0] if last else self._anchor()


def _news(db: sqlite3.Connection, seq: int, events: tuple[Event, ...]) -> list[Event]:
    """The events whose id is new, now known; of two with one id the first stands."""
    sql = "INSERT OR IGNORE INTO event VALUES (?, ?)"
    return [event for event in events if db.execute(sql, (event.id, seq)).rowcount]


def _only_writer(path: Path) -> int:
    """Take the writer's lock, waiting a moment for one that is just being killed. Raises SpoolBusy."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    until = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except OSError as error:
            if time.monotonic() > until:
                os.close(fd)
                raise SpoolBusy(f"another process writes spool `{path}`: stop it first (`understudy stop`)") from error
            time.sleep(0.02)
