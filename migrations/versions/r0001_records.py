"""Decisions, receipts, events, rollouts, trips and artefacts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "decision",
        sa.Column("plant", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("taken_at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("month", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("block", sa.BigInteger, nullable=False),
        sa.Column("assigned", sa.Text, nullable=False),
        sa.Column("rung", sa.Text, nullable=False),
        sa.Column("candidate_accepted", sa.Boolean),
        sa.Column("incumbent_accepted", sa.Boolean),
        sa.Column("candidate_first_out", sa.Text, nullable=False),
        sa.Column("incumbent_first_out", sa.Text, nullable=False),
        sa.Column("candidate_status", sa.Text, nullable=False),
        sa.Column("override", sa.Text, nullable=False),
        sa.Column("latency_us", sa.BigInteger, nullable=False),
        sa.Column("policy_digest", sa.Text, nullable=False),
        sa.Column("envelope_digest", sa.Text, nullable=False),
        sa.Column("kernel_digest", sa.Text, nullable=False),
        sa.Column("site_digest", sa.Text, nullable=False),
        sa.Column("prev_hash", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("record", sa.LargeBinary, nullable=False),
    )
    op.create_index("decision_by_time", "decision", ["taken_at", "plant", "subject"])
    op.create_table(
        "receipt",
        sa.Column("decision", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("month", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("accepted", sa.Boolean, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "event",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("plant", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("event_by_time", "event", ["at"])
    op.create_table(
        "rollout",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("plant", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("from_stage", sa.Text, nullable=False),
        sa.Column("to_stage", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("rollout_by_time", "rollout", ["plant", "at"])
    op.create_table(
        "trip",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("plant", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("first_out", sa.Text, nullable=False),
        sa.Column("critical", sa.Boolean, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("reset_at", sa.BigInteger),
        sa.Column("reset_by", sa.Text),
        sa.Column("reset_reason", sa.Text),
    )
    op.create_index("trip_by_time", "trip", ["plant", "at"])
    op.create_table(
        "artefact",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    for table in ("artefact", "trip", "rollout", "event", "receipt", "decision"):
        op.drop_table(table)
