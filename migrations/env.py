"""What Alembic runs. The connection comes from `migrations.upgrade` and its like; there is no offline mode."""

from alembic import context
from sqlalchemy import text

from migrations import TARGET

connection = context.config.attributes["connection"]
if connection.dialect.name == "postgresql":
    # Two replicas that start at once migrate one after the other.
    connection.execute(text("SELECT pg_advisory_xact_lock(8801)"))
context.configure(connection=connection, target_metadata=TARGET, render_as_batch=True, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
