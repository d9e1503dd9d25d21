"""What a call needs from the outside. Calls are generators of these steps; the two clients carry them out.

So the rules (tokens, retries, when to poll) are written once, for threads and for event loops.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """A request without its token. Paths are relative to the base URL."""

    method: str
    path: str
    params: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    json: Any = None


@dataclass(frozen=True, slots=True)
class Send:
    """Send it and read the response: httpx.Response. Raises Unreachable."""

    call: Call
    token: str


@dataclass(frozen=True, slots=True)
class Open:
    """Send it and keep the response open, for Read: httpx.Response, its body read only if it is an error."""

    call: Call
    token: str
    silence: float
    """Seconds without a byte after which a Read fails."""


@dataclass(frozen=True, slots=True)
class Read:
    """The next bytes of the open response: bytes, `None` at its end or when it broke. Raises TimeoutError."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class FetchToken:
    """A new token: str, or `None` without a session. Raises Unreachable.

    One request at a time: who waited gets the token that the other has fetched.
    """

    instead_of: str | None


@dataclass(frozen=True, slots=True)
class Emit:
    """Hand this to the caller."""

    value: Any


Step = Send | Open | Read | Sleep | FetchToken | Emit
Steps = Generator[Step, Any, T]
