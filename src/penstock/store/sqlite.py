"""All that is particular to SQLite: a local file that survives a power cut, with one writer and readers beside it.

WAL lets readers go on while the writer commits; `synchronous=FULL` syncs each commit; `BEGIN IMMEDIATE` takes the
write lock at once, so that two writers wait for each other instead of failing half-way. Python's own transaction
handling is switched off for it.
"""

from typing import Any

from sqlalchemy import Connection, Engine, event

BUSY_TIMEOUT_MS = 5_000
WRITE_OPTION = "penstock_write"


def configure(engine: Engine) -> None:
    """Sets up every connection of `engine`; for engines of other databases it does nothing."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        try:
            cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute("PRAGMA foreign_keys=ON")
        finally:
            cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        write = connection.get_execution_options().get(WRITE_OPTION)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
