from typing import Final

from attrs import frozen
from sqlalchemy import select, text

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


# A table that is missing is another check's affair.
_ASK: Final = text(
    "SELECT rolsuper OR rolbypassrls AS bypasses, EXISTS ("
    " SELECT FROM pg_class WHERE oid IN (to_regclass('task_lists'), to_regclass('tasks'))"
    " AND NOT row_security_active(oid)) AS unguarded FROM pg_roles WHERE rolname = current_user"
)

BYPASSES: Final = (
    "its role is a superuser or has BYPASSRLS, so that no policy holds it: let DATABASE_URL name a role of its own,"
    " such as the one that evo-todo migrate makes (EVO_TODO_SERVICE_ROLE), or set EVO_TODO_ALLOW_RLS_BYPASS=true"
)
UNGUARDED: Final = "row-level security is not in force on its tables: run evo-todo migrate as the role that owns them"


async def row_security_problem(database: Database) -> str | None:
    """Why policies don't hold this database's role, and what to do; `None` when they do, and on SQLite.

    Raises:
        StorageUnavailable: the database doesn't tell.
    """
    if database.dialect != "postgresql":
        return None
    found = (await database.read(_ASK)).one()
    if found.bypasses:
        return BYPASSES
    return UNGUARDED if found.unguarded else None


@frozen
class RowSecurityReadiness:
    """Whether the second wall stands."""

    _database: Database
    _allows_bypass: bool
    name: str = "row-security"

    async def problem(self) -> str | None:
        """See the port. A database that doesn't answer is the other check's affair."""
        try:
            problem = await row_security_problem(self._database)
        except StorageUnavailable:
            return None
        return None if problem == BYPASSES and self._allows_bypass else problem
