"""Why the database can't be used, in words, and logged once for each cause."""

import errno
import logging
import socket
import sqlite3
import ssl
import time
from collections.abc import Callable
from typing import Final

from attrs import define

from adapters.sql.errors import CORRECT_URL, DEADLINE, find_state, sqlstate_of

logger = logging.getLogger(__name__)

OUTAGE_PAUSE: Final = 10.0
"""Seconds without a failure after which the next one is another outage: each worker asks the database every second."""

_CHECK_SERVER: Final = f"check that PostgreSQL runs there and accepts connections, or {CORRECT_URL}"

Test = Callable[[BaseException, str], bool]

_EXPLAINED: Final[tuple[tuple[Test, str, str], ...]] = (
    (
        lambda error, text: isinstance(error, sqlite3.Error) and ("unable to open" in text or "readonly" in text),
        "the file can't be opened for writing",
        f"create its folder, let this user write it and the file, then run evo-todo migrate, or {CORRECT_URL}",
    ),
    (
        lambda error, text: isinstance(error, sqlite3.Error) and "locked" in text,
        "another program keeps it locked",
        "end that program, or wait until it is done",
    ),
    (
        lambda error, _: isinstance(error, TimeoutError),
        f"it does not respond within {DEADLINE:g} s",
        f"{_CHECK_SERVER}; a firewall may be in between",
    ),
    (lambda error, _: isinstance(error, socket.gaierror), "its host can't be found", f"{CORRECT_URL}: its host"),
    (
        lambda error, text: isinstance(error, ssl.SSLError) or "rejected SSL upgrade" in text,
        "the server's TLS is not what DATABASE_URL asks for",
        f"{CORRECT_URL}: its sslmode and certificates",
    ),
    (lambda error, _: isinstance(error, FileNotFoundError), "there is no such socket", _CHECK_SERVER),
    (  # if a host has several addresses, the error of each is only in the message
        lambda error, text: isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in text,
        "connections are refused: nothing listens there",
        f"start PostgreSQL, or {CORRECT_URL}",
    ),
)


def explain(cause: BaseException) -> tuple[str, str]:
    """What is wrong, and what to do. Nothing of the error's own message, which may quote the address."""
    if (state := find_state(code := sqlstate_of(cause))) is not None:
        return state.meaning, state.advice
    for matches, meaning, advice in _EXPLAINED:
        if matches(cause, str(cause)):
            return meaning, advice
    advice = f"restore it from a backup, or {CORRECT_URL}" if isinstance(cause, sqlite3.Error) else _CHECK_SERVER
    return f"it can't be used ({type(cause).__name__}){f', SQLSTATE {code}' if code else ''}", advice


@define
class Outage:
    """Logs why the database is unavailable once, and again when that changes; every failure at debug level."""

    _meaning: str = ""
    _last: float = 0.0

    def note(self, cause: BaseException) -> None:
        """A use of the database has failed."""
        meaning, advice = explain(cause)
        now = time.monotonic()
        is_new = meaning != self._meaning or now - self._last > OUTAGE_PAUSE
        self._meaning, self._last = meaning, now
        logger.log(
            logging.WARNING if is_new else logging.DEBUG,
            "database unavailable",
            extra={"cause": meaning, "remedy": advice, "error": type(cause).__name__},
        )


OUTAGE: Final = Outage()
"""The one of this process."""
