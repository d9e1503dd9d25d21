"""Why a database was asked in vain, in words that say what to do."""

import errno
import socket
import ssl
from typing import Final

from attrs import define

from adapters.sql.availability import DEADLINE

NO_TABLE: Final = "42P01"
NO_RIGHT: Final = "42501"

_URL: Final = "correct DATABASE_URL"
_BY_SQLSTATE: Final = (
    ("28P01", "the password is wrong, or there is no such role", f"{_URL}: its password and role"),
    ("28", "the server does not let this role in from here", f"{_URL}, create the role, or mend pg_hba.conf"),
    ("3D", "the server has no database of that name", f"create it (createdb), then run evo-todo migrate, or {_URL}"),
    ("53300", "the server has no free connection", "raise its max_connections, or lower EVO_TODO_WORKERS"),
    ("57P03", "the server is starting or stopping", "wait until it takes connections"),
    (NO_RIGHT, "this role may not use it", "grant it CONNECT on the database, and USAGE on the schema"),
)
"""The first whose SQLSTATE begins like that (PostgreSQL, appendix A)."""

_SEE: Final = f"see whether PostgreSQL runs there and takes connections, or {_URL}"


@define
class Refused(Exception):
    """The database was asked in vain."""

    cause: BaseException

    @property
    def sqlstate(self) -> str:
        """PostgreSQL's code for it; SQLite has none, so that of a missing table is put in."""
        if "no such table" in str(self.cause):
            return NO_TABLE
        return str(getattr(self.cause, "sqlstate", None) or "")

    def told(self) -> tuple[str, str]:
        """What is wrong, and what to do. Nothing of the error's own text, which may quote the address."""
        for code, what, advice in _BY_SQLSTATE:
            if self.sqlstate.startswith(code):
                return what, advice
        return _server(self.cause)

    def told_of_file(self) -> tuple[str, str]:
        """The same of a SQLite file, which has no server that could be away."""
        if isinstance(self.cause, TimeoutError) or "locked" in str(self.cause):
            return "another program keeps it locked", "end that program, or wait until it is done"
        return f"it can't be used ({type(self.cause).__name__})", f"bring it back from a backup, or {_URL}"


def _server(cause: BaseException) -> tuple[str, str]:
    match cause:
        case TimeoutError():
            return f"it does not answer within {DEADLINE:g} s", f"{_SEE}; a firewall may lie between"
        case socket.gaierror():
            return "its host can't be found", f"{_URL}: its host"
        case OSError() if isinstance(cause, ssl.SSLError) or "rejected SSL upgrade" in str(cause):
            return "the server's TLS is not what DATABASE_URL asks for", f"{_URL}: its sslmode and certificates"
        case FileNotFoundError():
            return "there is no such socket", _SEE
        # With several addresses for one host, the error of each is only in the text.
        case OSError() if isinstance(cause, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(cause):
            return "connections are refused: nobody listens there", f"start PostgreSQL, or {_URL}"
    return f"it can't be used ({type(cause).__name__})", _SEE
