"""How near a name is to the one that was expected: the slips that look alike."""

import re
from collections.abc import Callable
from typing import Final

_LOOPBACK: Final = re.compile(r"(?<=//)(localhost|127\.0\.0\.1|\[::1\])(?=[:/]|$)", re.IGNORECASE)
_SCHEME: Final = re.compile(r"^https?(?=:)", re.IGNORECASE)

Overlook = Callable[[str], str]

_SLIPS: Final[tuple[tuple[Overlook, str], ...]] = (
    (lambda name: name.rstrip("/"), "a slash at the end"),
    (str.lower, "upper and lower case"),
    (str.strip, "white space"),
    (lambda name: _LOOPBACK.sub("localhost", name), "localhost and 127.0.0.1, which are two names here"),
    (lambda name: _SCHEME.sub("http", name), "http and https"),
)


def likeness(said: object, expected: str) -> str:
    """Words for it when one slip is all the difference; else nothing."""
    names = said if isinstance(said, list) else [said]
    for overlooking, slip in _SLIPS:
        if any(isinstance(name, str) and overlooking(name) == overlooking(expected) for name in names):
            return f" (all the difference is {slip})"
    return ""
