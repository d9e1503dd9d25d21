from attrs import frozen
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from adapters.sql.database import Database
from adapters.sql.tables import task_lists, tasks
from domain.errors import StorageUnavailable

_EVERY_COLUMN = (
    select(tasks, task_lists).join_from(tasks, task_lists, tasks.c.owner_id == task_lists.c.owner_id).limit(0)
)


@frozen
class DatabaseReadiness:
    """Whether the database answers, and has the tables and columns this version reads and writes."""

    _database: Database
    name: str = "database"

    async def problem(self) -> str | None:
        """See the port."""
        try:
            await self._database.read(_EVERY_COLUMN)
        except StorageUnavailable as error:
            if isinstance(error.__cause__, SQLAlchemyError) and _lacks_tables(error.__cause__):
                return "the tables are missing or of another version: run `evo-todo migrate`"
            return "no answer: check DATABASE_URL, and that the database runs and takes connections"
        return None


def _lacks_tables(error: SQLAlchemyError) -> bool:
    cause = getattr(error, "orig", None)
    return getattr(cause, "sqlstate", None) in {"42P01", "42703"} or "no such" in str(cause)
