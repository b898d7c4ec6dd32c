"""Runs migrations on the connection that the store hands over; there is no other way in."""

from alembic import context
from sqlalchemy import Connection

from penstock.store.models import metadata

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
