"""A close look at the database: whether it answers, and whether its tables are those of this version."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import URL, Executable, make_url, text
from sqlalchemy.exc import DBAPIError

from adapters.sql.admin import known_revisions
from adapters.sql.database import Database, connect
from adapters.sql.errors import NO_RIGHT, NO_TABLE, Refused
from adapters.sql.readiness import BYPASSES, DatabaseReadiness, row_security_problem
from adapters.sql.sqlite import file_of, read_only, why_not_there
from application.health import Finding, Status, quoted
from domain.errors import StorageUnavailable

DATABASE, TABLES, ROW_SECURITY = "database", "tables", "row-security"

_MIGRATE: Final = "run evo-todo migrate"
_ALIVE: Final = text("SELECT 1")
_REVISION: Final = text("SELECT version_num FROM alembic_version")


Findings = tuple[Finding, Finding, Finding]


async def check_database(url: str, *, allows_bypass: bool = False) -> Findings:
    """The database behind an address, its tables, and what holds its role; what isn't there is not made."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        file = file_of(address)
        where = f"SQLite file {quoted(str(file))}"
        if (problem := why_not_there(file)) is not None:
            return _no_database(where, *problem)
        return await _look_into(where, connect(read_only(file)), allows_bypass=allows_bypass)
    return await _look_into(_server(address), connect(url), allows_bypass=allows_bypass)


async def _look_into(where: str, database: Database, *, allows_bypass: bool) -> Findings:
    try:
        await _ask(database, _ALIVE)
        tables = await _check_tables(database)
        guarded = await _check_row_security(database, tables, allows_bypass=allows_bypass)
        return Finding.ok(DATABASE, f"{where} answers"), tables, guarded
    except Refused as refused:
        return _no_database(where, *(refused.file_details() if database.dialect == "sqlite" else refused.details()))
    finally:
        await database.dispose()


async def _check_tables(database: Database) -> Finding:
    at = await _revisions(database)
    if at is not None and (outdated := check_revisions(at, known_revisions())) is not None:
        return outdated
    if (problem := await DatabaseReadiness(database).problem()) is not None:
        what, _, advice = problem.partition(": ")
        return Finding.failed(TABLES, what, advice)
    if at is None:
        return Finding.note(
            TABLES,
            "every table and column is there, but this role may not read alembic_version",
            f"{_MIGRATE} as the role that owns the tables, to be sure that they are up to date",
        )
    return Finding.ok(TABLES, f"up to date (revision {at[0]})")


async def _check_row_security(database: Database, tables: Finding, *, allows_bypass: bool) -> Finding:
    if database.dialect == "sqlite":
        return Finding.ok(ROW_SECURITY, "SQLite has none: the service's own filter is the only wall between users")
    if tables.status is Status.FAILED:
        return Finding.skipped(ROW_SECURITY, "the tables are not those of this version")
    problem = await row_security_problem(database)
    if problem is None:
        return Finding.ok(ROW_SECURITY, "in force: this role sees one user's rows at a time")
    what, _, advice = problem.partition(": ")
    if problem == BYPASSES and allows_bypass:
        return Finding.note(ROW_SECURITY, f"{what}; EVO_TODO_ALLOW_RLS_BYPASS allows that", advice)
    return Finding.failed(ROW_SECURITY, what, advice)


async def _revisions(database: Database) -> list[str] | None:
    """Where the tables are; nowhere if they were never made, `None` if this role may not know."""
    try:
        return await _ask(database, _REVISION)
    except Refused as refused:
        if refused.sqlstate not in {NO_RIGHT, NO_TABLE}:
            raise
        return None if refused.sqlstate == NO_RIGHT else []


def check_revisions(at: Sequence[str], known: Sequence[str]) -> Finding | None:
    """What is wrong with tables at these revisions, where those are known, the newest first."""
    newest, *older = known
    if list(at) == [newest]:
        return None
    if not at:
        return Finding.failed(TABLES, "absent: this database was never migrated", _MIGRATE)
    details = ", ".join(quoted(revision) for revision in at)
    if set(at) <= set(older):
        return Finding.failed(TABLES, f"behind: at revision {details}, this version needs {quoted(newest)}", _MIGRATE)
    return Finding.failed(
        TABLES,
        f"from a newer version of the service: at revision {details}, this one knows up to {quoted(newest)}",
        "install that newer version here, or point DATABASE_URL at this version's database",
    )


async def _ask(database: Database, statement: Executable) -> list[str]:
    try:
        return [str(row[0]) for row in await database.read(statement)]
    except StorageUnavailable as error:
        cause = error.__cause__ or error
        raise Refused(getattr(cause, "orig", None) or cause) from error
    except DBAPIError as error:
        raise Refused(error.orig or error) from error


def _no_database(where: str, what: str, advice: str) -> Findings:
    failed = Finding.failed(DATABASE, f"{where}: {what}", advice)
    tables, guarded = (Finding.skipped(name, "the database can't be read") for name in (TABLES, ROW_SECURITY))
    return failed, tables, guarded


def _server(address: URL) -> str:
    """Which one is meant; a password is never part of it."""
    host = address.host or address.query.get("host") or "this machine"
    port = f":{address.port}" if address.port else ""
    role = f" as {quoted(address.username)}" if address.username else ""
    return f"PostgreSQL database {quoted(address.database or '')} at {quoted(f'{host}{port}')}{role}"
