"""Brief reads on SQLite: in the event loop's own thread, on one connection of the driver's.

A thread would have to wait for the interpreter's lock again and again, which takes far longer than SQLite needs for a
few rows out of its page cache. What queue out not to be brief is given up, and left to the threads of SQLAlchemy's
driver.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from attrs import define, field, frozen
from sqlalchemy import URL, Executable
from sqlalchemy.dialects.sqlite.aiosqlite import dialect

from adapters.sql.executors import Parameters, Rows

_DIALECT = dialect()

Processor = Callable[[Any], Any] | None


@frozen
class CompiledSqliteStatement:
    """A statement as the driver takes it: its text, how its arguments are made, and what its columns are made into."""

    sql: str
    constants: Mapping[str, Any]
    """Arguments that the dialect has added, such as an OFFSET of 0."""
    arguments: tuple[tuple[str, Processor], ...]
    columns: tuple[Processor, ...]

    def take(self, parameters: Parameters) -> list[Any]:
        """The arguments, as SQLite keeps such values."""
        given = {**self.constants, **parameters}
        return [make(given[name]) if make else given[name] for name, make in self.arguments]

    def give(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """A row, in Python's types."""
        return tuple([make(value) if make else value for make, value in zip(self.columns, row, strict=True)])


@cache
def compile_for_sqlite(statement: Executable) -> CompiledSqliteStatement:
    """The statement, compile_for_asyncpg once."""
    found: Any = statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined]  # what is executed can be
    return CompiledSqliteStatement(
        str(found),
        {name: value for name, value in found.params.items() if value is not None},
        tuple((name, _processor(found.binds[name], "bind_processor", _DIALECT)) for name in found.positiontup or ()),
        tuple(_processor(column, "result_processor", _DIALECT, None) for column in found.statement.selected_columns),
    )


def _processor(typed: Any, kind: str, *how: Any) -> Processor:
    made: Processor = getattr(typed.type.dialect_impl(_DIALECT), kind)(*how)
    return made


MAX_VM_STEPS: Final = 20_000
"""Steps of SQLite's machine after which a read is given up, at the latest after as many again: a millisecond or two."""


@define
class InlineReads:
    """Reads that are done at once, or not at all; the connection is opened when it is first needed."""

    path: Path
    prepare: Callable[[Executable], CompiledSqliteStatement] = compile_for_sqlite
    _connection: sqlite3.Connection | None = field(init=False, default=None)
    _looks: int = field(init=False, default=0)

    def read(self, statement: Executable, parameters: Parameters) -> Rows:
        """The rows of a statement that stands alone.

        Raises:
            sqlite3.OperationalError: it takes too long, the file is locked just now, or it can't be read.
        """
        found = self.prepare(statement)
        self._looks = 0
        rows = self._open().execute(found.sql, found.take(parameters)).fetchall()
        return [found.give(row) for row in rows]

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            opened = sqlite3.connect(self.path, timeout=0, isolation_level=None)
            opened.set_progress_handler(self._is_too_long, MAX_VM_STEPS)
            opened.execute("PRAGMA query_only = ON")
            self._connection = opened
        return self._connection

    def _is_too_long(self) -> bool:
        # The first look of a read comes anywhere in it: SQLite goes on counting from the one before.
        self._looks += 1
        return self._looks > 1


_MAGIC: Final = b"SQLite format 3\0"
_URL: Final = "correct DATABASE_URL"

Problem = tuple[str, str]
"""What is wrong, and what to do."""


def file_of(address: URL) -> Path:
    """Where the file is or would be; a relative path is from the folder that the service is started in."""
    name = address.database or ""
    return Path(unquote(name.removeprefix("file:")) if "uri" in address.query else name).absolute()


def why_not_there(file: Path) -> Problem | None:
    """Why there is no database to look at; an empty file is one that has no tables yet."""
    try:
        return _why_not(file)
    except OSError as error:
        return f"the file can't be read ({error.strerror})", f"let this user read and write it, or {_URL}"


def _why_not(file: Path) -> Problem | None:
    if not file.parent.is_dir():
        return "its folder does not exist", f"make the folder, then run evo-todo migrate, or {_URL}"
    if not file.exists():
        return "there is no such file", f"run evo-todo migrate, which makes it, or {_URL}"
    if not file.is_file():
        return "that is no file", _URL
    with file.open("rb") as opened:
        begins = opened.read(len(_MAGIC))
    return None if begins in {b"", _MAGIC} else ("the file is no SQLite database", _URL)


def read_only(file: Path) -> str:
    """An address that opens the file only to read.

    While a service has it open there is a log beside it, which must be read, too. Without one nothing beside the
    file is needed: a reader would leave some there, which might be another user's and lock the service out.
    """
    has_log = Path(f"{file}-wal").exists()
    options = {"uri": "true"} | ({"mode": "ro"} if has_log else {"immutable": "1"})
    return URL.create("sqlite", database=f"file:{quote(str(file))}", query=options).render_as_string()
