"""What the commands of the command line do with the database, and how they explain its failures."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import click
from sqlalchemy.exc import SQLAlchemyError

from adapters.sql import admin, distribution
from adapters.sql.address import DatabaseAddress
from adapters.sql.audit import SqlAuditTrail
from adapters.sql.database import Database
from adapters.sql.errors import DRIVER_ERRORS, DatabaseFailure
from adapters.sql.readiness import BYPASSES, row_security_problem
from adapters.sql.retention import SqlIdempotencyKeys, SqlTombstones
from adapters.sql.revocations import SqlRevocations
from domain.audit import AuditEvent, AuditQuery
from domain.errors import StorageUnavailable
from entrypoints.database_providers import opened_database
from entrypoints.logging_config import configure_logging
from entrypoints.settings import Settings

T = TypeVar("T")

logger = logging.getLogger(__name__)


def database_of(settings: Settings) -> str:
    """Return the database URL.

    Raises:
        UsageError: none is set.
    """
    if settings.database_url is None:
        raise click.UsageError(
            "DATABASE_URL is not set: set it to postgresql://user:password@host/name or sqlite:///path, "
            "or use `evo-todo dev`, which creates a database"
        )
    return settings.database_url


def migrate(settings: Settings) -> None:
    """Migrate the database; create the service role if the settings name one.

    Raises:
        ClickException: the database is unavailable or rejects the migration.
    """
    database_url = database_of(settings)
    address = DatabaseAddress.parse(database_url)
    if address.is_sqlite and not address.file.parent.is_dir():
        raise click.UsageError(f"the folder of DATABASE_URL does not exist: {address.name}")

    async def run(database: Database) -> None:
        await admin.migrate(database)
        if settings.service_role is not None:
            role = admin.ServiceRole(settings.service_role, settings.service_password)
            await admin.prepare_service_role(database, role)

    try:
        _run(settings, run, "the database cannot be migrated")
    except admin.UnsuitableDatabase as error:
        raise click.ClickException(f"the database cannot be migrated: {address.name}: {error}") from error
    except admin.UnsuitableRole as error:
        raise click.ClickException(f"EVO_TODO_SERVICE_ROLE: {error}") from error


def _run(settings: Settings, use: Callable[[Database], Awaitable[T]], problem: str) -> T:
    """Run a coroutine on the database of the settings; `problem` is what a failure of the database means."""

    async def run() -> T:
        async with opened_database(settings) as database:
            return await use(database)

    with explained(settings, problem):
        return asyncio.run(run())


@contextmanager
def explained(settings: Settings, what: str) -> Iterator[None]:
    """Report a failure of the database in one line, without the error's own message, which may quote the address.

    Raises:
        ClickException: what failed, why, and what to do.
    """
    try:
        yield
    except BrokenPipeError:  # the reader of the output has stopped, as `head` does
        raise
    except (OSError, ValueError, StorageUnavailable, SQLAlchemyError, *DRIVER_ERRORS) as error:
        address, failure = DatabaseAddress.parse(database_of(settings)), DatabaseFailure.of(error)
        meaning, advice = failure.explain_at(address)
        raise click.ClickException(f"{what}: {address.name}: {meaning}: {advice}") from None


def ensure_row_security(settings: Settings) -> None:
    """Refuse a role that bypasses row-level security. An unavailable database is left to `/readyz`.

    Raises:
        ClickException: the role can read all users' tasks, and EVO_TODO_ALLOW_RLS_BYPASS is not set.
    """

    async def check(database: Database) -> str | None:
        try:
            return await row_security_problem(database)
        except StorageUnavailable:
            return None

    configure_logging(settings.log_format, settings.log_level)
    problem = _run(settings, check, "the database cannot be used")
    if problem == BYPASSES and not settings.allow_rls_bypass:
        raise click.ClickException(f"DATABASE_URL: {problem}")
    if problem is not None:
        logger.warning("row-level security is not in force", extra={"problem": problem})


Report = Callable[[str, int], None]
"""Receives a kind of data and the number of deleted rows."""


def purge(settings: Settings, report: Report) -> None:
    """Delete data whose retention period has ended; report each kind when it is done.

    Raises:
        ClickException: the database is unavailable. What was reported is deleted nevertheless.
    """
    now = datetime.now(UTC)

    async def run(database: Database) -> None:
        revocations = SqlRevocations(database, settings.token_rules.lifetimes, settings.revocation_max_stale)
        limit = now - timedelta(seconds=settings.audit_retention)
        report("audit events", await SqlAuditTrail(database).purge_before(limit))
        report("expired revocations", await revocations.purge_expired())
        limit = now - timedelta(seconds=settings.tombstone_retention)
        report("deleted tasks", await SqlTombstones(database).purge_before(limit))
        limit = now - timedelta(seconds=settings.idempotency_retention)
        report("idempotency keys", await SqlIdempotencyKeys(database).purge_before(limit))

    _run(settings, run, "nothing more can be deleted now")


def after_restore(settings: Settings) -> int:
    """Make every list's earlier sync tokens, ETags and stored pages known to be old; return the number of lists.

    Raises:
        ClickException: the database is unavailable.
    """
    return _run(settings, admin.outdate, "the lists can't be changed now")


def distribute(settings: Settings, report: Callable[[str], None], *, is_dry_run: bool) -> None:
    """Distribute the owners' tables over the servers of a Citus cluster; report each statement before it is run.

    Raises:
        ClickException: it is no such cluster, or the database is unavailable or rejects a statement.
    """

    async def run(database: Database) -> None:
        cluster = await distribution.read_cluster(database, settings.service_role)
        for statement in cluster.statements(keeps_force=settings.service_role is None):
            report(statement)
            if not is_dry_run:
                await distribution.distribute(database, statement)

    try:
        _run(settings, run, "the tables cannot be distributed")
    except distribution.CannotDistribute as error:
        raise click.ClickException(f"the tables cannot be distributed: {error}") from error


def read_audit(settings: Settings, query: AuditQuery, report: Callable[[AuditEvent], None]) -> None:
    """Report audit events, the newest last.

    Raises:
        ClickException: the audit log cannot be read.
    """

    async def run(database: Database) -> None:
        async for event in SqlAuditTrail(database).read(query):
            report(event)

    _run(settings, run, "the audit log cannot be read")
