"""The doctor's checks of a database: whether it responds, its tables, and row-level security; nothing is created."""

import errno
import socket
import ssl
from collections.abc import Sequence
from typing import Final

from attrs import define
from sqlalchemy import URL, Executable, make_url, text
from sqlalchemy.exc import DBAPIError

from adapters.sql.admin import known_revisions
from adapters.sql.database import Database, connect
from adapters.sql.errors import DEADLINE, INSUFFICIENT_PRIVILEGE, UNDEFINED_TABLE, find_state, sqlstate_of
from adapters.sql.readiness import BYPASSES, row_security_problem, table_problem
from adapters.sql.sqlite import file_of, file_problem, read_only_url
from application.health import Finding, Status, quoted
from domain.errors import StorageUnavailable

DATABASE, TABLES, ROW_SECURITY = "database", "tables", "row-security"

_MIGRATE: Final = "run evo-todo migrate"
_CORRECT_URL: Final = "correct DATABASE_URL"
_CHECK_SERVER: Final = f"check that PostgreSQL runs there and accepts connections, or {_CORRECT_URL}"
_PING: Final = text("SELECT 1")
_REVISION: Final = text("SELECT version_num FROM alembic_version")

Findings = tuple[Finding, Finding, Finding]


async def check_database(url: str, *, allows_bypass: bool = False) -> Findings:
    """Check the database at an address, its tables, and whether row-level security applies to its role."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        file = file_of(address)
        place = f"SQLite file {quoted(str(file))}"
        if (problem := file_problem(file)) is not None:
            return _no_database(place, *problem)
        return await _check(place, connect(read_only_url(file)), allows_bypass=allows_bypass)
    return await _check(_server_at(address), connect(url), allows_bypass=allows_bypass)


async def _check(place: str, database: Database, *, allows_bypass: bool) -> Findings:
    try:
        await _select(database, _PING)
        tables = await _check_tables(database)
        row_security = await _check_row_security(database, tables, allows_bypass=allows_bypass)
        return Finding.ok(DATABASE, f"{place} responds"), tables, row_security
    except DatabaseFailure as failure:
        return _no_database(place, *(failure.explain_file() if database.dialect == "sqlite" else failure.explain()))
    finally:
        await database.dispose()


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
    except StorageUnavailable as error:
        cause = error.__cause__ or error
        raise DatabaseFailure(getattr(cause, "orig", None) or cause) from error
    except DBAPIError as error:
        raise DatabaseFailure(error.orig or error) from error


def _no_database(place: str, meaning: str, advice: str) -> Findings:
    failed = Finding.failed(DATABASE, f"{place}: {meaning}", advice)
    tables, row_security = (Finding.skipped(name, "the database can't be read") for name in (TABLES, ROW_SECURITY))
    return failed, tables, row_security


def _server_at(address: URL) -> str:
    """Database, server and role of an address, without its password."""
    host = address.host or address.query.get("host") or "this machine"
    port = f":{address.port}" if address.port else ""
    role = f" as {quoted(address.username)}" if address.username else ""
    return f"PostgreSQL database {quoted(address.database or '')} at {quoted(f'{host}{port}')}{role}"


@define
class DatabaseFailure(Exception):
    """The database could not be used."""

    cause: BaseException

    def explain(self) -> tuple[str, str]:
        """What is wrong, and what to do. Nothing of the error's own message, which may quote the address."""
        if (state := find_state(sqlstate_of(self.cause))) is not None:
            return state.meaning, state.advice
        return _explain_connection(self.cause)

    def explain_file(self) -> tuple[str, str]:
        """The same for a SQLite file, which has no server."""
        if isinstance(self.cause, TimeoutError) or "locked" in str(self.cause):
            return "another program keeps it locked", "end that program, or wait until it is done"
        return f"it can't be used ({type(self.cause).__name__})", f"restore it from a backup, or {_CORRECT_URL}"


def _explain_connection(cause: BaseException) -> tuple[str, str]:
    match cause:
        case TimeoutError():
            return f"it does not respond within {DEADLINE:g} s", f"{_CHECK_SERVER}; a firewall may be in between"
        case socket.gaierror():
            return "its host can't be found", f"{_CORRECT_URL}: its host"
        case OSError() if isinstance(cause, ssl.SSLError) or "rejected SSL upgrade" in str(cause):
            return "the server's TLS is not what DATABASE_URL asks for", f"{_CORRECT_URL}: its sslmode and certificates"
        case FileNotFoundError():
            return "there is no such socket", _CHECK_SERVER
        # If a host has several addresses, the error of each is only in the message.
        case OSError() if isinstance(cause, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(cause):
            return "connections are refused: nothing listens there", f"start PostgreSQL, or {_CORRECT_URL}"
    return f"it can't be used ({type(cause).__name__})", _CHECK_SERVER
