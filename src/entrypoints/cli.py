"""evo-todo: the command line. Heavy imports wait inside the commands, so that help is quick."""

import logging
import os
import socket
import sys
from pathlib import Path
from urllib.parse import quote

import click

from application.health import all_passed
from domain.audit import AuditKind
from domain.errors import InvalidField
from domain.identity import Principal, UserId
from entrypoints.settings import SettingError, Settings

_SETTINGS = """\
\b
Settings (environment)            default
  DATABASE_URL                    required by serve; dev: a SQLite file
  BETTER_AUTH_BASE_URL            http://localhost:3000
  EVO_TODO_JWKS_URL               <base>/api/auth/jwks
  EVO_TODO_ISSUER, _AUDIENCE      the base's origin
  EVO_TODO_CORS_ORIGINS           http://localhost:3000
  EVO_TODO_RATE_LIMIT             600/minute (per user)
  EVO_TODO_ADDRESS_RATE_LIMIT     120/minute (refused requests)
  EVO_TODO_LIMITS_STORE           memory
  EVO_TODO_TRUSTED_PROXIES        none
  EVO_TODO_HOST, _PORT, _WORKERS  127.0.0.1, 8000, 1
  EVO_TODO_LOG_FORMAT, _LOG_LEVEL console or json, info
  EVO_TODO_SERVICE_ROLE           made by migrate for serve; none
docs/operations.md has them all.
"""

data_folder = click.option(
    "--data",
    default=".evo-todo",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the development database and key.",
)


def _settings() -> Settings:
    try:
        return Settings.from_env(os.environ)
    except SettingError as error:
        raise click.UsageError(str(error)) from error


@click.group(epilog=_SETTINGS)
@click.version_option(package_name="evo-todo")
def main() -> None:
    """Keep each user's tasks behind Better Auth's tokens.

    \b
    Try it:       evo-todo dev
    Run it:       evo-todo migrate && evo-todo serve
    Mend it:      evo-todo doctor
    Look back:    evo-todo audit
    """


@main.command()
@data_folder
@click.option("--user", default="alice", show_default=True, help="Whom the printed token is for.")
@click.option("--reload", is_flag=True, help="Start anew when the code changes.")
def dev(data: Path, user: str, reload: bool) -> None:  # noqa: FBT001  (click hands flags over like this)
    """Serve on this machine, with nothing else to set up.

    A SQLite database, its tables, and a stand-in for Better Auth that publishes a key on a loopback address; the
    key stays in the data folder, so that tokens survive a restart. Prints a request to paste. Settings are read as
    by `serve`, but for the workers: there is one. With EVO_TODO_JWKS_URL set, tokens come from that issuer and the
    stand-in stays away.

    \b
    Another user's token:  evo-todo token bob
    """
    from entrypoints.commands import run_migrations
    from entrypoints.dev_issuer import DevIssuer
    from entrypoints.server import run_server

    principal = _principal(user)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ.setdefault("DATABASE_URL", f"sqlite:///{data / 'tasks.db'}")
    os.environ.setdefault("EVO_TODO_ALLOW_RLS_BYPASS", "true")  # a developer's role may be any
    issuer = None if "EVO_TODO_JWKS_URL" in os.environ else DevIssuer.in_folder(data)
    if issuer is not None:
        os.environ["EVO_TODO_JWKS_URL"] = issuer.publish()
    settings = _settings()
    _ensure_port_is_free(settings)
    run_migrations(settings)
    address = f"http://{_in_url(settings.host)}:{settings.port}"
    click.echo(f"Evo-TODO on {address}, described at {address}/docs.", nl=False)
    if issuer is None:
        click.echo(f" Tokens come from {settings.jwks_url}.\n")
    else:
        click.echo(
            f" This request bears {user}'s token:\n\n"
            f"curl -s {address}/api/{quote(user, safe='')}/tasks"
            f" -H 'Authorization: Bearer {issuer.token(principal, settings)}'"
            " -H 'Content-Type: application/json' -d '{\"title\":\"Buy milk\"}'\n"
        )
    package = Path(__file__).parent.parent
    more = {"reload": True, "reload_dirs": [str(package)]} if reload else {"workers": 1}
    run_server(settings, grace=1, **more)


@main.command()
@click.option("--migrate", "migrate_first", is_flag=True, help="Bring the tables up to date first.")
def serve(migrate_first: bool) -> None:  # noqa: FBT001  (click hands flags over like this)
    """Serve in earnest: DATABASE_URL must be set, and the tables there (`evo-todo migrate`).

    On PostgreSQL its role must be one that row-level security holds, neither a superuser nor one with BYPASSRLS.

    On SIGTERM it takes no more connections, finishes what is in flight, and is gone within ten seconds.
    """
    from entrypoints.commands import database_of, ensure_row_security, run_migrations
    from entrypoints.server import run_server

    settings = _settings()
    database_of(settings)
    _ensure_port_is_free(settings)
    if migrate_first:
        run_migrations(settings)
    ensure_row_security(settings)
    run_server(settings, workers=settings.workers)


@main.command()
def migrate() -> None:
    """Bring the tables of DATABASE_URL up to date; safe to run again, and from several machines at once.

    With EVO_TODO_SERVICE_ROLE set, PostgreSQL gets a role of that name, too, for `serve` to log in as: it owns
    nothing and may do what the service does. EVO_TODO_SERVICE_PASSWORD becomes its password.
    """
    from entrypoints.commands import run_migrations

    run_migrations(_settings())
    click.echo("The tables are up to date.", err=True)


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
        click.echo(f"A new key is in {data.absolute()}; start `evo-todo dev` with the same --data.", err=True)
    click.echo(DevIssuer.in_folder(data).token(principal, settings))


@main.command()
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file instead.")
def openapi(output: Path | None) -> None:
    """Print the API's description as OpenAPI 3.1."""
    from adapters.http.app import ROUTES
    from adapters.http.openapi.document import document_json

    if output is None:
        sys.stdout.buffer.write(document_json(ROUTES))
    else:
        output.write_bytes(document_json(ROUTES))


@main.command()
@click.option("--user", metavar="U", help="Only what concerns this user.")
@click.option(
    "--since", "start", default="24h", show_default=True, metavar="T", help="From then on: 30m, 7d, 2026-01-31."
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in AuditKind]),
    help="Only these; repeatable.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N.")
@click.option("--json", "is_json", is_flag=True, help="One JSON object a line.")
def audit(user: str | None, start: str, kinds: tuple[str, ...], limit: int | None, is_json: bool) -> None:  # noqa: FBT001  (click hands flags over like this)
    """Print who did what, the newest last: refused tokens, denied access, sessions, purged accounts, keys and limits.

    \b
    evo-todo audit --user alice --since 7d --json
    evo-todo audit --kind access-denied --limit 20
    """
    from entrypoints.commands import print_audit

    wanted = frozenset(AuditKind(kind) for kind in kinds)
    print_audit(_settings(), user=user, start=start, kinds=wanted, limit=limit, is_json=is_json)


@main.command()
def purge() -> None:
    """Take away what has been kept for long enough, and print how much that was.

    Audit events older than EVO_TODO_AUDIT_RETENTION, revocations of tokens that have expired, and deleted tasks after
    EVO_TODO_TOMBSTONE_RETENTION. `serve` sees to all but the last by itself, about once an hour. Safe to run while it
    serves, and from cron.

    Deleted tasks are everybody's: on PostgreSQL it takes a role that row-level security does not hold, as for a backup.
    """
    from entrypoints.commands import purge as run_purge

    run_purge(_settings(), lambda what, count: click.echo(f"{what}: {count}"))


@main.command(context_settings={"allow_extra_args": True})
@click.option("--token", "given", metavar="T", help="Would this token be accepted? `-` reads it from standard input.")
@click.option("--origin", metavar="O", help="May pages of this origin call?  [default: BETTER_AUTH_BASE_URL's]")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON document instead of lines.")
@click.pass_context
def doctor(context: click.Context, given: str | None, origin: str | None, is_json: bool) -> None:  # noqa: FBT001  (click hands flags over like this)
    """Find out why something does not work, and what to do.

    Holds the settings that `serve` would have against the world: the issuer's keys and clock, a token, a page's
    origin, the database and its tables. One line a check; what follows `->` is to be done. Ends with 0 when nothing is
    wrong, else with 1, within some ten seconds. It changes nothing, and repeats no token and no password.

    Arguments can be seen by others on this machine (`ps`): `--token -` reads the token from standard input instead,
    and asks for it on a terminal.

    \b
    evo-todo doctor --token - < token.txt
    """
    from entrypoints.commands import read_token
    from entrypoints.doctor import Doctor, examine
    from entrypoints.doctor_report import as_json, as_text

    if context.args:  # click's own words would repeat them, and one of them may be a token
        raise click.UsageError("doctor takes options only; quote a value that has a space")
    logging.disable()  # what is found is told in the report
    token = read_token() if given == "-" else given
    findings = examine(Doctor(env=os.environ, token=token, origin=origin))
    click.echo(as_json(findings) if is_json else as_text(findings), nl=False)
    sys.stdout.flush()
    # A thread that waits for a resolver or a file system that hangs would hold up the interpreter's own way to end.
    os._exit(0 if all_passed(findings) else 1)


def _principal(user: str) -> Principal:
    if "/" in user:
        raise click.UsageError("a user's id with a slash can't stand in a path")
    try:
        return Principal(UserId(user))
    except InvalidField as error:
        raise click.UsageError(f"a user's id {error.rule}") from error


def _ensure_port_is_free(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            where = f"{settings.host} port {settings.port}"
            raise click.ClickException(
                f"{where} can't be had ({error.strerror}): set EVO_TODO_HOST or EVO_TODO_PORT"
            ) from error


def _in_url(host: str) -> str:
    """The host as a client on this machine writes it."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104  (compared, not bound)
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
