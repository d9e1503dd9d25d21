"""SQLSTATEs that make the database unavailable, what they mean, and what an operator does about them."""

from typing import Final

from attrs import frozen

UNDEFINED_TABLE: Final = "42P01"
UNDEFINED_COLUMN: Final = "42703"
INSUFFICIENT_PRIVILEGE: Final = "42501"
READ_ONLY: Final = "25006"


@frozen
class SqlState:
    """A SQLSTATE, or a class of them, that makes the database unavailable (PostgreSQL, appendix A)."""

    prefix: str
    meaning: str
    advice: str
    is_public: bool = False
    """Whether /readyz, which anyone can read, may say it: the server works, and something else is wrong."""

    def matches(self, code: str) -> bool:
        """Whether the code is this one, or in this class."""
        return code.startswith(self.prefix)


CORRECT_URL: Final = "correct DATABASE_URL"
_WAIT: Final = "try again; if it stays so, read the server's log"
_MIGRATE: Final = "run `evo-todo migrate`"
_OTHER_VERSION: Final = "the tables are missing or of another version"

_NO_NAMES: Final = "a connection pooler is in between that knows no prepared statements"
_SAY_SO: Final = (
    "set EVO_TODO_PREPARED_STATEMENTS=off, or let the pooler know them (PgBouncer 1.21: max_prepared_statements)"
)

UNAVAILABLE: Final = (
    SqlState(
        "08P01",
        "the server, or a pooler in between, refuses what the connection asks for",
        "remove the parameters of DATABASE_URL that a pooler refuses, such as options, and set them for the role",
    ),
    SqlState("08", "the connection to the server failed", f"check the network and the server, or {CORRECT_URL}"),
    SqlState(
        READ_ONLY,
        "the server is a standby, or its transactions are read-only",
        f"{CORRECT_URL}: it has to name the primary server; with several hosts, add target_session_attrs=read-write",
        is_public=True,
    ),
    SqlState("25P03", "a transaction was idle for too long", _WAIT),
    SqlState("26000", _NO_NAMES, _SAY_SO, is_public=True),
    SqlState("28P01", "the password is wrong, or there is no such role", f"{CORRECT_URL}: its password and role"),
    SqlState(
        "28",
        "the server rejects connections of this role from here",
        f"{CORRECT_URL}, create the role, or fix pg_hba.conf",
    ),
    SqlState(
        "3D",
        "the server has no database of that name",
        f"create it (createdb), then run evo-todo migrate, or {CORRECT_URL}",
    ),
    SqlState("40", "a transaction conflicted with another one", _WAIT),
    SqlState(
        INSUFFICIENT_PRIVILEGE,
        "this role may not use the database or its tables",
        "grant it SELECT, INSERT, UPDATE and DELETE on the tables, USAGE on the schema and CONNECT on the database",
        is_public=True,
    ),
    SqlState(UNDEFINED_TABLE, _OTHER_VERSION, _MIGRATE, is_public=True),
    SqlState(UNDEFINED_COLUMN, _OTHER_VERSION, _MIGRATE, is_public=True),
    SqlState("42P05", _NO_NAMES, _SAY_SO, is_public=True),
    SqlState("42704", "the server does not know a parameter of DATABASE_URL", f"{CORRECT_URL}: its parameters"),
    SqlState("42883", "a function is missing or of another version", _MIGRATE),
    SqlState("53300", "the server has no free connection", "raise its max_connections, or lower EVO_TODO_WORKERS"),
    SqlState("53", "the server is out of memory, disk space or another resource", "read the server's log"),
    SqlState("55000", "the database does not accept connections", "allow connections to it (ALTER DATABASE)"),
    SqlState("55P03", "a lock was not released in time", _WAIT),
    SqlState("57014", "the server cancelled a statement that took too long", _WAIT),
    SqlState("57P03", "the server is starting or stopping", "wait until it accepts connections"),
    SqlState("57P", "the server is shutting down", "start it again, or wait until it accepts connections"),
    SqlState("XX000", "a server that has a part of the rows does not respond, or an internal error", _WAIT),
)
"""The states that pass by themselves or that an operator has to fix; the first that matches counts.

Any other state is a fault of this program.
"""


_SQLITE_MESSAGES: Final = {"no such table": UNDEFINED_TABLE, "no such column": UNDEFINED_COLUMN}


def sqlstate_of(error: BaseException | None) -> str:
    """The SQLSTATE of a driver's error or of SQLAlchemy's wrapper around it; empty if it has none.

    SQLite has no codes: a missing table or column is recognised by its message.
    """
    cause = getattr(error, "orig", None) or error
    if code := getattr(cause, "sqlstate", None):
        return str(code)
    message = str(cause)
    return next((code for begin, code in _SQLITE_MESSAGES.items() if begin in message), "")


def find_state(code: str) -> SqlState | None:
    """The row of UNAVAILABLE for this SQLSTATE."""
    return next((state for state in UNAVAILABLE if state.matches(code)), None)
