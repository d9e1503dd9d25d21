"""The commands for operators: the database, the audit log, and the diagnosis of a deployment.

Commands import their dependencies themselves, after the settings are read, so that `--help` and refusals are fast.
"""

import json
import logging
import os
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Final

import click

from application.health import all_passed
from domain.audit import AuditEvent, AuditKind, AuditQuery
from domain.identity import UserId
from entrypoints.settings import SettingError, Settings, wants_traces

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def read_settings() -> Settings:
    """The settings of the environment. Raises UsageError if one is invalid."""
    try:
        wants_traces(os.environ)
        return Settings.from_env(os.environ)
    except SettingError as error:
        raise click.UsageError(str(error)) from error


@click.command()
def migrate() -> None:
    """Migrate the database of DATABASE_URL; safe to run again, and from several machines at once.

    If EVO_TODO_SERVICE_ROLE is set, it also creates a PostgreSQL role of that name for `serve` to log in with. The role
    owns nothing and has only the privileges that the service needs. Its password is EVO_TODO_SERVICE_PASSWORD.
    """
    settings = read_settings()

    from entrypoints import database_commands

    database_commands.migrate(settings)
    click.echo("The database is up to date.", err=True)


@click.command()
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Only print the statements.")
def distribute(is_dry_run: bool) -> None:  # noqa: FBT001  (click passes flags by position)
    """Distribute the tables over the servers of a Citus cluster, after `migrate`; prints each statement.

    DATABASE_URL names the cluster's coordinator, and the role that owns the tables. If EVO_TODO_SERVICE_ROLE is set,
    the policies no longer apply to the owner afterwards (NO FORCE), because rows can't be moved between servers
    otherwise: `serve` must log in as the service's role. Set EVO_TODO_SHARDED=true for `serve` and `purge`. Changes
    wait while a table is copied. Safe to repeat.
    """
    settings = read_settings()

    from entrypoints import database_commands

    database_commands.distribute(settings, click.echo, is_dry_run=is_dry_run)
    click.echo("Nothing was changed." if is_dry_run else "The tables are distributed.", err=True)


@click.command()
@click.option("--user", metavar="U", help="Only events of this user.")
@click.option(
    "--since", "start", default="24h", show_default=True, metavar="T", help="Only events since T: 30m, 7d, 2026-01-31."
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in AuditKind]),
    help="Only events of this kind; repeatable.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N events.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object per line.")
def audit(user: str | None, start: str, kinds: tuple[str, ...], limit: int | None, is_json: bool) -> None:  # noqa: FBT001  (click passes flags by position)
    """Print the audit log, newest last: refused tokens, denied access, sessions, purged accounts, keys and limits.

    \b
    evo-todo audit --user alice --since 7d --json
    evo-todo audit --kind access-denied --limit 20
    """
    settings = read_settings()
    try:
        first = since(start, datetime.now(UTC))
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            "must be a duration such as 30m, 2h or 7d, or a date such as 2026-01-31", param_hint="--since"
        ) from error
    user_id, wanted = None if user is None else UserId(user), frozenset(AuditKind(kind) for kind in kinds)
    query = AuditQuery(user=user_id, since=first, kinds=wanted, limit=limit)
    formatted = as_json if is_json else as_text

    from entrypoints import database_commands

    database_commands.read_audit(settings, query, lambda event: click.echo(formatted(event)))


@click.command()
def purge() -> None:
    """Delete data whose retention period has ended, and print how many rows of each kind.

    Deletes audit events older than EVO_TODO_AUDIT_RETENTION, revocations of expired tokens, tombstones of deleted
    tasks older than EVO_TODO_TOMBSTONE_RETENTION, and idempotency keys older than EVO_TODO_IDEMPOTENCY_RETENTION.
    `serve` does the same by itself, about once an hour. Safe to run while the service is running, and from cron; the
    service's own role has the rights for it.
    """
    settings = read_settings()

    from entrypoints import database_commands

    database_commands.purge(settings, lambda what, count: click.echo(f"{what}: {count}"))


@click.command(name="after-restore")
def after_restore() -> None:
    """Run once after the database was restored from a backup, before `serve`: clients may know more than the backup.

    Raises the revision of every list, so that sync tokens, ETags and stored pages from before are known to be old, and
    prints how many lists there are. It changes no task. The service's own role has the rights for it.
    """
    settings = read_settings()

    from entrypoints import database_commands

    click.echo(f"lists: {database_commands.after_restore(settings)}")


@click.command(context_settings={"allow_extra_args": True})
@click.option("--token", "given", metavar="T", help="Check whether this token is accepted; `-` reads it from stdin.")
@click.option("--origin", metavar="O", help="Check CORS for this origin.  [default: that of BETTER_AUTH_BASE_URL]")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON document instead of lines.")
@click.pass_context
def doctor(context: click.Context, given: str | None, origin: str | None, is_json: bool) -> None:  # noqa: FBT001  (click passes flags by position)
    """Find out why something does not work, and how to fix it.

    Checks the settings of `serve` against reality: the issuer's keys and clock, a token, the CORS origin, the database
    and its tables, a replica, and notifications. Prints one line per check, with advice after `->`. Exits with 0 if
    nothing is wrong, else with 1, within about ten seconds. It changes nothing and prints no token and no password.

    Arguments are visible to other users of this machine (`ps`): `--token -` reads the token from standard input
    instead, and prompts for it on a terminal.

    \b
    evo-todo doctor --token - < token.txt
    """
    from entrypoints import doctor as diagnosis

    if context.args:  # click's own message would repeat them, and one may be a token
        raise click.UsageError("doctor accepts only options; quote a value that contains a space")
    logging.disable()  # the report contains the findings
    token = diagnosis.read_token() if given == "-" else given
    findings = diagnosis.examine(diagnosis.Doctor(env=os.environ, token=token, origin=origin))
    click.echo(diagnosis.as_json(findings) if is_json else diagnosis.as_text(findings), nl=False)
    sys.stdout.flush()
    # A normal exit would wait for a thread that hangs in a resolver or a file system.
    os._exit(0 if all_passed(findings) else 1)


def since(text: str, now: datetime) -> datetime:
    """Parse an instant: a duration before now (`90s`, `30m`, `2h`, `7d`) or ISO 8601 (UTC by default).

    Raises:
        ValueError: it is neither.
    """
    if span := re.fullmatch(r"([0-9]{1,9})([smhd])", text):
        return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)


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
