"""The commands of the command line that use the database, and their input and output."""

import asyncio
import json
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Final

import click
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from adapters.sql import admin, distribution
from adapters.sql.address import DatabaseAddress
from adapters.sql.audit import SqlAuditTrail
from adapters.sql.diagnostics import DatabaseFailure
from adapters.sql.errors import DRIVER_ERRORS
from adapters.sql.readiness import BYPASSES, row_security_problem
from adapters.sql.revocations import SqlRevocations
from adapters.sql.tombstones import SqlIdempotencyKeys, SqlTombstones, outdate
from adapters.tokens.jws import MAX_LENGTH
from domain.audit import AuditEvent, AuditKind
from domain.errors import StorageUnavailable
from domain.identity import UserId
from entrypoints.logging_config import configure_logging
from entrypoints.providers import open_database, token_rules
from entrypoints.settings import Settings

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

    async def run() -> None:
        database = open_database(settings)
        try:
            await admin.migrate(database)
            if settings.service_role is not None:
                role = admin.ServiceRole(settings.service_role, settings.service_password)
                await admin.prepare_service_role(database, role)
        finally:
            await database.dispose()

    try:
        with explained(settings, "the database cannot be migrated"):
            asyncio.run(run())
    except CommandError as error:
        raise click.ClickException(f"the database belongs to another version of this service: {error}") from error
    except admin.UnsuitableDatabase as error:
        raise click.ClickException(f"the database cannot be migrated: {address.name}: {error}") from error
    except admin.UnsuitableRole as error:
        raise click.ClickException(f"EVO_TODO_SERVICE_ROLE: {error}") from error


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

    async def check() -> str | None:
        database = open_database(settings)
        try:
            return await row_security_problem(database)
        except StorageUnavailable:
            return None
        finally:
            await database.dispose()

    configure_logging(settings.log_format, settings.log_level)
    with explained(settings, "the database cannot be used"):
        problem = asyncio.run(check())
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
    with explained(settings, "nothing more can be deleted now"):
        asyncio.run(_purge(settings, report))


async def _purge(settings: Settings, report: Report) -> None:
    database = open_database(settings)
    now = datetime.now(UTC)
    try:
        revocations = SqlRevocations(database, token_rules(settings).lifetimes, settings.revocation_max_stale)
        limit = now - timedelta(seconds=settings.audit_retention)
        report("audit events", await SqlAuditTrail(database).purge_before(limit))
        report("expired revocations", await revocations.purge_expired())
        limit = now - timedelta(seconds=settings.tombstone_retention)
        report("deleted tasks", await SqlTombstones(database).purge_before(limit))
        limit = now - timedelta(seconds=settings.idempotency_retention)
        report("idempotency keys", await SqlIdempotencyKeys(database).purge_before(limit))
    finally:
        await database.dispose()


def after_restore(settings: Settings) -> int:
    """Make every list's earlier sync tokens, ETags and stored pages known to be old; return the number of lists.

    Raises:
        ClickException: the database is unavailable.
    """

    async def run() -> int:
        database = open_database(settings)
        try:
            return await outdate(database)
        finally:
            await database.dispose()

    with explained(settings, "the lists can't be changed now"):
        return asyncio.run(run())


def distribute(settings: Settings, report: Callable[[str], None], *, is_dry_run: bool) -> None:
    """Distribute the owners' tables over the servers of a Citus cluster; report each statement before it is run.

    Raises:
        ClickException: it is no such cluster, or the database is unavailable or rejects a statement.
    """

    async def run() -> None:
        database = open_database(settings)
        try:
            cluster = await distribution.read_cluster(database, settings.service_role)
            for statement in cluster.statements(keeps_force=settings.service_role is None):
                report(statement)
                if not is_dry_run:
                    await distribution.distribute(database, statement)
        finally:
            await database.dispose()

    try:
        with explained(settings, "the tables cannot be distributed"):
            asyncio.run(run())
    except distribution.CannotDistribute as error:
        raise click.ClickException(f"the tables cannot be distributed: {error}") from error


_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def since(text: str, now: datetime) -> datetime:
    """Parse an instant: a duration before now (`90s`, `30m`, `2h`, `7d`) or ISO 8601 (UTC by default).

    Raises:
        ValueError: it is neither.
    """
    if span := re.fullmatch(r"([0-9]{1,9})([smhd])", text):
        return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)


def print_audit(
    settings: Settings, *, user: str | None, start: str, kinds: frozenset[AuditKind], limit: int | None, is_json: bool
) -> None:
    """Print audit events, the newest last; `start` is parsed by `since`.

    Raises:
        BadParameter: the start is invalid.
        ClickException: the audit log cannot be read.
    """
    try:
        first = since(start, datetime.now(UTC))
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            "must be a duration such as 30m, 2h or 7d, or a date such as 2026-01-31", param_hint="--since"
        ) from error

    async def show() -> None:
        database = open_database(settings)
        try:
            user_id = None if user is None else UserId(user)
            async for event in SqlAuditTrail(database).read(user=user_id, since=first, kinds=kinds, limit=limit):
                click.echo(as_json(event) if is_json else as_text(event))
        finally:
            await database.dispose()

    with explained(settings, "the audit log cannot be read"):
        asyncio.run(show())


def members(event: AuditEvent) -> dict[str, str]:
    """Return the members of an event that are set, by the same names as in the process's log."""
    context = event.context
    values = {
        "at": event.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "kind": event.kind.value,
        "user_id": event.user_id,
        "session_id": event.session_id,
        "peer": context.peer if context else None,
        "request_id": context.request_id if context else None,
        "token_digest": event.token_digest,
        "reason": event.reason,
    }
    return {name: value for name, value in values.items() if value is not None}


def as_json(event: AuditEvent) -> str:
    """Format an event as a JSON object."""
    return json.dumps(members(event), ensure_ascii=False)


def as_text(event: AuditEvent) -> str:
    """Format an event as a line: time, kind, then name=value pairs; control characters are escaped (CWE-150)."""
    at, kind, *rest = members(event).items()
    pairs = (f"{name}={json.dumps(value) if re.search('[^!-~]', value) else value}" for name, value in rest)
    return "  ".join([at[1], f"{kind[1]:<15}", *pairs])


STDIN_TIMEOUT: Final = 5.0
"""Seconds to wait for a line on standard input."""

_STDIN: Final = 0  # not sys.stdin: a thread that waits would hold its lock at the interpreter's exit


def read_token(timeout: float = STDIN_TIMEOUT) -> str:
    """Read the first line of standard input without its line break; prompt for it on a terminal.

    Raises:
        ClickException: no line arrives in time.
    """
    if os.isatty(_STDIN):
        return str(click.prompt("Token", hide_input=True, err=True))
    received = bytearray()
    reader = threading.Thread(target=_read_line, args=(received,), daemon=True)
    reader.start()
    reader.join(timeout)
    if reader.is_alive():
        raise click.ClickException(f"no line on standard input within {timeout:g} s: close it, or use --token T")
    return received.decode("utf-8", "replace").partition("\n")[0].removesuffix("\r")


def _read_line(received: bytearray) -> None:
    # A token of more than MAX_LENGTH is rejected anyway, so there is no need to read further.
    with suppress(OSError):
        while len(received) <= MAX_LENGTH and b"\n" not in received and (chunk := os.read(_STDIN, MAX_LENGTH)):
            received += chunk
