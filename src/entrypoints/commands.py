"""What the command line does with the database."""

import asyncio
import json
import logging
import os
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from adapters.sql.admin import ServiceRole, UnsuitableRole, migrate, prepare_service_role
from adapters.sql.audit import SqlAuditTrail
from adapters.sql.database import connect
from adapters.sql.readiness import BYPASSES, row_security_problem
from adapters.sql.revocations import SqlRevocations
from adapters.sql.tombstones import RowsHidden, SqlTombstones
from adapters.tokens.jws import MAX_LENGTH
from domain.audit import AuditEvent, AuditKind
from domain.errors import StorageUnavailable
from domain.identity import UserId
from entrypoints.logging_config import configure_logging
from entrypoints.providers import max_token_age
from entrypoints.settings import Settings

logger = logging.getLogger(__name__)


def database_of(settings: Settings) -> str:
    """The database's address.

    Raises:
        UsageError: none is set.
    """
    if settings.database_url is None:
        raise click.UsageError(
            "DATABASE_URL is not set: give postgresql://user:password@host/name or sqlite:///path, "
            "or use `evo-todo dev`, which brings its own"
        )
    return settings.database_url


def run_migrations(settings: Settings) -> None:
    """Migrate the tables, and make the service's role where the settings name one.

    Raises:
        ClickException: the database can't be had or refuses.
    """
    database_url = database_of(settings)
    if database_url.startswith("sqlite") and not (folder := Path(database_url.partition("///")[2]).parent).is_dir():
        raise click.UsageError(f"the folder of DATABASE_URL does not exist: {folder}")

    async def run() -> None:
        database = connect(database_url)
        try:
            await migrate(database)
            if settings.service_role is not None:
                role = ServiceRole(settings.service_role, settings.service_password)
                await prepare_service_role(database, role)
        finally:
            await database.dispose()

    try:
        asyncio.run(run())
    except CommandError as error:
        raise click.ClickException(f"the database is of another version than this service: {error}") from error
    except UnsuitableRole as error:
        raise click.ClickException(f"EVO_TODO_SERVICE_ROLE: {error}") from error
    except (OSError, ValueError, SQLAlchemyError) as error:
        cause = getattr(error, "orig", None) or error
        raise click.ClickException(f"the database can't be migrated: {type(cause).__name__}: {cause}") from error


def ensure_row_security(settings: Settings) -> None:
    """Refuse a role that no policy holds; a database that does not answer now is judged by `/readyz`.

    Raises:
        ClickException: this role sees everybody's tasks, and nobody has allowed that.
    """

    async def ask() -> str | None:
        database = connect(database_of(settings))
        try:
            return await row_security_problem(database)
        except StorageUnavailable:
            return None
        finally:
            await database.dispose()

    configure_logging(settings.log_format, settings.log_level)
    problem = asyncio.run(ask())
    if problem == BYPASSES and not settings.allow_rls_bypass:
        raise click.ClickException(f"DATABASE_URL: {problem}")
    if problem is not None:
        logger.warning("row-level security is not in force", extra={"problem": problem})


Tell = Callable[[str, int], None]
"""Takes what went, and how many rows."""


def purge(settings: Settings, tell: Tell) -> None:
    """Take it away, and tell of each kind once it is done.

    Raises:
        ClickException: the database is away or this role may not see the rest; what was told of is gone all the same.
    """
    try:
        asyncio.run(_purge(settings, tell))
    except StorageUnavailable as error:
        raise click.ClickException("nothing more can be taken away now: ask `evo-todo doctor`") from error
    except RowsHidden as error:
        raise click.ClickException(
            "deleted tasks stay: row-level security hides them from this role. Run this as a superuser or a role with "
            "BYPASSRLS, as for a backup"
        ) from error


async def _purge(settings: Settings, tell: Tell) -> None:
    database = connect(database_of(settings))
    now = datetime.now(UTC)
    try:
        revocations = SqlRevocations(database, max_token_age(settings), settings.revocation_max_stale)
        old = now - timedelta(seconds=settings.audit_retention)
        tell("audit events", await SqlAuditTrail(database).purge_before(old))
        tell("expired revocations", await revocations.purge_expired())
        old = now - timedelta(seconds=settings.tombstone_retention)
        tell("deleted tasks", await SqlTombstones(database).purge_before(old))
    finally:
        await database.dispose()


_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def since(text: str, now: datetime) -> datetime:
    """An instant, as a span before now (`90s`, `30m`, `2h`, `7d`) or in ISO 8601 (UTC unless it says so).

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
    """Print a user's events, or everybody's, of some kinds or all, from a start as `since` reads it, the newest last.

    Raises:
        BadParameter: the start can't be read. ClickException: the events can't.
    """
    try:
        first = since(start, datetime.now(UTC))
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            "takes a span such as 30m, 2h or 7d, or a date such as 2026-01-31", param_hint="--since"
        ) from error

    async def show() -> None:
        database = connect(database_of(settings))
        try:
            who = None if user is None else UserId(user)
            async for event in SqlAuditTrail(database).read(user=who, since=first, kinds=kinds, limit=limit):
                click.echo(as_json(event) if is_json else as_text(event))
        finally:
            await database.dispose()

    try:
        asyncio.run(show())
    except StorageUnavailable as error:
        raise click.ClickException(
            "the audit log can't be read: ask `evo-todo doctor`, and see that `evo-todo migrate` was run"
        ) from error


def members(event: AuditEvent) -> dict[str, str]:
    """What is known of an event, by the names that the log has, too."""
    context = event.context
    known = {
        "at": event.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "kind": event.kind.value,
        "user_id": event.user_id,
        "session_id": event.session_id,
        "peer": context.peer if context else None,
        "request_id": context.request_id if context else None,
        "token_digest": event.token_digest,
        "reason": event.reason,
    }
    return {name: value for name, value in known.items() if value is not None}


def as_json(event: AuditEvent) -> str:
    """One JSON object."""
    return json.dumps(members(event), ensure_ascii=False)


def as_text(event: AuditEvent) -> str:
    """One line: when and what, then names and values; what could move a terminal's cursor is escaped (CWE-150)."""
    at, kind, *rest = members(event).items()
    shown = (f"{name}={json.dumps(value) if re.search('[^!-~]', value) else value}" for name, value in rest)
    return "  ".join([at[1], f"{kind[1]:<15}", *shown])


STDIN_TIMEOUT: Final = 5.0
"""Seconds that a program in front of the pipe is given."""

_STDIN: Final = 0  # not sys.stdin: its lock, held by a thread that waits, would be missed at the end


def read_token(patience: float = STDIN_TIMEOUT) -> str:
    """The first line, without its end; empty where standard input is.

    Raises:
        ClickException: nothing comes in time.
    """
    if os.isatty(_STDIN):
        return str(click.prompt("Token", hide_input=True, err=True))
    came = bytearray()
    reader = threading.Thread(target=_read, args=(came,), daemon=True)
    reader.start()
    reader.join(patience)
    if reader.is_alive():
        raise click.ClickException(f"no line came on standard input within {patience:g} s: end it, or give --token T")
    return came.decode("utf-8", "replace").partition("\n")[0].removesuffix("\r")


def _read(came: bytearray) -> None:
    # As much as is enough to tell that it is too long.
    with suppress(OSError):
        while len(came) <= MAX_LENGTH and b"\n" not in came and (chunk := os.read(_STDIN, MAX_LENGTH)):
            came += chunk
