"""What is read of a request: bodies, decoded strictly, and task ids."""

import json
import re
from email.message import Message
from typing import Any, Final
from uuid import UUID

import msgspec
from attrs import frozen
from litestar.types import Receive

from adapters.http.context import Headers, RequestContext
from adapters.http.problems import InvalidBody, RequestError
from domain.errors import TaskNotFound
from domain.task import TaskId

MAX_BODY: Final = 64 * 1024
"""Bytes; the longest task, every character escaped, takes half of it."""

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"

_JSON_TYPE: Final = JSON.encode()
_NOT_JSON: Final = "The body is not JSON."
_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')
_PATH = re.compile(r" - at `\$\.(\w+)`$")
_UTF8: Final = (None, "", "utf-8", "utf8")
_TASK_ID: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@frozen
class Body:
    """The body that a route takes."""

    shape: type[msgspec.Struct] | type[str]
    """A Struct: JSON of exactly that shape. `str`: the body as it stands."""
    example: Any
    media_types: tuple[str, ...] = (JSON,)
    is_required: bool = True
    """Else an empty body is taken as no body."""

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON, by one of its media types."""
        return self.shape is not str


def is_task_id(text: str) -> bool:
    """Whether a path segment has the form of a task id: a UUID in its canonical form (RFC 9562 §4)."""
    return _TASK_ID.fullmatch(text) is not None


def parse_task_id(text: str) -> TaskId:
    """The task id of a path.

    Raises:
        TaskNotFound: it does not have the form of one, so there is no such task.
    """
    if _TASK_ID.fullmatch(text) is None:
        raise TaskNotFound
    return TaskId(UUID(int=int(text.replace("-", ""), 16)))  # a third of the cost of UUID(text)


async def read_body(receive: Receive, context: RequestContext, body: Body) -> Any:
    """The body as the route declares it: an instance of its Struct, a string, or `None` for an empty optional one.

    Raises:
        RequestError: (413) it is larger than MAX_BODY; (415) its media type or encoding is not accepted; (400) it is
            not JSON, empty although required, or broke off.
        InvalidBody: (422) it is JSON that breaks a rule.
    """
    headers = context.headers
    content = context.content = await _read_bytes(receive, headers)
    if not content:
        if body.is_required and body.is_json:
            raise RequestError(400, "The body is empty; this call takes JSON.")
        if not body.is_required:
            return None
    _ensure_media_type(headers, body)
    if not body.is_json:
        return content.decode("latin-1")
    return decode_json(content, body.shape)  # type: ignore[arg-type]  # a JSON body's shape is a Struct


async def _read_bytes(receive: Receive, headers: Headers) -> bytes:
    announced = headers.first(b"content-length") or b""
    if announced.isdigit() and (len(announced) > len(str(MAX_BODY)) or int(announced) > MAX_BODY):
        raise RequestError(413)
    content, is_more = b"", True
    while is_more:
        message = await receive()
        if message["type"] != "http.request":
            raise RequestError(400, "The body broke off.")
        content += message["body"]
        is_more = message["more_body"]
        if len(content) > MAX_BODY:
            raise RequestError(413)
    return content


def _ensure_media_type(headers: Headers, body: Body) -> None:
    if headers.first(b"content-type") != _JSON_TYPE or JSON not in body.media_types:
        media_type, charset = _content_type(headers.get(b"content-type") or "")
        if media_type not in body.media_types or (body.is_json and charset not in _UTF8):
            accepted = " or ".join(body.media_types)
            raise RequestError(
                415,
                f"Send the body as {accepted}{', in UTF-8,' if body.is_json else ''} and say so in Content-Type.",
                {"Accept-Patch": ", ".join(body.media_types)} if len(body.media_types) > 1 else {},
            )
    if (encoding := headers.get(b"content-encoding")) is not None and encoding.lower() != "identity":
        raise RequestError(415, "Send the body as it is, without a Content-Encoding.", {"Accept-Encoding": "identity"})


def _content_type(value: str) -> tuple[str, str | None]:
    """Media type and charset, in lower case (RFC 9110 §8.3)."""
    message = Message()
    message["Content-Type"] = value
    charset = message.get_param("charset")
    return message.get_content_type() if "/" in value else "", str(charset).lower() if charset is not None else None


def decode_json(content: bytes, shape: type[msgspec.Struct]) -> Any:
    """Decode into the declared shape, without guessing.

    Raises:
        RequestError: (400) it is not JSON. InvalidBody: (422) it is JSON that breaks a rule.
    """
    try:
        decoded = msgspec.json.decode(content, type=shape)
        if not content.isascii():
            content.decode()  # members that are ignored were not looked at
    except RecursionError as error:
        raise _nested_too_deeply(content) from error
    except (msgspec.DecodeError, UnicodeError) as error:
        parsed = _parse_leniently(content)
        if isinstance(error, msgspec.ValidationError):
            raise _invalid(error, parsed, shape) from error
        raise InvalidBody("", "takes text in UTF-8, without lone surrogates") from error
    return decoded


def _nested_too_deeply(content: bytes) -> Exception:
    """What is wrong with a body that no parser here reads to its end; a parser may limit the depth (RFC 8259 §9)."""
    structure = _STRINGS.sub(b"", content)
    if any(structure.count(opening) != structure.count(closing) for opening, closing in (b"{}", b"[]")):
        return RequestError(400, _NOT_JSON)
    return InvalidBody("", "is nested too deeply")


def _parse_leniently(content: bytes) -> Any:
    """The JSON value, numbers as text, when only its characters may be wrong: invalid UTF-8, or half a surrogate pair.

    Raises:
        RequestError: (400) it is not JSON. InvalidBody: (422) it is nested too deeply.
    """
    text = content.decode("utf-8", errors="replace")
    try:
        # Numbers stay text: Python's own have a longest length.
        return json.loads(text, parse_constant=_refuse_constant, parse_int=str, parse_float=str)
    except RecursionError as error:
        raise _nested_too_deeply(content) from error
    except ValueError as error:
        raise RequestError(400, _NOT_JSON) from error


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _invalid(error: msgspec.ValidationError, parsed: Any, shape: type[msgspec.Struct]) -> InvalidBody:
    known = {field.encode_name for field in msgspec.structs.fields(shape)}
    if isinstance(parsed, dict) and (unknown := next((name for name in parsed if name not in known), None)) is not None:
        return InvalidBody(f"/{_in_pointer(unknown)}", "is not a member of this object")
    message = str(error)
    found = _PATH.search(message)
    rule = (message[: found.start()] if found else message).replace("`", "")
    return InvalidBody(f"/{found.group(1)}" if found else "", rule[0].lower() + rule[1:])


def _in_pointer(name: str) -> str:
    """A member's name in a JSON pointer (RFC 6901 §3), in valid UTF-8 and at most 100 characters."""
    return name.encode("utf-8", errors="replace").decode()[:100].replace("~", "~0").replace("/", "~1")
