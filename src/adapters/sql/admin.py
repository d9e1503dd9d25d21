"""The role that the service logs in as: it owns nothing, passes no policy, and may do only what the service does."""

import base64
import hmac
import os
from hashlib import pbkdf2_hmac, sha256
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from attrs import field, frozen
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.sql.database import Database

GRANTS: Final = {
    "task_lists": "SELECT, INSERT, UPDATE",
    "tasks": "SELECT, INSERT, UPDATE, DELETE",
    "revocations": "SELECT, INSERT, UPDATE, DELETE",
    "audit_events": "SELECT, INSERT, DELETE",
    "alembic_version": "SELECT",
}
"""What it may do with each table."""

_ITERATIONS: Final = 4096  # PostgreSQL's own number
_FIND: Final = text(
    "SELECT rolsuper OR rolbypassrls AS bypasses, pg_has_role(rolname, current_user, 'MEMBER') AS is_owner"
    " FROM pg_roles WHERE rolname = :role"
)


class UnsuitableRole(Exception):
    """The role that was named can't be the service's; the message says why."""


@frozen
class ServiceRole:
    """A role's name, and the password that it shall have; without one, as it is."""

    name: str
    password: str | None = field(default=None, repr=False)


async def prepare_service_role(database: Database, role: ServiceRole) -> None:
    """Make the role or bring it up to date, as the role that owns the tables. SQLite has no roles.

    Raises:
        UnsuitableRole: it bypasses row-level security, or is the tables' owner.
        OSError or sqlalchemy.exc.SQLAlchemyError: the database can't be reached or refuses.
    """
    if database.dialect == "postgresql":
        async with database.writes.begin() as connection:
            await _make(connection, role)
            await grant_to(connection, role.name)


async def grant_to(connection: AsyncConnection, role: str) -> None:
    """Let the role do what GRANTS says with the service's tables, and nothing more."""
    quoted = connection.dialect.identifier_preparer.quote_identifier(role)
    schema = (await connection.execute(text("SELECT quote_ident(current_schema())"))).scalar_one()
    await connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {quoted}")
    await connection.exec_driver_sql(f"GRANT EXECUTE ON FUNCTION set_user(text) TO {quoted}")
    for table, rights in GRANTS.items():
        await connection.exec_driver_sql(f"REVOKE ALL ON {table} FROM {quoted}")
        await connection.exec_driver_sql(f"GRANT {rights} ON {table} TO {quoted}")


async def _make(connection: AsyncConnection, role: ServiceRole) -> None:
    found = (await connection.execute(_FIND, {"role": role.name})).one_or_none()
    if found is not None and found.bypasses:
        raise UnsuitableRole(f"the role {role.name} is a superuser or has BYPASSRLS, so that no policy would hold it")
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


def scram_sha_256(password: str) -> str:
    """What PostgreSQL keeps of a password (RFC 5802 §3, RFC 7677): so the password itself is in no log of its."""
    salt = os.urandom(16)
    salted = pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored = sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${_ITERATIONS}:{salt_text}${stored_text}:{server_text}"


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
