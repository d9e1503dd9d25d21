"""What only SQLite needs: connection set-up, and checks of the database's file."""

import contextlib
import sqlite3
import stat
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Connection


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
