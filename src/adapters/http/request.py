"""Request bodies, decoded strictly: what is not exactly JSON of the declared shape is refused."""

import json
import re
from collections.abc import Iterable
from typing import Any, Final, cast
from uuid import UUID

import msgspec
from litestar import Request
from litestar.enums import ScopeType
from litestar.exceptions import ClientException, InternalServerException
from litestar.types import HTTPScope
from litestar.typing import FieldDefinition

from adapters.http.problems import InvalidBody
from domain.errors import TaskNotFound
from domain.task import TaskId

MAX_BODY: Final = 64 * 1024
"""Bytes; the longest task, every character escaped, takes half of it."""

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"

BROKEN_OFF: Final = "The body broke off."

_PATH = re.compile(r" - at `\$\.(\w+)`$")
_CHARSETS = {None, "utf-8", "utf8"}


class StrictRequest(Request[Any, Any, Any]):
    """Litestar's request, whose `data` is decoded by the rules of this API.

    Litestar's own decoding queue "true" into True, reads text/plain as JSON, and answers 500 to what is nested
    too deep or is no UTF-8.
    """

    async def body(self) -> bytes:
        """The whole body.

        Raises:
            ClientException: (400) the client went away before its end; nobody reads that answer, but the log is right.
        """
        try:
            return await super().body()
        except InternalServerException as error:
            raise ClientException(detail=BROKEN_OFF) from error

    async def json(self) -> Any:
        """The body as an instance of the type that the handler declares for `data`.

        Raises:
            ClientException: (415) not a JSON media type, or encoded; (400) not JSON.
            InvalidBody: (422) JSON that breaks a rule.
        """
        self._ensure_media_type()
        declared = cast("FieldDefinition", self.route_handler.parsed_data_field)  # or nobody would ask for JSON
        return decode_json(await self.body(), declared.annotation)

    def _ensure_media_type(self) -> None:
        accepted = self.route_handler.opt.get("media_types", (JSON,))
        media_type, parameters = self.content_type
        charset = parameters.get("charset")
        if media_type.lower() not in accepted or (charset and charset.lower()) not in _CHARSETS:
            raise ClientException(
                status_code=415,
                detail=f"Send the body as {' or '.join(accepted)}, in UTF-8, and say so in Content-Type.",
                headers={"Accept-Patch": ", ".join(accepted)} if self.method == "PATCH" else None,
            )
        if self.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ClientException(
                status_code=415,
                detail="Send the body as it is, without a Content-Encoding.",
                headers={"Accept-Encoding": "identity"},
            )


def decode_json(body: bytes, declared: type[msgspec.Struct]) -> Any:
    """Decode into the declared type, without guessing.

    Raises:
        ClientException: (400) not JSON. InvalidBody: (422) JSON that breaks a rule.
    """
    try:
        return msgspec.json.decode(body, type=declared)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        parsed = _parse_but_for_its_text(body)
        if isinstance(error, msgspec.ValidationError):
            raise _invalid(error, parsed, declared) from error
        raise InvalidBody("", "takes text in UTF-8, without lone surrogates") from error


def _parse_but_for_its_text(body: bytes) -> Any:
    """What the body holds, where only its characters may be wrong: no UTF-8, or half a surrogate pair."""
    try:
        return json.loads(body.decode("utf-8", errors="replace"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ClientException(detail="The body is not JSON.") from error


def _refuse(name: str) -> None:
    raise ValueError(name)


def _invalid(error: msgspec.ValidationError, parsed: Any, declared: type[msgspec.Struct]) -> InvalidBody:
    known = {field.encode_name for field in msgspec.structs.fields(declared)}
    if isinstance(parsed, dict) and (unknown := next((name for name in parsed if name not in known), None)) is not None:
        return InvalidBody(f"/{_in_pointer(unknown)}", "is not a member of this object")
    message = str(error)
    found = _PATH.search(message)
    rule = (message[: found.start()] if found else message).replace("`", "")
    return InvalidBody(f"/{found.group(1)}" if found else "", rule[0].lower() + rule[1:])


def _in_pointer(name: str) -> str:
    """A member's name in a JSON pointer (RFC 6901 §3), in characters that can be sent, and not without end."""
    return name.encode("utf-8", errors="replace").decode()[:100].replace("~", "~0").replace("/", "~1")


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


_CANONICAL = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def task_id_of(text: str) -> TaskId:
    """The id that a path names, in its canonical form only (RFC 9562 §4).

    Raises:
        TaskNotFound: it is in no such form, so there is no such task.
    """
    if not _CANONICAL.fullmatch(text):
        raise TaskNotFound
    return TaskId(UUID(text))


HTTP: Final = ScopeType.HTTP
"""At hand, because Python 3.11 looks an enumeration's member up the long way: four times a request, for a hundredth."""
