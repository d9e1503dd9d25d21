"""The doctor's checks of a database: whether it responds, its tables, and row-level security; nothing is created."""

import asyncio
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import URL, Executable, text
from sqlalchemy.exc import DBAPIError

from adapters.sql.address import DatabaseAddress
from adapters.sql.admin import known_revisions
from adapters.sql.database import Database, connect
from adapters.sql.distribution import is_distributed
from adapters.sql.errors import DEADLINE, DRIVER_ERRORS, DatabaseFailure
from adapters.sql.pooler_check import Pooler, find_pooler
from adapters.sql.readiness import BYPASSES, row_security_problem, server_problem, table_problem
from adapters.sql.sqlite import PRIVATE
from adapters.sql.sqlstates import CORRECT_URL, INSUFFICIENT_PRIVILEGE, UNDEFINED_TABLE, sqlstate_of
from application.health import Finding, Status, quoted
from domain.errors import StorageUnavailable

DATABASE, TABLES, ROW_SECURITY = "database", "tables", "row-security"

_MIGRATE: Final = "run evo-todo migrate"
_DISTRIBUTED: Final = (
    "up to date and distributed over several servers, of which a change needs all although it concerns one",
    "set EVO_TODO_SHARDED=true",
)
_NOT_DISTRIBUTED: Final = (
    "up to date, but EVO_TODO_SHARDED is set and they are on one server: each change takes more statements",
    "run evo-todo distribute, or unset EVO_TODO_SHARDED",
)
_NAMELESS_POOLER: Final = (
    "PgBouncer or another connection pooler is in between, in transaction mode, and knows no prepared statements",
    "set EVO_TODO_PREPARED_STATEMENTS=off, or let it know them (PgBouncer 1.21 or newer: max_prepared_statements)",
)
_SQLITE_MAGIC: Final = b"SQLite format 3\0"
_PING: Final = text("SELECT 1")
_REVISION: Final = text("SELECT version_num FROM alembic_version")

Findings = tuple[Finding, Finding, Finding]


async def check_database(
    url: str, *, allows_bypass: bool = False, prepared_statements: bool = True, is_sharded: bool = False
) -> Findings:
    """Check the database at an address, its tables, and whether row-level security applies to its role."""
    address = DatabaseAddress.parse(url)
    if not address.is_sqlite:
        database = connect(url, prepared_statements=prepared_statements, is_sharded=is_sharded)
        return await _check(address, database, allows_bypass=allows_bypass)
    if (problem := file_problem(address.file)) is not None:
        return _no_database(address, *problem)
    return await _check(address, connect(read_only_url(address.file)), allows_bypass=allows_bypass)


async def _check(address: DatabaseAddress, database: Database, *, allows_bypass: bool) -> Findings:
    try:
        pooler = await _find_pooler(database)
        if pooler is Pooler.NAMELESS and database.prepared_statements:
            return _no_database(address, *_NAMELESS_POOLER)
        await _select(database, _PING)
        if (problem := await server_problem(database)) is not None:
            meaning, _, advice = problem.partition(": ")
            return _no_database(address, meaning, advice)
        tables = await _check_tables(database)
        row_security = await _check_row_security(database, tables, allows_bypass=allows_bypass)
        return _responding(address, pooler), tables, row_security
    except DatabaseFailure as failure:
        return _no_database(address, *failure.explain_at(address))
    finally:
        await database.dispose()


async def _find_pooler(database: Database) -> Pooler:
    if database.connect is None:
        return Pooler.NONE
    try:
        async with asyncio.timeout(DEADLINE):
            return await find_pooler(database.connect)
    except (OSError, *DRIVER_ERRORS) as error:
        raise DatabaseFailure.of(error) from error


def _responding(address: DatabaseAddress, pooler: Pooler) -> Finding:
    exposed = exposed_files(address.file) if address.is_sqlite else []
    if not exposed:
        through = "" if pooler is Pooler.NONE else ", through PgBouncer or another connection pooler"
        return Finding.ok(DATABASE, f"{address.name} responds{through}")
    return Finding.note(
        DATABASE,
        f"{address.name} responds, but other users of this machine have rights on it or its logs",
        f"chmod 600 the file{', and the files beside it that end in -wal and -shm' if len(exposed) > 1 else ''}",
    )


async def _check_tables(database: Database) -> Finding:
    at = await _revisions(database)
    if at is not None and (outdated := check_revisions(at, known_revisions())) is not None:
        return outdated
    if (problem := await table_problem(database)) is not None:
        meaning, _, advice = problem.partition(": ")
        return Finding.failed(TABLES, meaning, advice)
    if at is None:
        return Finding.note(
            TABLES,
            "every table and column exists, but this role may not read alembic_version",
            f"{_MIGRATE} as the role that owns the tables, to be sure that they are up to date",
        )
    if (is_spread := await is_distributed(database)) != database.is_sharded:
        return Finding.note(TABLES, *(_DISTRIBUTED if is_spread else _NOT_DISTRIBUTED))
    return Finding.ok(TABLES, f"up to date (revision {at[0]})")


async def _check_row_security(database: Database, tables: Finding, *, allows_bypass: bool) -> Finding:
    if database.dialect == "sqlite":
        return Finding.ok(ROW_SECURITY, "SQLite has none: only the service's own filter separates the users")
    if tables.status is Status.FAILED:
        return Finding.skipped(ROW_SECURITY, "the tables are not those of this version")
    problem = await row_security_problem(database)
    if problem is None:
        return Finding.ok(ROW_SECURITY, "in force: this role sees one user's rows at a time")
    meaning, _, advice = problem.partition(": ")
    if problem == BYPASSES and allows_bypass:
        return Finding.note(ROW_SECURITY, f"{meaning}; EVO_TODO_ALLOW_RLS_BYPASS allows that", advice)
    return Finding.failed(ROW_SECURITY, meaning, advice)


async def _revisions(database: Database) -> list[str] | None:
    """The migrations' revision of the tables; empty if there was no migration, `None` if this role may not read it."""
    try:
        return await _select(database, _REVISION)
    except DatabaseFailure as failure:
        code = sqlstate_of(failure.cause)
        if code not in {INSUFFICIENT_PRIVILEGE, UNDEFINED_TABLE}:
            raise
        return None if code == INSUFFICIENT_PRIVILEGE else []


def check_revisions(at: Sequence[str], known: Sequence[str]) -> Finding | None:
    """What is wrong with tables at these revisions; `known` are this version's, the newest first."""
    newest, *older = known
    if list(at) == [newest]:
        return None
    if not at:
        return Finding.failed(TABLES, "absent: this database was never migrated", _MIGRATE)
    found = ", ".join(quoted(revision) for revision in at)
    if set(at) <= set(older):
        return Finding.failed(TABLES, f"behind: at revision {found}, this version needs {quoted(newest)}", _MIGRATE)
    return Finding.failed(
        TABLES,
        f"from a newer version of the service: at revision {found}, this one knows up to {quoted(newest)}",
        "install that newer version here, or point DATABASE_URL at this version's database",
    )


async def _select(database: Database, statement: Executable) -> list[str]:
    try:
        return [str(row[0]) for row in await database.read(statement)]
    except (StorageUnavailable, DBAPIError) as error:
        raise DatabaseFailure.of(error) from error


def _no_database(address: DatabaseAddress, meaning: str, advice: str) -> Findings:
    failed = Finding.failed(DATABASE, f"{address.name}: {meaning}", advice)
    tables, row_security = (Finding.skipped(name, "the database can't be read") for name in (TABLES, ROW_SECURITY))
    return failed, tables, row_security


def exposed_files(file: Path) -> list[Path]:
    """The database's file and its logs, as far as they exist and anyone but their owner has rights on them."""
    files = (file, Path(f"{file}-wal"), Path(f"{file}-shm"))
    return [one for one in files if one.exists() and stat.S_IMODE(one.stat().st_mode) & ~PRIVATE]


def file_problem(file: Path) -> tuple[str, str] | None:
    """Why the file is no SQLite database, and what to do; an empty file is one without tables."""
    try:
        return _file_problem(file)
    except OSError as error:
        return f"the file can't be read ({error.strerror})", f"let this user read and write it, or {CORRECT_URL}"


def _file_problem(file: Path) -> tuple[str, str] | None:
    if not file.parent.is_dir():
        return "its folder does not exist", f"create the folder, then run evo-todo migrate, or {CORRECT_URL}"
    if not file.exists():
        return "there is no such file", f"run evo-todo migrate, which creates it, or {CORRECT_URL}"
    if not file.is_file():
        return "that is not a file", CORRECT_URL
    with file.open("rb") as opened:
        header = opened.read(len(_SQLITE_MAGIC))
    return None if header in {b"", _SQLITE_MAGIC} else ("the file is not a SQLite database", CORRECT_URL)


def read_only_url(file: Path) -> str:
    """An address that opens the file for reading and creates no file beside it.

    While a service has the database open there is a write-ahead log beside it, which must be read too. Without one the
    file is opened as immutable: an ordinary reader would create a log, which might belong to another user and lock the
    service out.
    """
    has_log = Path(f"{file}-wal").exists()
    options = {"uri": "true"} | ({"mode": "ro"} if has_log else {"immutable": "1"})
    return URL.create("sqlite", database=f"file:{quote(str(file))}", query=options).render_as_string()
