"""The command line, `evo-todo`: the commands for developers and `serve`; the others are `operator_commands`.

Commands import their dependencies themselves, after the settings are read, so that `--help` and refusals are fast.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import click

from domain.errors import InvalidField
from domain.identity import Principal, UserId
from entrypoints.operator_commands import after_restore, audit, distribute, doctor, migrate, purge, read_settings

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
    from entrypoints import database_commands
    from entrypoints.dev_issuer import DevIssuer, create_private_folder
    from entrypoints.server import ensure_port_is_free, run_server

    principal = _principal(user)
    create_private_folder(data)
    os.environ.setdefault("DATABASE_URL", f"sqlite:///{data / 'tasks.db'}")
    os.environ.setdefault("EVO_TODO_ALLOW_RLS_BYPASS", "true")  # any role will do for development
    issuer = None if "EVO_TODO_JWKS_URL" in os.environ else DevIssuer.in_folder(data)
    if issuer is not None:
        os.environ["EVO_TODO_JWKS_URL"] = issuer.publish()
    settings = read_settings()
    ensure_port_is_free(settings)
    database_commands.migrate(settings)
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
    settings = read_settings()

    from entrypoints import database_commands
    from entrypoints.server import ensure_port_is_free, run_server

    database_commands.database_of(settings)
    ensure_port_is_free(settings)
    if migrate_first:
        database_commands.migrate(settings)
    database_commands.ensure_row_security(settings)
    run_server(settings, workers=settings.workers)


@main.command()
@click.argument("user")
@data_folder
def token(user: str, data: Path) -> None:
    """Print a token for USER that `evo-todo dev` accepts, and nothing else.

    \b
    curl -H "Authorization: Bearer $(evo-todo token alice)" http://127.0.0.1:8000/api/alice/tasks
    """
    from entrypoints.dev_issuer import DevIssuer

    principal, settings = _principal(user), read_settings()
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


def _principal(user: str) -> Principal:
    if "/" in user:
        raise click.UsageError("a user ID must not contain a slash, because it is part of the path")
    try:
        return Principal(UserId(user))
    except InvalidField as error:
        raise click.UsageError(f"a user ID {error.rule}") from error


def _in_url(host: str) -> str:
    """Return the host as a client on this machine has to write it in a URL."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104  (compared, not bound)
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


for command in (migrate, distribute, audit, purge, after_restore, doctor):
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="evo-todo")
