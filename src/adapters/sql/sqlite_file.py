"""A SQLite file, looked at without making or changing anything: not even the files that lie beside it."""

from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from sqlalchemy import URL

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
