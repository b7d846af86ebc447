"""Comparisons of candidate and incumbent: per tick, and per setpoint of it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "comparison",
        sa.Column("plant", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("taken_at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("month", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("klass", sa.Text, nullable=False),
        sa.Column("in_control", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_index("comparison_by_time", "comparison", ["plant", "taken_at"])
    op.create_table(
        "comparison_channel",
        sa.Column("plant", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("taken_at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("month", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("setpoint", sa.Text, primary_key=True),
        sa.Column("difference", sa.Double),
        sa.Column("flipped", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("comparison_channel")
    op.drop_table("comparison")
