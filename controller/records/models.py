"""The tables of the SQL store. Times are integer microseconds; `month` (yyyymm) is what large tables can be partitioned by.

`record` is the decision, whole and exact; the typed columns beside it are derived from it, to query by. Nothing has a
foreign key into `decision`: it is the table that old partitions are dropped from.
"""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text

METADATA = MetaData()


def _text(name: str) -> Column[Any]:
    return Column(name, Text, nullable=False)


def _big(name: str) -> Column[Any]:
    return Column(name, BigInteger, nullable=False)


def _key() -> list[Column[Any]]:
    return [
        Column("plant", Text, primary_key=True),
        Column("subject", Text, primary_key=True),
        Column("taken_at", BigInteger, primary_key=True, autoincrement=False),
        Column("month", Integer, primary_key=True, autoincrement=False),
    ]


DECISION = Table(
    "decision",
    METADATA,
    *_key(),
    _text("stage"),
    _big("block"),
    _text("assigned"),
    _text("rung"),
    Column("candidate_accepted", Boolean),
    Column("incumbent_accepted", Boolean),
    _text("candidate_first_out"),
    _text("incumbent_first_out"),
    _text("candidate_status"),
    _text("override"),
    _big("latency_us"),
    _text("policy_digest"),
    _text("envelope_digest"),
    _text("kernel_digest"),
    _text("site_digest"),
    Column("prev_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Index("decision_by_time", "taken_at", "plant", "subject"),
)

RECEIPT = Table(
    "receipt",
    METADATA,
    Column("decision", Text, primary_key=True),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("accepted", Boolean, nullable=False),
    _text("detail"),
    Column("body", LargeBinary, nullable=False),
)

EVENT = Table(
    "event",
    METADATA,
    Column("id", Text, primary_key=True),
    _text("plant"),
    _big("at"),
    _text("kind"),
    _text("actor"),
    _text("text"),
    _text("detail"),
    Index("event_by_time", "at"),
)

ROLLOUT = Table(
    "rollout",
    METADATA,
    Column("id", Text, primary_key=True),
    _text("plant"),
    _big("at"),
    _text("from_stage"),
    _text("to_stage"),
    _text("why"),
    _text("actor"),
    Column("version", BigInteger),
    _text("detail"),
    Index("rollout_by_time", "plant", "at"),
)

TRIP = Table(
    "trip",
    METADATA,
    Column("id", Text, primary_key=True),
    _text("plant"),
    _big("at"),
    _text("cause"),
    _text("first_out"),
    Column("critical", Boolean, nullable=False),
    _text("actor"),
    Column("reset_at", BigInteger),
    Column("reset_by", Text),
    Column("reset_reason", Text),
    Index("trip_by_time", "plant", "at"),
)

ARTEFACT = Table(
    "artefact",
    METADATA,
    Column("digest", Text, primary_key=True),
    _text("kind"),
    _big("at"),
    Column("body", LargeBinary, nullable=False),
)
