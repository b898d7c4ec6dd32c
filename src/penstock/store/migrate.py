"""Brings the tables up to date at start, in one transaction, by the migrations that ship inside the package."""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


class SchemaTooNew(RuntimeError):
    """The database was made by a later version, which this one cannot read."""


def upgrade(connection: Connection) -> None:
    """Applies all migrations that are missing; raises SchemaTooNew. The caller commits."""
    config = Config()
    # Alembic takes a percent sign for interpolation.
    config.set_main_option("script_location", str(files("penstock.store") / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    script = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    if current == script.get_current_head():
        return
    if current is not None and current not in {revision.revision for revision in script.walk_revisions()}:
        raise SchemaTooNew(
            f"the database is at revision {current}, which this version does not know: "
            "it was made by a later Penstock; install that version, or name another database"
        )
    command.upgrade(config, "head")
