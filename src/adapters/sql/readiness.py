from attrs import frozen
from sqlalchemy import select

from adapters.sql.database import Database
from adapters.sql.tables import task_lists, tasks
from domain.errors import StorageUnavailable

_EVERY_COLUMN = (
    select(tasks, task_lists).join_from(tasks, task_lists, tasks.c.owner_id == task_lists.c.owner_id).limit(0)
)

_NO_TABLE, _NO_COLUMN, _NO_RIGHT = "42P01", "42703", "42501"
_MIGRATE = "the tables are missing or of another version: run `evo-todo migrate`"
_NO_ANSWER = "no answer: check DATABASE_URL, and that the database runs and takes connections"
_WHAT_TO_DO = {
    _NO_TABLE: _MIGRATE,
    _NO_COLUMN: _MIGRATE,
    _NO_RIGHT: "its role may not use the tables: grant it SELECT, INSERT, UPDATE and DELETE on them",
}


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
            return _WHAT_TO_DO.get(_sqlstate(error.__cause__), _NO_ANSWER)
        return None


def _sqlstate(error: BaseException | None) -> str:
    cause = getattr(error, "orig", None)
    if "no such" in str(cause):  # SQLite has no codes for what it can't find
        return _NO_TABLE
    return str(getattr(cause, "sqlstate", ""))
