"""Bringing a database's tables to where this version wants them."""

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from adapters.sql.database import Database

_LOCK = 0x65766F2D746F646F  # "evo-todo", as PostgreSQL's advisory locks are numbers


def alembic_config(connection: Connection) -> Config:
    """What Alembic needs to know, without an ini file: the scripts that ship in the package."""
    config = _config()
    config.attributes["connection"] = connection
    return config


def known_revisions() -> tuple[str, ...]:
    """The revisions that this version knows, the newest first."""
    return tuple(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "adapters.sql:migrations")
    return config


def _upgrade(connection: Connection, revision: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    command.upgrade(alembic_config(connection), revision)


async def migrate(database: Database, revision: str = "head") -> None:
    """Upgrade to the newest tables, in one transaction; several at once wait for each other.

    Raises:
        OSError or sqlalchemy.exc.SQLAlchemyError: the database can't be reached or refuses.
    """
    async with database.writes.begin() as connection:
        await connection.run_sync(_upgrade, revision)
