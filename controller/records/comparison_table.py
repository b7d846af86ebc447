"""The tables of comparisons: one row per tick, one per setpoint of it. They may be dropped; decisions make them again."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, MetaData, Table, Text

METADATA = MetaData()


def _key() -> list[Column[Any]]:
    return [
        Column("plant", Text, primary_key=True),
        Column("subject", Text, primary_key=True),
        Column("taken_at", BigInteger, primary_key=True, autoincrement=False),
        Column("month", Integer, primary_key=True, autoincrement=False),
    ]


COMPARISON = Table(
    "comparison",
    METADATA,
    *_key(),
    Column("klass", Text, nullable=False),
    Column("in_control", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Index("comparison_by_time", "plant", "taken_at"),
)

CHANNEL = Table(
    "comparison_channel",
    METADATA,
    *_key(),
    Column("setpoint", Text, primary_key=True),
    # Candidate minus incumbent, in the setpoint's unit; NULL where it is not a number.
    Column("difference", Double),
    # The two would have moved the setpoint in opposite directions.
    Column("flipped", Boolean, nullable=False),
)
