"""What only SQLite needs: connection set-up, short reads inside the event loop, and checks of the database's file."""

import contextlib
import sqlite3
import stat
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from attrs import define, field
from sqlalchemy import URL, Connection, Dialect, Executable
from sqlalchemy.dialects.sqlite.aiosqlite import dialect

from adapters.sql.executors import Compile, Parameters, Rows, compile_statement

SQLITE: Final[Dialect] = dialect()

MAX_VM_STEPS: Final = 20_000
"""Steps of SQLite's virtual machine after which an inline read is interrupted, after twice as many at the latest: one
or two milliseconds.
"""


def configure_connection(connection: Any, _: Any) -> None:
    """Set up a new connection of SQLAlchemy's pool."""
    connection.isolation_level = None  # else the driver begins transactions of its own
    cursor = connection.cursor()
    # The mode belongs to the file: of several connections that open a new file at once, one of them sets it.
    with contextlib.suppress(sqlite3.OperationalError):
        cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # committed transactions survive a power failure
    cursor.close()


def begin_immediate(connection: Connection) -> None:
    """Begin a transaction with the lock for writes: taking it later could fail at once, without waiting."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@define
class InlineReads:
    """Short reads in the event loop's own thread, on a connection of the driver's.

    A thread would have to wait for the interpreter's lock again and again, which takes far longer than SQLite needs for
    a few rows from its page cache. A read that is not short after all is interrupted, and repeated in a thread. The
    connection is opened when it is first needed.
    """

    path: Path
    max_vm_steps: int = MAX_VM_STEPS
    compile: Compile = compile_statement
    _connection: sqlite3.Connection | None = field(init=False, default=None)
    _interruptions: int = field(init=False, default=0)
    """Calls of the progress handler during the present read."""

    def read(self, statement: Executable, parameters: Parameters) -> Rows:
        """Run a single read and return its rows.

        Raises:
            sqlite3.OperationalError: it takes too long, the file is locked, or it can't be read.
        """
        compiled = self.compile(statement, SQLITE)
        self._interruptions = 0
        rows = self._open().execute(compiled.sql, compiled.arguments(parameters)).fetchall()
        return [compiled.row(row) for row in rows]

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            create_private(self.path)
            opened = sqlite3.connect(self.path, timeout=0, isolation_level=None)
            opened.set_progress_handler(self._is_too_long, self.max_vm_steps)
            opened.execute("PRAGMA query_only = ON")
            self._connection = opened
        return self._connection

    def _is_too_long(self) -> bool:
        # SQLite counts steps across statements, so the first call of a read may come at any of its steps.
        self._interruptions += 1
        return self._interruptions > 1


PRIVATE: Final = 0o600
"""Mode of the database's files: every user's tasks are in them."""
_MAGIC: Final = b"SQLite format 3\0"
_CORRECT_URL: Final = "correct DATABASE_URL"

Problem = tuple[str, str]
"""What is wrong, and what to do about it."""


def create_private(file: Path) -> None:
    """Create the file, for its owner only and whatever the umask is; SQLite gives its logs the file's own mode.

    Nothing happens if the file exists or can't be created: then SQLite says so itself.
    """
    if not file.exists():
        with contextlib.suppress(OSError):
            file.touch(PRIVATE)
            file.chmod(PRIVATE)


def exposed_files(file: Path) -> list[Path]:
    """The database's file and its logs, as far as they exist and anyone but their owner has rights on them."""
    files = (file, Path(f"{file}-wal"), Path(f"{file}-shm"))
    return [one for one in files if one.exists() and stat.S_IMODE(one.stat().st_mode) & ~PRIVATE]


def file_problem(file: Path) -> Problem | None:
    """Why the file is no SQLite database; an empty file is one without tables."""
    try:
        return _file_problem(file)
    except OSError as error:
        return f"the file can't be read ({error.strerror})", f"let this user read and write it, or {_CORRECT_URL}"


def _file_problem(file: Path) -> Problem | None:
    if not file.parent.is_dir():
        return "its folder does not exist", f"create the folder, then run evo-todo migrate, or {_CORRECT_URL}"
    if not file.exists():
        return "there is no such file", f"run evo-todo migrate, which creates it, or {_CORRECT_URL}"
    if not file.is_file():
        return "that is not a file", _CORRECT_URL
    with file.open("rb") as opened:
        header = opened.read(len(_MAGIC))
    return None if header in {b"", _MAGIC} else ("the file is not a SQLite database", _CORRECT_URL)


def read_only_url(file: Path) -> str:
    """An address that opens the file for reading and creates no file beside it.

    While a service has the database open there is a write-ahead log beside it, which must be read too. Without one the
    file is opened as immutable: an ordinary reader would create a log, which might belong to another user and lock the
    service out.
    """
    has_log = Path(f"{file}-wal").exists()
    options = {"uri": "true"} | ({"mode": "ro"} if has_log else {"immutable": "1"})
    return URL.create("sqlite", database=f"file:{quote(str(file))}", query=options).render_as_string()
