"""The readiness checks of the database: server, tables, row-level security, and the revocations read from it."""

from typing import Final

from attrs import frozen
from sqlalchemy import select, text

from adapters.sql.database import Database
from adapters.sql.revocations import SqlRevocations
from adapters.sql.sqlstates import READ_ONLY, find_state, sqlstate_of
from adapters.sql.tables import task_lists, tasks
from domain.errors import StorageUnavailable

_NO_RESPONSE: Final = "no response: check DATABASE_URL, and that the database runs and accepts connections"
BYPASSES: Final = (
    "its role is a superuser or has BYPASSRLS, so that row-level security does not apply: let DATABASE_URL name a role"
    " of its own, such as the one that evo-todo migrate creates (EVO_TODO_SERVICE_ROLE), or set"
    " EVO_TODO_ALLOW_RLS_BYPASS=true"
)
UNGUARDED: Final = "row-level security is not in force on its tables: run evo-todo migrate as the role that owns them"

UNPROPAGATED: Final = (
    "the servers that have its tables do not learn which user is set, so that every change is refused: run evo-todo"
    " distribute, or set citus.propagate_set_commands to local for this database"
)
UNPLANNED: Final = (
    "its role has statements planned once for all owners, which fails where their tables are on several servers: run"
    " evo-todo distribute with EVO_TODO_SERVICE_ROLE"
)

_EVERY_COLUMN: Final = (
    select(tasks, task_lists).join_from(tasks, task_lists, tasks.c.owner_id == task_lists.c.owner_id).limit(0)
)
# A missing table is left to the other check.
_ROW_SECURITY: Final = text(
    "SELECT rolsuper OR rolbypassrls AS bypasses, EXISTS ("
    " SELECT FROM pg_class"
    " WHERE oid IN (to_regclass('task_lists'), to_regclass('tasks'), to_regclass('idempotency_keys'))"
    " AND NOT row_security_active(oid)) AS unguarded FROM pg_roles WHERE rolname = current_user"
)
# "none" is Citus's default; elsewhere there is no such setting.
_SHARDED: Final = text(
    "SELECT current_setting('citus.propagate_set_commands', true) IS DISTINCT FROM 'none' AS propagates,"
    " current_setting('plan_cache_mode') = 'force_generic_plan' AS is_unplanned"
)


_SERVER: Final = text(
    "SELECT current_setting('transaction_read_only') = 'on' AS is_read_only,"
    " current_setting('server_encoding') AS encoding"
)


async def server_problem(database: Database) -> str | None:
    """Why the server can't store what users write, and what to do, as `meaning: advice`; `None` if it can.

    `None` on SQLite, too, which has no server.

    Raises:
        StorageUnavailable: the database does not respond.
    """
    if database.dialect != "postgresql":
        return None
    found = (await database.read(_SERVER)).one()
    if found.is_read_only and (state := find_state(READ_ONLY)) is not None:
        return f"{state.meaning}: {state.advice}"
    if found.encoding != "UTF8":
        return (
            f"the database's encoding is {found.encoding}, which can't hold every text: create one with"
            " createdb --encoding=UTF8 --template=template0, and copy the tables into it"
        )
    return None


async def table_problem(database: Database) -> str | None:
    """What is wrong with the database or its tables, and what to do, as `meaning: advice`.

    `None` if it responds and has the tables and columns that this version reads and writes.
    """
    try:
        await database.read(_EVERY_COLUMN)
    except StorageUnavailable as error:
        return _failure(error)
    return None


def _failure(error: StorageUnavailable) -> str:
    state = find_state(sqlstate_of(error.__cause__))
    # /readyz is public: it does not say why a connection was rejected.
    return f"{state.meaning}: {state.advice}" if state and state.is_public else _NO_RESPONSE


async def row_security_problem(database: Database) -> str | None:
    """Why row-level security does not apply to this database's role, and what to do; `None` if it does.

    `None` on SQLite, too, which has none.

    Raises:
        StorageUnavailable: the database does not respond.
    """
    if database.dialect != "postgresql":
        return None
    found = (await database.read(_ROW_SECURITY)).one()
    if found.bypasses:
        return BYPASSES
    if database.is_sharded:
        sharded = (await database.read(_SHARDED)).one()
        if not sharded.propagates:
            return UNPROPAGATED
        if sharded.is_unplanned:
            return UNPLANNED
    return UNGUARDED if found.unguarded else None


@frozen
class DatabaseReadiness:
    """Whether the database responds, can store every text, and has the tables of this version."""

    _database: Database
    name: str = "database"

    async def problem(self) -> str | None:
        """See the port."""
        try:
            problem = await server_problem(self._database)
        except StorageUnavailable as error:
            return _failure(error)
        return problem or await table_problem(self._database)


@frozen
class RowSecurityReadiness:
    """Whether row-level security applies to the service's role, or an operator has allowed it to bypass that."""

    _database: Database
    _allows_bypass: bool
    name: str = "row-security"

    async def problem(self) -> str | None:
        """See the port. A database that does not respond is left to DatabaseReadiness."""
        try:
            problem = await row_security_problem(self._database)
        except StorageUnavailable:
            return None
        return None if problem == BYPASSES and self._allows_bypass else problem


@frozen
class RevocationsReadiness:
    """Whether this worker knows the revocations; if not, it tries to read them once."""

    _revocations: SqlRevocations
    name: str = "revocations"

    async def problem(self) -> str | None:
        """See the port. While they are being read, which may take long at the start, it does not wait."""
        if self._revocations.is_current:
            return None
        if self._revocations.is_refreshing:
            return "revocations are still being read, or could not be read for too long: see database"
        try:
            await self._revocations.refresh()
        except StorageUnavailable:
            return "revocations could not be read for too long: see database"
        return None
