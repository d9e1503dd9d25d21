"""What the command line does with the database."""

import asyncio
import logging
from pathlib import Path

import click
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from adapters.sql.database import connect
from adapters.sql.migrate import migrate
from adapters.sql.row_security_check import BYPASSES, row_security_problem
from adapters.sql.service_role import ServiceRole, UnfitRole, prepare_service_role
from domain.errors import StorageUnavailable
from entrypoints.logs import configure_logging
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


def bring_up_to_date(settings: Settings) -> None:
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
    except UnfitRole as error:
        raise click.ClickException(f"EVO_TODO_SERVICE_ROLE: {error}") from error
    except (OSError, ValueError, SQLAlchemyError) as error:
        cause = getattr(error, "orig", None) or error
        raise click.ClickException(f"the database can't be migrated: {type(cause).__name__}: {cause}") from error


def ensure_rows_are_secured(settings: Settings) -> None:
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
