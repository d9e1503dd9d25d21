"""Whether row-level security holds the role that the service logs in as."""

from typing import Final

from attrs import frozen
from sqlalchemy import text

from adapters.sql.database import Database
from domain.errors import StorageUnavailable

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
