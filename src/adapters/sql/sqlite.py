"""What only SQLite needs: connection set-up, and reads without SQLAlchemy.

Short reads run in the event loop, and searches in threads that can be interrupted.
"""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from attrs import Factory, define, field
from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.dialects.sqlite.aiosqlite import dialect

from adapters.sql.compiled_statements import Compile, CompiledStatement, Parameters, Rows, compile_statement
from adapters.sql.errors import ACQUIRE_TIMEOUT, deadline

PRIVATE: Final = 0o600
"""Mode of the database's files: every user's tasks are in them."""

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


def create_private(file: Path) -> None:
    """Create the file, for its owner only and whatever the umask is; SQLite gives its logs the file's own mode.

    Nothing happens if the file exists or can't be created: then SQLite says so itself.
    """
    if not file.exists():
        with contextlib.suppress(OSError):
            file.touch(PRIVATE)
            file.chmod(PRIVATE)


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
            self._connection = _open_for_reading(self.path, 0, self._is_too_long, self.max_vm_steps)
        return self._connection

    def _is_too_long(self) -> bool:
        # SQLite counts steps across statements, so the first call of a read may come at any of its steps.
        self._interruptions += 1
        return self._interruptions > 1


@define
class ThreadReads:
    """Reads that may be long: at most `size` at once, each in a thread and on a connection of its own.

    A read that is not waited for any longer is interrupted, so that no thread works for nobody.
    """

    path: Path
    size: int
    compile: Compile = compile_statement
    running: int = field(init=False, default=0)
    """Threads at work."""
    _places: asyncio.Semaphore = field(
        init=False, default=Factory(lambda self: asyncio.Semaphore(self.size), takes_self=True)
    )
    _idle: list["_InterruptibleRead"] = field(init=False, factory=list)
    _is_closed: bool = field(init=False, default=False)

    async def read(self, statement: Executable, parameters: Parameters) -> Rows:
        """Run a single read and return its rows.

        Raises:
            StorageUnavailable: within DEADLINE, when there is no free place or the read has not ended.
        """
        compiled = self.compile(statement, SQLITE)
        async with deadline():
            async with asyncio.timeout(ACQUIRE_TIMEOUT):
                await self._places.acquire()
            self.running += 1
            reader = self._idle.pop() if self._idle else _InterruptibleRead(self.path)
            given_up = threading.Event()
            running = asyncio.create_task(asyncio.to_thread(reader.rows, compiled, parameters, given_up))
            running.add_done_callback(lambda _: self._return(reader))
            try:
                return await asyncio.shield(running)
            finally:
                given_up.set()

    def close(self) -> None:
        """Close the idle connections now, and the others when their reads end."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()

    def _return(self, reader: "_InterruptibleRead") -> None:
        self.running -= 1
        if self._is_closed:
            reader.close()
        else:
            self._idle.append(reader)
        self._places.release()


@define
class _InterruptibleRead:
    """A connection for reads in threads, one at a time."""

    path: Path
    _given_up: threading.Event = field(init=False, factory=threading.Event)
    _connection: sqlite3.Connection | None = field(init=False, default=None)

    def rows(self, compiled: CompiledStatement, parameters: Parameters, given_up: threading.Event) -> Rows:
        self._given_up = given_up
        if self._connection is None:
            self._connection = _open_for_reading(
                self.path, ACQUIRE_TIMEOUT, self._is_given_up, MAX_VM_STEPS, check_same_thread=False
            )
        try:
            rows = self._connection.execute(compiled.sql, compiled.arguments(parameters)).fetchall()
        except sqlite3.OperationalError:
            if given_up.is_set():
                return ()  # interrupted: nobody waits for the rows
            raise
        return [compiled.row(row) for row in rows]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _is_given_up(self) -> bool:
        return self._given_up.is_set()


def _open_for_reading(
    path: Path, patience: float, is_enough: Callable[[], bool], steps: int, *, check_same_thread: bool = True
) -> sqlite3.Connection:
    """A connection whose reads are interrupted when `is_enough`, which is asked after each so many steps."""
    create_private(path)
    opened = sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=check_same_thread)
    opened.set_progress_handler(is_enough, steps)
    opened.execute("PRAGMA query_only = ON")
    return opened
