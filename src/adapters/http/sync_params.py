"""The query parameters of changes, and the opaque form of sync tokens."""

import base64
import binascii
import re
import struct
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qsl

from attrs import frozen

from adapters.http.list_params import LIMIT, parse_limit
from adapters.http.problems import InvalidParameter
from domain.changes import ChangesQuery, SyncToken
from domain.errors import InvalidField, SyncTokenExpired
from domain.identity import UserId
from domain.task import Revision
from domain.task_list import MAX_PAGE

MAX_TOKEN: Final = 128
"""Characters of a sync token; the longest is far shorter."""

PARAMETERS: Final[tuple[tuple[str, dict[str, Any], str], ...]] = (
    (
        "since",
        {"type": "string", "maxLength": MAX_TOKEN},
        "The `sync_token` of the page before. Absent or empty: every task.",
    ),
    (
        "limit",
        LIMIT,
        "How many tasks and deletions a page has at most; fewer where they would exceed about 1 MiB.",
    ),
)
"""Name, JSON schema, and description of each."""

STREAM_PARAMETERS: Final = (
    (
        "since",
        {"type": "string", "maxLength": MAX_TOKEN},
        "The id of the last event, or a `sync_token`, for clients that can't send Last-Event-ID. Absent: from now on.",
    ),
)
"""The same for the event stream."""

LAST_EVENT_ID: Final = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The id of the last event that the client has got: what has changed since comes first.",
    "schema": {"type": "string", "maxLength": MAX_TOKEN},
}
"""The stream's header, for the OpenAPI document."""

UNKNOWN: Final = SyncToken(Revision(2**63 - 1))
"""Ahead of every list: a client that watches from here learns that what changed before is unknown."""

_PRINTABLE: Final = re.compile(r"[!-~]{1,128}")
_VERSION: Final = 1
_OWNER_BYTES: Final = 6
_FORMS: Final = (struct.Struct(f">B{_OWNER_BYTES}sQ"), struct.Struct(f">B{_OWNER_BYTES}sQQ"))
"""Version, digest of the owner's id, revision; in the midst of a first sync also the revision at which it began."""
_MAX_REVISION: Final = 2**63 - 1


@frozen
class StreamStart:
    """From where on a client wants events."""

    since: SyncToken | None
    """`None`: from now on. UNKNOWN: its token is not one of this list."""
    given: str | None
    """The token as the client sent it, or something else that will not be one either."""


def read_stream_start(query_string: bytes, last_event_id: str | None, owner: UserId) -> StreamStart:
    """Where a stream starts: after the event of `Last-Event-ID`, else of the parameter `since`, else now.

    Raises:
        InvalidParameter: a parameter is unknown, or occurs twice.
    """
    since = _unique(query_string, STREAM_PARAMETERS).get("since")
    given = last_event_id or since
    if not given:
        return StreamStart(None, None)
    try:
        return StreamStart(decode_sync_token(given, owner), given)
    except SyncTokenExpired:
        return StreamStart(UNKNOWN, given if _PRINTABLE.fullmatch(given) else "unknown")


def read_changes_query(query_string: bytes, owner: UserId) -> ChangesQuery:
    """The query of a query string.

    Raises:
        InvalidParameter: a parameter is unknown, occurs twice, or is out of range.
        SyncTokenExpired: the token is not one of this list.
    """
    given = _unique(query_string, PARAMETERS)
    try:
        limit = ChangesQuery(limit=parse_limit(given.get("limit", str(MAX_PAGE)))).limit
    except InvalidField as error:
        raise InvalidParameter(error.field, error.rule) from error
    since = given.get("since")
    return ChangesQuery(decode_sync_token(since, owner) if since else None, limit)


def encode_sync_token(token: SyncToken, owner: UserId) -> str:
    """The token as clients hold it: opaque, and always the same for the same."""
    numbers = (token.revision,) if token.began is None else (token.revision, token.began)
    packed = _FORMS[len(numbers) - 1].pack(_VERSION, _digest(owner), *numbers)
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode_sync_token(text: str, owner: UserId) -> SyncToken:
    """The token that this text stands for.

    Raises:
        SyncTokenExpired: it is not one that this API issued for this list.
    """
    try:
        packed = base64.b64decode(text[:MAX_TOKEN] + "=" * (-len(text[:MAX_TOKEN]) % 4), altchars=b"-_", validate=True)
        form = next(form for form in _FORMS if form.size == len(packed))
    except (binascii.Error, ValueError, StopIteration) as error:
        raise SyncTokenExpired from error
    _, __, *numbers = form.unpack(packed)
    token = SyncToken(*map(Revision, numbers))
    if max(numbers) > _MAX_REVISION or encode_sync_token(token, owner) != text:
        raise SyncTokenExpired
    return token


def _unique(query_string: bytes, parameters: Sequence[tuple[str, Any, str]]) -> dict[str, str]:
    names = sorted(name for name, _, _ in parameters)
    given: dict[str, str] = {}
    for name, value in parse_qsl(query_string.decode("latin-1"), keep_blank_values=True):
        if name not in names:
            raise InvalidParameter(name, f"is not a parameter of this call; it takes {', '.join(names)}")
        if name in given:
            raise InvalidParameter(name, "must not occur twice")
        given[name] = value
    return given


def _digest(owner: UserId) -> bytes:
    return sha256(owner.encode()).digest()[:_OWNER_BYTES]
