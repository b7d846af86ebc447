"""Reading a spool, from any process: the last decisions, the checkpoint, the live status, and what is not shipped yet.

Thread rule: an instance may be used from any thread of its process; calls take turns. The connection is made by the first
call and does not survive a fork.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from controller.ports import Event
from controller.records.chain import ChainReport, Link, check_chain
from controller.records.codec import decode
from controller.records.decision import Decision
from controller.records.entry import Artefact, Batch, SpooledDecision, decode_events
from controller.records.identity import Key, keys_of
from controller.records.shipping_progress import Shipping, read_shipping, write_shipping
from controller.records.spool_file import open_reader, spool_errors

# The casts keep a column that was tampered with readable, so that `verify` can name it.
LINK = "seq, plant, subject, taken_at, CAST(record AS BLOB), CAST(prev_hash AS BLOB), CAST(hash AS BLOB)"
CHAIN_PAGE = 1000
EVENTS_EACH = 256  # numbers an entry's events may take; an entry has a handful


class SpoolReader:
    """A spool read by another process. Raises SpoolError if the file does not exist, SpoolCorrupt if it is damaged."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        self._spool_id = ""

    def close(self) -> None:
        """Close the connection; the next call opens another one."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def last_decision(self) -> Decision | None:
        """The decision written last."""
        rows = self._rows("SELECT record FROM entry WHERE record NOTNULL ORDER BY seq DESC LIMIT 1")
        return decode(rows[0][0]) if rows else None

    def decision(self, decision_id: str) -> Decision | None:
        """The decision of that id."""
        record = self.record(decision_id)
        return None if record is None else decode(record)

    def record(self, decision_id: str) -> bytes | None:
        """The bytes of the decision of that id."""
        return next((row[4] for key in keys_of(decision_id) for row in self._of(key)), None)

    def link(self, decision_id: str | None = None) -> Link | None:
        """The record of a decision, or of the one written last, as a link of the chain."""
        if decision_id is not None:
            return next((row for key in keys_of(decision_id) for row in self._of(key)), None)
        rows = self._rows(f"SELECT {LINK} FROM entry WHERE record NOTNULL ORDER BY seq DESC LIMIT 1")
        return rows[0] if rows else None

    def artefact(self, digest: str) -> bytes | None:
        """Return the artefact with that SHA-256 (hex), or None."""
        rows = self._rows("SELECT body FROM artefact WHERE digest = ?", digest)
        return bytes(rows[0][0]) if rows else None

    def recent(self, limit: int, before: str | None = None) -> list[Decision]:
        """The last decisions, newest first; with `before`, those written before that id."""
        until = 2**62
        if before is not None:
            until = next((row[0] for key in keys_of(before) for row in self._of(key)), 0)
        sql = "SELECT record FROM entry WHERE seq < ? AND record NOTNULL ORDER BY seq DESC LIMIT ?"
        rows = self._rows(sql, until, limit)
        return [decode(record) for (record,) in rows]

    def event(self, event_id: str) -> Event | None:
        """The event of that id."""
        rows = self._rows("SELECT events FROM entry JOIN event USING (seq) WHERE id = ?", event_id)
        return next((event for (body,) in rows for event in decode_events(body) if event.id == event_id), None)

    def events(self, limit: int) -> list[Event]:
        """The last events, newest first."""
        sql = (
            "SELECT events FROM entry WHERE seq IN (SELECT seq FROM event ORDER BY seq DESC LIMIT ?) ORDER BY seq DESC"
        )
        return [event for (body,) in self._rows(sql, limit) for event in reversed(decode_events(body))][:limit]

    def events_after(self, number: int, limit: int) -> list[tuple[int, Event]]:
        """Events numbered above `number`, oldest first, each with its number: the entry's, and its place in that entry."""
        wanted = "SELECT DISTINCT seq FROM event WHERE seq >= ? ORDER BY seq LIMIT ?"
        sql = f"SELECT seq, events FROM entry WHERE seq IN ({wanted}) ORDER BY seq"
        rows = self._rows(sql, number // EVENTS_EACH, limit + 1)
        numbered = [(seq * EVENTS_EACH + n, event) for seq, body in rows for n, event in enumerate(decode_events(body))]
        return [(place, event) for place, event in numbered if place > number][:limit]

    def last_event(self) -> int:
        """The number that `events_after` gives the newest event, 0 if no event is recorded."""
        rows = self._rows("SELECT seq, events FROM entry WHERE seq = (SELECT max(seq) FROM event)")
        return next((seq * EVENTS_EACH + len(decode_events(body)) - 1 for seq, body in rows), 0)

    def checkpoint(self) -> bytes | None:
        """The loop's own state after the last tick that had one."""
        rows = self._rows("SELECT body FROM checkpoint")
        return rows[0][0] if rows else None

    def live(self) -> str | None:
        """The live status as JSON text, as the control process wrote it last."""
        rows = self._rows("SELECT text FROM live")
        return rows[0][0] if rows else None

    def count(self) -> int:
        """Return the number of decisions in the spool; pruned ones are not counted."""
        return int(self._rows("SELECT count(*) FROM entry WHERE record NOTNULL")[0][0])

    def last_seq(self) -> int:
        """The number of the last entry, 0 in an empty spool."""
        return int(self._rows("SELECT coalesce(max(seq), 0) FROM entry")[0][0])

    def shipping(self) -> Shipping:
        """The shipper's progress, and whether the store is reachable."""
        if not self._spool_id:
            self._spool_id = self._rows("SELECT spool_id FROM spool")[0][0]
        return read_shipping(self.path, self._spool_id)

    def lag(self) -> int:
        """Return the number of entries that wait to be shipped."""
        return max(self.last_seq() - self.shipping().seq, 0)

    def unshipped(self, limit: int, after: int | None = None) -> Batch:
        """The oldest `limit` entries not yet shipped; with `after`, those behind that one."""
        after = self.shipping().seq if after is None else after
        with self._lock:
            sql = f"SELECT {LINK}, receipt, comparison, events FROM entry WHERE seq > ? ORDER BY seq LIMIT ?"
            entries = self._rows(sql, after, limit)
            if not entries:
                return Batch(after)
            span = (entries[0][0], entries[-1][0])
            artefacts = self._rows("SELECT digest, kind, at, body FROM artefact WHERE seq BETWEEN ? AND ?", *span)
        return Batch(
            last=span[1],
            entries=len(entries),
            decisions=tuple(SpooledDecision(*row[:7]) for row in entries if row[4] is not None),
            receipts=tuple((row[0], row[7]) for row in entries if row[7] is not None),
            comparisons=tuple((row[0], row[8]) for row in entries if row[8] is not None),
            events=tuple((row[0], row[9]) for row in entries if row[9] is not None),
            artefacts=tuple(Artefact(*row) for row in artefacts),
        )

    def mark_shipped(self, up_to: int, *, conflicts: int = 0) -> None:
        """Everything up to that number is in the store. Only the shipper says so; written beside the spool, never in it."""
        shipping = self.shipping()
        waiting = max(self.last_seq() - up_to, 0)
        fresh = Shipping(shipping.spool_id, up_to, waiting, False, wall_us(), "", shipping.conflicts + conflicts)
        write_shipping(self.path, fresh)

    def mark_away(self, error: str) -> None:
        """The store does not take entries now, and why; also only for the shipper."""
        shipping = self.shipping()
        waiting = max(self.last_seq() - shipping.seq, 0)
        away = Shipping(
            shipping.spool_id, shipping.seq, waiting, True, shipping.last_ok_wall_us, error, shipping.conflicts
        )
        write_shipping(self.path, away)

    def verify(self) -> ChainReport:
        """Walk the whole chain; says where it first breaks."""
        return check_chain(self._links(), self._anchor())

    def _links(self) -> Iterator[Link]:
        after = 0
        while page := self._rows(
            f"SELECT {LINK} FROM entry WHERE seq > ? AND record NOTNULL ORDER BY seq LIMIT ?", after, CHAIN_PAGE
        ):
            yield from page
            after = page[-1][0]

    def _anchor(self) -> bytes:
        return bytes(self._rows("SELECT anchor FROM spool")[0][0])

    def _of(self, key: Key) -> list[Any]:
        return self._rows(f"SELECT {LINK} FROM entry WHERE plant = ? AND subject = ? AND taken_at = ?", *key)

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        with self._lock, spool_errors(self.path, "read"):
            return self._opened().execute(sql, values).fetchall()

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = open_reader(self.path)
        return self._db


def wall_us() -> int:
    return time.time_ns() // 1000
