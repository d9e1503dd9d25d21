"""The command line, `evo-todo`. Commands import their dependencies themselves, so that `--help` is fast."""

import logging
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import click

from application.health import all_passed
from domain.audit import AuditKind
from domain.errors import InvalidField
from domain.identity import Principal, UserId
from entrypoints.settings import SettingError, Settings, wants_traces

_SETTINGS = """\
\b
Settings (environment)            default
  DATABASE_URL                    required by serve; dev: a SQLite file
  BETTER_AUTH_BASE_URL            http://localhost:3000
  EVO_TODO_JWKS_URL               <base>/api/auth/jwks
  EVO_TODO_ISSUER, _AUDIENCE      the origin of the base URL
  EVO_TODO_CORS_ORIGINS           http://localhost:3000
  EVO_TODO_RATE_LIMIT             600/minute (per user)
  EVO_TODO_ADDRESS_RATE_LIMIT     120/minute (unauthenticated requests)
  EVO_TODO_LIMITS_STORE           memory
  EVO_TODO_TRUSTED_PROXIES        none
  EVO_TODO_HOST, _PORT, _WORKERS  127.0.0.1, 8000, 1
  EVO_TODO_LOG_FORMAT, _LOG_LEVEL console or json, info
  EVO_TODO_SERVICE_ROLE           none; created by migrate for serve
docs/operations.md describes all settings.
"""

data_folder = click.option(
    "--data",
    default=".evo-todo",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the development database and key.",
)


def listens(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of the address to listen on, which stand for the settings of that name."""

    def set_as(name: str) -> Callable[[click.Context, click.Parameter, str | None], None]:
        def keep(_: click.Context, __: click.Parameter, value: str | None) -> None:
            if value is not None:
                os.environ[name] = value  # which the workers read, too

        return keep

    for option, name in (("--port", "EVO_TODO_PORT"), ("--host", "EVO_TODO_HOST")):
        command = click.option(
            option, metavar=option[2:].upper(), expose_value=False, callback=set_as(name), help=f"Instead of {name}."
        )(command)
    return command


def _settings() -> Settings:
    try:
        wants_traces(os.environ)
        return Settings.from_env(os.environ)
    except SettingError as error:
        raise click.UsageError(str(error)) from error


@click.group(epilog=_SETTINGS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="evo-todo")
def main() -> None:
    """A task service behind Better Auth.

    \b
    Try it:       evo-todo dev
    Run it:       evo-todo migrate && evo-todo serve
    Fix it:       evo-todo doctor
    Audit it:     evo-todo audit
    """


@main.command()
@data_folder
@click.option("--user", default="alice", show_default=True, help="User ID of the printed token.")
@click.option("--reload", is_flag=True, help="Restart when the code changes.")
@listens
def dev(data: Path, user: str, reload: bool) -> None:  # noqa: FBT001  (click passes flags by position)
    """Start a development server; no other setup is needed.

    Creates a SQLite database with its tables, and replaces Better Auth by a development issuer that publishes a key on
    a loopback address. The key is stored in the data folder, so that tokens remain valid after a restart. Prints a
    request to paste into a terminal. Reads the same settings as `serve`, but runs one worker. If EVO_TODO_JWKS_URL is
    set, tokens of that issuer are accepted and the development issuer is not started.

    \b
    Another user's token:  evo-todo token bob
    """
    from entrypoints import commands
    from entrypoints.dev_issuer import DevIssuer, create_private_folder
    from entrypoints.server import run_server

    principal = _principal(user)
    create_private_folder(data)
    os.environ.setdefault("DATABASE_URL", f"sqlite:///{data / 'tasks.db'}")
    os.environ.setdefault("EVO_TODO_ALLOW_RLS_BYPASS", "true")  # any role will do for development
    issuer = None if "EVO_TODO_JWKS_URL" in os.environ else DevIssuer.in_folder(data)
    if issuer is not None:
        os.environ["EVO_TODO_JWKS_URL"] = issuer.publish()
    settings = _settings()
    _ensure_port_is_free(settings)
    commands.migrate(settings)
    address = f"http://{_in_url(settings.host)}:{settings.port}"
    click.echo(f"Evo-TODO is running on {address}. API documentation: {address}/docs.", nl=False)
    if issuer is None:
        click.echo(f" Keys are fetched from {settings.jwks_url}.\n")
    else:
        click.echo(
            f" A request with a token of {user}:\n\n"
            f"curl -s {address}/api/{quote(user, safe='')}/tasks"
            f" -H 'Authorization: Bearer {issuer.token(principal, settings)}'"
            " -H 'Content-Type: application/json' -d '{\"title\":\"Buy milk\"}'\n"
        )
    package = Path(__file__).parent.parent
    options = {"reload": True, "reload_dirs": [str(package)]} if reload else {"workers": 1}
    run_server(settings, grace=1, **options)


@main.command()
@click.option("--migrate", "migrate_first", is_flag=True, help="Migrate the database first.")
@listens
def serve(migrate_first: bool) -> None:  # noqa: FBT001  (click passes flags by position)
    """Start the service. Requires DATABASE_URL and a migrated database (`evo-todo migrate`).

    On PostgreSQL, the role must be subject to row-level security: neither a superuser nor a role with BYPASSRLS.

    On SIGTERM it stops accepting connections, completes the requests in progress, and exits within ten seconds.
    """
    from entrypoints import commands
    from entrypoints.server import run_server

    settings = _settings()
    commands.database_of(settings)
    _ensure_port_is_free(settings)
    if migrate_first:
        commands.migrate(settings)
    commands.ensure_row_security(settings)
    run_server(settings, workers=settings.workers)


@main.command()
def migrate() -> None:
    """Migrate the database of DATABASE_URL; safe to run again, and from several machines at once.

    If EVO_TODO_SERVICE_ROLE is set, it also creates a PostgreSQL role of that name for `serve` to log in with. The role
    owns nothing and has only the privileges that the service needs. Its password is EVO_TODO_SERVICE_PASSWORD.
    """
    from entrypoints import commands

    commands.migrate(_settings())
    click.echo("The database is up to date.", err=True)


@main.command()
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Only print the statements.")
def distribute(is_dry_run: bool) -> None:  # noqa: FBT001  (click passes flags by position)
    """Distribute the tables over the servers of a Citus cluster, after `migrate`; prints each statement.

    DATABASE_URL names the cluster's coordinator, and the role that owns the tables. If EVO_TODO_SERVICE_ROLE is set,
    the policies no longer apply to the owner afterwards (NO FORCE), because rows can't be moved between servers
    otherwise: `serve` must log in as the service's role. Set EVO_TODO_SHARDED=true for `serve` and `purge`. Changes
    wait while a table is copied. Safe to repeat.
    """
    from entrypoints import commands

    commands.distribute(_settings(), click.echo, is_dry_run=is_dry_run)
    click.echo("Nothing was changed." if is_dry_run else "The tables are distributed.", err=True)


@main.command()
@click.argument("user")
@data_folder
def token(user: str, data: Path) -> None:
    """Print a token for USER that `evo-todo dev` accepts, and nothing else.

    \b
    curl -H "Authorization: Bearer $(evo-todo token alice)" http://127.0.0.1:8000/api/alice/tasks
    """
    from entrypoints.dev_issuer import DevIssuer

    principal, settings = _principal(user), _settings()
    if not DevIssuer.has_key(data):
        click.echo(f"Created a key in {data.absolute()}; start `evo-todo dev` with the same --data.", err=True)
    click.echo(DevIssuer.in_folder(data).token(principal, settings))


@main.command()
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file instead.")
def openapi(output: Path | None) -> None:
    """Print the API's OpenAPI 3.1 document."""
    from adapters.http.app import ROUTES
    from adapters.http.openapi.document import document_json

    if output is None:
        sys.stdout.buffer.write(document_json(ROUTES))
    else:
        output.write_bytes(document_json(ROUTES))


@main.command()
@click.option("--user", metavar="U", help="Only events of this user.")
@click.option(
    "--since",
    "start",
    default="24h",
    show_default=True,
    metavar="T",
    help="Only events since T: 30m, 7d, 2026-01-31.",
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
    from entrypoints import commands

    wanted = frozenset(AuditKind(kind) for kind in kinds)
    commands.print_audit(_settings(), user=user, start=start, kinds=wanted, limit=limit, is_json=is_json)


@main.command()
def purge() -> None:
    """Delete data whose retention period has ended, and print how many rows of each kind.

    Deletes audit events older than EVO_TODO_AUDIT_RETENTION, revocations of expired tokens, tombstones of deleted
    tasks older than EVO_TODO_TOMBSTONE_RETENTION, and idempotency keys older than EVO_TODO_IDEMPOTENCY_RETENTION.
    `serve` does the same by itself, about once an hour. Safe to run while the service is running, and from cron; the
    service's own role has the rights for it.
    """
    from entrypoints import commands

    commands.purge(_settings(), lambda what, count: click.echo(f"{what}: {count}"))


@main.command(name="after-restore")
def after_restore() -> None:
    """Run once after the database was restored from a backup, before `serve`: clients may know more than the backup.

    Raises the revision of every list, so that sync tokens, ETags and stored pages from before are known to be old, and
    prints how many lists there are. It changes no task. The service's own role has the rights for it.
    """
    from entrypoints import commands

    click.echo(f"lists: {commands.after_restore(_settings())}")


@main.command(context_settings={"allow_extra_args": True})
@click.option("--token", "given", metavar="T", help="Check whether this token is accepted; `-` reads it from stdin.")
@click.option("--origin", metavar="O", help="Check CORS for this origin.  [default: that of BETTER_AUTH_BASE_URL]")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON document instead of lines.")
@click.pass_context
def doctor(context: click.Context, given: str | None, origin: str | None, is_json: bool) -> None:  # noqa: FBT001  (click passes flags by position)
    """Find out why something does not work, and how to fix it.

    Checks the settings of `serve` against reality: the issuer's keys and clock, a token, the CORS origin, the database
    and its tables. Prints one line per check, with advice after `->`. Exits with 0 if nothing is wrong, else with 1,
    within about ten seconds. It changes nothing and prints no token and no password.

    Arguments are visible to other users of this machine (`ps`): `--token -` reads the token from standard input
    instead, and prompts for it on a terminal.

    \b
    evo-todo doctor --token - < token.txt
    """
    from entrypoints.doctor import Doctor, as_json, as_text, examine, read_token

    if context.args:  # click's own message would repeat them, and one may be a token
        raise click.UsageError("doctor accepts only options; quote a value that contains a space")
    logging.disable()  # the report contains the findings
    token = read_token() if given == "-" else given
    findings = examine(Doctor(env=os.environ, token=token, origin=origin))
    click.echo(as_json(findings) if is_json else as_text(findings), nl=False)
    sys.stdout.flush()
    # A normal exit would wait for a thread that hangs in a resolver or a file system.
    os._exit(0 if all_passed(findings) else 1)


def _principal(user: str) -> Principal:
    if "/" in user:
        raise click.UsageError("a user ID must not contain a slash, because it is part of the path")
    try:
        return Principal(UserId(user))
    except InvalidField as error:
        raise click.UsageError(f"a user ID {error.rule}") from error


def _ensure_port_is_free(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except (OSError, UnicodeError) as error:
            address = f"{settings.host} port {settings.port}"
            is_name = isinstance(error, socket.gaierror | UnicodeError)
            reason = "this machine has no such name or address" if is_name else getattr(error, "strerror", "")
            raise click.ClickException(
                f"cannot listen on {address} ({reason}): set --host or EVO_TODO_HOST, --port or EVO_TODO_PORT"
            ) from error


def _in_url(host: str) -> str:
    """Return the host as a client on this machine has to write it in a URL."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104  (compared, not bound)
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


if __name__ == "__main__":
    main(prog_name="evo-todo")
