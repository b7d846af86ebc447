"""Writing a batch into the store, exactly once: what is there already is left as it is.

SQLite inserts row by row with `ON CONFLICT DO NOTHING`, through its driver, which halves the time of SQLAlchemy's Core;
PostgreSQL copies into a temporary table and inserts from there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, or_, select, text, tuple_, update

from controller.records.comparison_table import CHANNEL, COMPARISON
from controller.records.entry import Artefact, Batch
from controller.records.models import ARTEFACT, DECISION, EVENT, RECEIPT, ROLLOUT, TRIP
from controller.records.rows import (
    Row,
    audit_row,
    comparison_rows,
    decision_rows,
    event_rows,
    key_of,
    receipt_rows,
    reset_row,
    rollout_row,
    trip_row,
)

LOOKUP = 500
# A trip is reset by its id; a rule's latch by the rule, and with it every trip of before that it has set.
RESET = update(TRIP).where(
    TRIP.c.reset_at.is_(None),
    TRIP.c.at <= bindparam("until"),
    or_(
        TRIP.c.id == bindparam("of_trip"),
        and_(TRIP.c.plant == bindparam("of_plant"), TRIP.c.first_out == bindparam("of_latch"), TRIP.c.first_out != ""),
    ),
)


@dataclass(frozen=True, slots=True)
class Ingested:
    """How many decisions were new, and the ids of those the store has with other bytes: the stored ones stand."""

    decisions: int
    conflicts: tuple[str, ...] = ()


def ingest(connection: Connection, batch: Batch) -> Ingested:
    """Insert all of a batch in the connection's transaction."""
    rows = decision_rows(batch)
    fresh = _insert(connection, DECISION, rows)
    _insert(connection, RECEIPT, receipt_rows(batch))
    ticks, channels = comparison_rows(batch)
    _insert(connection, COMPARISON, ticks)
    _insert(connection, CHANNEL, channels)
    _ingest_events(connection, batch)
    insert_artefacts(connection, batch.artefacts)
    return Ingested(fresh, () if fresh == len(rows) else _conflicts(connection, rows))


def _ingest_events(connection: Connection, batch: Batch) -> None:
    events = event_rows(batch)
    if not events:
        return
    _insert(connection, EVENT, [audit_row(event, plant) for event, plant in events])
    _insert(connection, ROLLOUT, [rollout_row(event, plant) for event, plant in events if event.kind == "stage"])
    _insert(connection, TRIP, [trip_row(event, plant) for event, plant in events if event.kind == "trip"])
    resets = [reset_row(event, plant) for event, plant in events if event.kind == "reset"]
    if resets:
        connection.execute(RESET, resets)


def _insert(connection: Connection, table: Table, rows: Sequence[Row]) -> int:
    """Insert the rows that are not there; returns how many that were."""
    if not rows:
        return 0
    if connection.dialect.name == "postgresql":
        return _copy(connection, table, rows)
    names, listed = _columns(table)
    marks = ", ".join("?" * len(names))
    values = [tuple(row[name] for name in names) for row in rows]
    sql = f'INSERT INTO "{table.name}" ({listed}) VALUES ({marks}) ON CONFLICT DO NOTHING'
    return connection.exec_driver_sql(sql, values).rowcount


def _copy(connection: Connection, table: Table, rows: Sequence[Row]) -> int:
    names, listed = _columns(table)
    fresh = f'"fresh_{table.name}"'
    connection.execute(text(f'CREATE TEMPORARY TABLE IF NOT EXISTS {fresh} (LIKE "{table.name}") ON COMMIT DROP'))
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {fresh} ({listed}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([row[name] for name in names])
    inserted = connection.execute(
        text(f'INSERT INTO "{table.name}" ({listed}) SELECT {listed} FROM {fresh} ON CONFLICT DO NOTHING')
    )
    return inserted.rowcount


def _columns(table: Table) -> tuple[list[str], str]:
    """The names of a table's columns, and the same as SQL."""
    names = [column.name for column in table.columns]
    return names, ", ".join(f'"{name}"' for name in names)


def _conflicts(connection: Connection, rows: Sequence[Row]) -> tuple[str, ...]:
    """The ids whose stored hash is not that of the row: after a power cut a spool may have made a decision again."""
    wanted = {(row["plant"], row["subject"], row["taken_at"]): row for row in rows}
    key = tuple_(DECISION.c.plant, DECISION.c.subject, DECISION.c.taken_at)
    keys, found = list(wanted), []
    for start in range(0, len(keys), LOOKUP):
        stored = select(DECISION.c.plant, DECISION.c.subject, DECISION.c.taken_at, DECISION.c.hash)
        for *identity, hash_ in connection.execute(stored.where(key.in_(keys[start : start + LOOKUP]))):
            row = wanted[tuple(identity)]
            if bytes(hash_) != row["hash"]:
                found.append(key_of(row))
    return tuple(sorted(found))


def insert_artefacts(connection: Connection, artefacts: Sequence[Artefact]) -> None:
    """Keep blobs under their digests, each once."""
    _insert(connection, ARTEFACT, [{"digest": a.digest, "kind": a.kind, "at": a.at, "body": a.body} for a in artefacts])
