"""Request bodies, decoded strictly: what is not exactly JSON of the declared shape is refused."""

import json
import re
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.exceptions import ClientException

from adapters.http.problems import InvalidBody
from domain.errors import InvalidField

MAX_BODY: Final = 64 * 1024
"""Bytes; the longest task, every character escaped, takes half of it."""

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"

_PATH = re.compile(r" - at `\$(.*)`$")
_CHARSETS = {None, "utf-8", "utf8"}


class StrictRequest(Request[Any, Any, Any]):
    """Litestar's request, whose `data` is decoded by the rules of this API.

    Litestar's own decoding turns "true" into True, reads text/plain as JSON, and answers 500 to what is nested
    too deep or is no UTF-8.
    """

    async def json(self) -> Any:
        """The body as an instance of the type that the handler declares for `data`.

        Raises:
            ClientException: (415) not a JSON media type, or encoded; (400) not JSON.
            InvalidBody, InvalidField: (422) JSON that breaks a rule.
        """
        self._ensure_media_type()
        declared = self.route_handler.parsed_data_field
        return decode_json(await self.body(), declared.annotation if declared else Any)

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


def decode_json(body: bytes, declared: Any) -> Any:
    """Decode into the declared type, without guessing.

    Raises:
        ClientException: (400) not JSON. InvalidBody, InvalidField: (422) JSON that breaks a rule.
    """
    try:
        return msgspec.json.decode(body, type=declared)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        if not _is_json_but_for_its_text(body):
            raise ClientException(detail="The body is not JSON.") from error
        if isinstance(error, msgspec.ValidationError):
            raise _invalid(error) from error
        raise InvalidBody("", "takes text in UTF-8, without lone surrogates") from error


def _is_json_but_for_its_text(body: bytes) -> bool:
    """Whether it is JSON to its end; bytes that are no UTF-8, or half a surrogate pair, are passed over."""
    try:
        json.loads(body.decode("utf-8", errors="replace"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(name: str) -> None:
    raise ValueError(name)


def _invalid(error: msgspec.ValidationError) -> InvalidBody | InvalidField:
    message = str(error)
    found = _PATH.search(message)
    rule = (message[: found.start()] if found else message).replace("`", "")
    pointer = found.group(1).replace(".", "/").replace("[", "/").replace("]", "") if found else ""
    if (unknown := re.search(r"unknown field (\S+)", rule)) is not None:
        return InvalidBody(f"{pointer}/{unknown.group(1)}", "is not a member of this object")
    return InvalidBody(pointer, rule[0].lower() + rule[1:])
