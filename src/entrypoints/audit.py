"""`evo-todo audit`: the audit log as lines for people or for programs, and how far back they go."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Final

import click

from adapters.sql.audit import SqlAuditTrail
from adapters.sql.database import connect
from domain.audit import AuditEvent, AuditKind
from domain.errors import StorageUnavailable
from domain.identity import UserId
from entrypoints.settings import Settings
from entrypoints.storage import database_of

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
    origin = event.origin
    known = {
        "at": event.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "kind": event.kind.value,
        "user_id": event.user_id,
        "session_id": event.session_id,
        "peer": origin.peer if origin else None,
        "request_id": origin.request_id if origin else None,
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
