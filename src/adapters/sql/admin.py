"""What an operator does to a database: migrate it, prepare the role that the service logs in as, and recover it.

That role owns nothing, row-level security applies to it, and it has only the rights that the service needs. Alembic is
imported where it is used: it takes a fifth of a second, and most commands and all workers do without.
"""

import base64
import hmac
import os
from hashlib import pbkdf2_hmac, sha256
from typing import TYPE_CHECKING, Final

from attrs import field, frozen
from sqlalchemy import Connection, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.sql.database import Database
from adapters.sql.errors import STATEMENT_TIMEOUT
from adapters.sql.owners import OWNERS_BATCH, all_owners, set_user
from adapters.sql.readiness import server_problem
from adapters.sql.sqlstates import INSUFFICIENT_PRIVILEGE, sqlstate_of
from adapters.sql.statements import PLANNER
from adapters.sql.tables import task_lists

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATION_LOCK: Final = 0x65766F2D746F646F  # PostgreSQL's advisory locks are numbers: this one is "evo-todo"
LEAP: Final = 1_000_000_000
"""More changes than a list can have had between a backup and its loss; JavaScript can count a million such leaps."""


async def migrate(database: Database, revision: str = "head") -> None:
    """Migrate the tables to the newest revision, in one transaction; concurrent migrations wait for each other.

    Raises:
        UnsuitableDatabase: it can't store every text, its server is a standby, or its tables are of another version.
        OSError, StorageUnavailable or sqlalchemy.exc.SQLAlchemyError: it can't be reached or rejects a statement.
    """
    if (problem := await server_problem(database)) is not None:
        raise UnsuitableDatabase(problem)
    async with database.writes.begin() as connection:
        await connection.run_sync(_upgrade, revision)


def known_revisions() -> tuple[str, ...]:
    """The migrations' revisions that this version knows, the newest first."""
    from alembic.script import ScriptDirectory

    return tuple(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def alembic_config(connection: Connection) -> "Config":
    """Alembic's configuration, without an ini file, for the migrations in this package."""
    config = _config()
    config.attributes["connection"] = connection
    return config


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "adapters.sql:migrations")
    return config


def _upgrade(connection: Connection, revision: str) -> None:
    from alembic import command
    from alembic.util import CommandError

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        # A statement from which a forced policy would hide rows fails, instead of changing none of them.
        connection.execute(text("SET LOCAL row_security = off"))
    try:
        command.upgrade(alembic_config(connection), revision)
    except CommandError as error:
        raise UnsuitableDatabase(f"it belongs to another version of this service: {error}") from error


GRANTS: Final = {
    "task_lists": "SELECT, INSERT, UPDATE",
    "tasks": "SELECT, INSERT, UPDATE, DELETE",
    "idempotency_keys": "SELECT, INSERT, UPDATE, DELETE",
    "revocations": "SELECT, INSERT, UPDATE, DELETE",
    "audit_events": "SELECT, INSERT, DELETE",
    "alembic_version": "SELECT",
}
"""The service's rights on each table."""

_SCRAM_ITERATIONS: Final = 4096  # PostgreSQL's default
_SETTINGS: Final = {"statement_timeout": f"{STATEMENT_TIMEOUT * 1000:.0f}ms", **PLANNER}
"""The role's: a pooler passes them on. The server itself ends the statements that the service has given up."""
_FIND_ROLE: Final = text(
    "SELECT rolsuper OR rolbypassrls AS bypasses, pg_has_role(rolname, current_user, 'MEMBER') AS is_owner"
    " FROM pg_roles WHERE rolname = :role"
)


class UnsuitableDatabase(Exception):
    """This database can't be the service's; the message says why, and what to do."""


class UnsuitableRole(Exception):
    """This role can't be the service's; the message says why."""


@frozen
class ServiceRole:
    """The service's role, and the password to set; `None` leaves the password as it is."""

    name: str
    password: str | None = field(default=None, repr=False)


async def prepare_service_role(database: Database, role: ServiceRole) -> None:
    """Create the role or update its password and rights, as the tables' owner. SQLite has no roles.

    Raises:
        UnsuitableRole: it bypasses row-level security, or can act as the tables' owner.
        OSError or sqlalchemy.exc.SQLAlchemyError: the database can't be reached or rejects a statement.
    """
    if database.dialect == "postgresql":
        async with database.writes.begin() as connection:
            await _create_or_update(connection, role)
            await _configure(connection, role.name)
            await grant_to(connection, role.name)


async def grant_to(connection: AsyncConnection, role: str) -> None:
    """Give the role the rights in GRANTS on the service's tables, and take all others on them from it."""
    quoted = connection.dialect.identifier_preparer.quote_identifier(role)
    schema = (await connection.execute(text("SELECT quote_ident(current_schema())"))).scalar_one()
    await connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {quoted}")
    await connection.exec_driver_sql(f"GRANT EXECUTE ON FUNCTION set_user(text) TO {quoted}")
    for table, rights in GRANTS.items():
        await connection.exec_driver_sql(f"REVOKE ALL ON {table} FROM {quoted}")
        await connection.exec_driver_sql(f"GRANT {rights} ON {table} TO {quoted}")


async def _create_or_update(connection: AsyncConnection, role: ServiceRole) -> None:
    found = (await connection.execute(_FIND_ROLE, {"role": role.name})).one_or_none()
    if found is not None and found.bypasses:
        raise UnsuitableRole(
            f"the role {role.name} is a superuser or has BYPASSRLS, so that row-level security would not apply to it"
        )
    if found is not None and found.is_owner:
        raise UnsuitableRole(f"the role {role.name} can act as the tables' owner: the service needs another one")
    quoted = connection.dialect.identifier_preparer.quote_identifier(role.name)
    password = f"PASSWORD '{scram_sha_256(role.password)}'" if role.password else ""
    if found is None:
        await connection.exec_driver_sql(
            f"CREATE ROLE {quoted} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE {password}"
        )
    elif password:
        await connection.exec_driver_sql(f"ALTER ROLE {quoted} LOGIN {password}")


async def _configure(connection: AsyncConnection, role: str) -> None:
    """Set the role's settings.

    A role that may not alter an existing one leaves it as it is; then only cancel requests end statements, and each
    execution is planned anew.
    """
    settings = text("SELECT coalesce(rolconfig, '{}') FROM pg_roles WHERE rolname = :role")
    present = (await connection.execute(settings, {"role": role})).scalar_one()
    quoted = connection.dialect.identifier_preparer.quote_identifier(role)
    try:
        async with connection.begin_nested():
            for name, value in _SETTINGS.items():
                if f"{name}={value}" not in present:
                    await connection.exec_driver_sql(f"ALTER ROLE {quoted} SET {name} = '{value}'")
    except DBAPIError as error:
        if sqlstate_of(error) != INSUFFICIENT_PRIVILEGE:
            raise


def scram_sha_256(password: str) -> str:
    """PostgreSQL's verifier of a password (RFC 5802 §3, RFC 7677): the password itself is in none of its logs."""
    salt = os.urandom(16)
    salted = pbkdf2_hmac("sha256", password.encode(), salt, _SCRAM_ITERATIONS)
    stored = sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${_SCRAM_ITERATIONS}:{salt_text}${stored_text}:{server_text}"


async def outdate(database: Database, batch: int = OWNERS_BATCH) -> int:
    """Raise every list's revision, and its horizon to it; return how many lists there are. Safe to repeat.

    Clients may know revisions that the backup does not have. Without this, other changes would get the same numbers,
    and what a client holds from before would pass for current: sync tokens, entity tags, pages.

    Raises:
        StorageUnavailable: the database is unavailable; some lists may have been done.
    """
    count = 0
    raised = task_lists.c.revision + LEAP
    async for owners in all_owners(database, batch):
        async with database.writing() as connection:
            for owner in owners:
                await set_user(connection, owner)
                leap = update(task_lists).where(task_lists.c.owner_id == owner).values(revision=raised, horizon=raised)
                await connection.execute(leap)
        count += len(owners)
    return count
