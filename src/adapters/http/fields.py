"""The header fields of a request, looked up instead of looked through: each layer asks for one or two of them."""

from collections.abc import Iterable
from typing import Final

from litestar.types import HTTPScope

_PLAIN: Final = "fields"

Headers = Iterable[tuple[bytes, bytes]]


def note_fields(scope: HTTPScope, headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Have the fields of a request at hand; of those that stand twice, this answers the first."""
    fields = dict(headers)
    is_plain = len(fields) == len(headers)
    scope["state"][_PLAIN] = fields if is_plain else None
    return fields if is_plain else dict(reversed(headers))


def plain_fields(scope: HTTPScope) -> dict[bytes, bytes] | None:
    """Every field by its name; `None` where one stands more than once."""
    fields: dict[bytes, bytes] | None = scope["state"][_PLAIN]
    return fields


def lines_of(scope: HTTPScope, name: bytes) -> list[bytes]:
    """The values of each line of a field, in their order."""
    fields: dict[bytes, bytes] | None = scope["state"][_PLAIN]
    if fields is None:
        return [value for key, value in scope["headers"] if key == name]
    return [fields[name]] if name in fields else []


def field(scope: HTTPScope, name: bytes) -> str | None:
    """A field, its lines joined (RFC 9110 §5.3); `None` when it is not there."""
    # Litestar's own view of the header fields is made anew for each request, and costs ten times as much.
    lines = lines_of(scope, name)
    return b", ".join(lines).decode("latin-1") if lines else None
