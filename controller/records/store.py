"""The SQL store: every record of a site, to query. Filled by the shipper, read by API and CLI. Control never waits for it."""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Select, func, select, text, tuple_

from controller.records.disagreement_review import Review, Stretch, review
from controller.records.engine import connect, store_errors
from controller.records.entry import Artefact, Batch, decode_receipt
from controller.records.errors import StoreError
from controller.records.identity import keys_of
from controller.records.ingest import Ingested, ingest, insert_artefacts
from controller.records.models import ARTEFACT, DECISION, EVENT, RECEIPT, ROLLOUT, TRIP
from controller.records.queries import (
    Act,
    DecisionFilter,
    StoredDecision,
    StoredTransition,
    StoredTrip,
    decision_of,
    matching,
)
from safety.values import Receipt, Source

PLACE = tuple_(DECISION.c.taken_at, DECISION.c.plant, DECISION.c.subject)
FIRST_OUT = {Source.CANDIDATE: DECISION.c.candidate_first_out, Source.INCUMBENT: DECISION.c.incumbent_first_out}


class Store:
    """The store behind a URL. Any thread may call. Every method raises StoreAway while the database does not answer."""

    def __init__(self, url: str, *, wait_s: float = 5.0) -> None:
        self._engine = connect(url, wait_s=wait_s)

    @property
    def url(self) -> str:
        """The URL without its password."""
        return self._engine.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        self._engine.dispose()

    def ping(self) -> None:
        """Raise StoreAway if the database does not answer."""
        with self._reading() as db:
            db.execute(text("SELECT 1"))

    def ingest(self, batch: Batch) -> Ingested:
        """Insert a batch of the spool in one transaction. Ingesting it again changes nothing."""
        with store_errors(self._engine), self._engine.begin() as db:
            return ingest(db, batch)

    def decision(self, decision_id: str) -> StoredDecision | None:
        """The decision of that id."""
        for key in keys_of(decision_id):
            wanted = select(DECISION).where(
                DECISION.c.plant == key.plant, DECISION.c.subject == key.subject, DECISION.c.taken_at == key.taken_at
            )
            if rows := self._rows(wanted):
                return decision_of(rows[0])
        return None

    def decisions(
        self, wanted: DecisionFilter | None = None, limit: int = 100, before: str | None = None
    ) -> list[StoredDecision]:
        """Decisions that match, newest first; with `before`, those that come after that id in this order."""
        query = select(DECISION).where(matching(wanted or DecisionFilter()))
        if before is not None:
            last = self.decision(before)
            if last is None:
                return []
            query = query.where(tuple_(last.taken_at, last.plant, last.subject) > PLACE)
        query = query.order_by(*(column.desc() for column in PLACE.clauses)).limit(limit)
        return [decision_of(row) for row in self._rows(query)]

    def count(self, wanted: DecisionFilter | None = None) -> int:
        """Return the number of decisions that match."""
        query = select(func.count().label("count")).select_from(DECISION).where(matching(wanted or DecisionFilter()))
        return int(self._rows(query)[0]["count"])

    def vetoes(self, wanted: DecisionFilter | None = None, source: Source = Source.CANDIDATE) -> dict[str, int]:
        """Count the proposals of `source` (candidate or incumbent) that each rule refused first, by rule id."""
        rule = FIRST_OUT[source]
        query = select(rule.label("rule"), func.count().label("n")).where(
            matching(wanted or DecisionFilter()), rule != ""
        )
        return {row["rule"]: row["n"] for row in self._rows(query.group_by(rule).order_by(rule))}

    def disagreements(self, stretch: Stretch) -> Review:
        """Return the review of the comparisons of a stretch."""
        with self._reading() as db:
            return review(db, stretch)

    def receipts(self, decision_id: str) -> list[Receipt]:
        """Return the plant's receipts for a decision's command, oldest first."""
        query = select(RECEIPT.c.body).where(RECEIPT.c.decision == decision_id).order_by(RECEIPT.c.at)
        return [decode_receipt(bytes(row["body"])) for row in self._rows(query)]

    def transitions(self, plant: str | None = None, limit: int = 100) -> list[StoredTransition]:
        """The stages entered and left, newest first."""
        query = select(ROLLOUT).order_by(ROLLOUT.c.at.desc(), ROLLOUT.c.id.desc()).limit(limit)
        return [
            StoredTransition.of(row)
            for row in self._rows(query if plant is None else query.where(ROLLOUT.c.plant == plant))
        ]

    def trips(self, plant: str | None = None, *, active: bool | None = None, limit: int = 100) -> list[StoredTrip]:
        """The trips, newest first; `active` asks for those not reset, or for those that were."""
        query = select(TRIP).order_by(TRIP.c.at.desc(), TRIP.c.id.desc()).limit(limit)
        if plant is not None:
            query = query.where(TRIP.c.plant == plant)
        if active is not None:
            query = query.where(TRIP.c.reset_at.is_(None) if active else TRIP.c.reset_at.is_not(None))
        return [StoredTrip.of(row) for row in self._rows(query)]

    def events(
        self, plant: str | None = None, kinds: Sequence[str] = (), limit: int = 100, before_us: int | None = None
    ) -> list[Act]:
        """The audit, newest first."""
        query = select(EVENT).order_by(EVENT.c.at.desc(), EVENT.c.id.desc()).limit(limit)
        if plant is not None:
            query = query.where(EVENT.c.plant == plant)
        if kinds:
            query = query.where(EVENT.c.kind.in_(kinds))
        if before_us is not None:
            query = query.where(EVENT.c.at < before_us)
        return [Act.of(row) for row in self._rows(query)]

    def put_artefact(self, kind: str, body: bytes, *, at: int | None = None) -> str:
        """Keep a blob under its SHA-256 (hex), which is returned. Putting it again changes nothing."""
        digest = hashlib.sha256(body).hexdigest()
        now_us = time.time_ns() // 1000 if at is None else at
        with store_errors(self._engine), self._engine.begin() as db:
            insert_artefacts(db, [Artefact(digest, kind, now_us, body)])
        return digest

    def get_artefact(self, digest: str) -> bytes | None:
        """The blob of that name. Raises StoreError if it is not what its name says."""
        rows = self._rows(select(ARTEFACT.c.body).where(ARTEFACT.c.digest == digest))
        if not rows:
            return None
        body = bytes(rows[0]["body"])
        if hashlib.sha256(body).hexdigest() != digest:
            raise StoreError(f"artefact `{digest}` was changed in the store: restore it from a backup")
        return body

    def _rows(self, query: Select[Any]) -> Sequence[Mapping[str, Any]]:
        with self._reading() as db:
            return [dict(row) for row in db.execute(query).mappings()]

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with store_errors(self._engine), self._engine.connect() as db:
            yield db
