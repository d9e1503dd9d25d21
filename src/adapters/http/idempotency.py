"""The Idempotency-Key of a request (draft-ietf-httpapi-idempotency-key-header-07)."""

import re
from hashlib import sha256
from typing import Final

from adapters.http.context import RequestContext
from adapters.http.problems import RequestError
from domain.idempotency import IdempotencyKey

MAX_KEY: Final = 255
"""Characters of a key, without quotes."""

HEADER: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Chosen by the client, such as a UUID: the same request with the same key gets the first response"
    " again for 24 hours, and creates nothing. Another body with it is 422.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[ -~]*$"},
    "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
}
"""For the OpenAPI document."""

_PLAIN: Final = re.compile(r"[ !#-~][ -~]*")
_QUOTED: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
"""A structured string (RFC 9651 §3.3.3)."""
_ESCAPED: Final = re.compile(r'\\(["\\])')


def idempotency_key(context: RequestContext, method: str, path: str) -> IdempotencyKey | None:
    """The request's key with a digest of its method, path and body; `None` where there is no key.

    Raises:
        RequestError: (400) it is malformed, too long, or there are several.
    """
    lines = context.headers.getlist(b"idempotency-key")
    if not lines:
        return None
    key = _parse(lines[0].decode("latin-1").strip(" \t")) if len(lines) == 1 else None
    if key is None or not 1 <= len(key) <= MAX_KEY:
        raise RequestError(400, f"Idempotency-Key takes one key of 1 to {MAX_KEY} printable ASCII characters.")
    return IdempotencyKey(key, sha256(b"%s %s\n" % (method.encode(), path.encode()) + context.content).digest())


def _parse(value: str) -> str | None:
    if (quoted := _QUOTED.fullmatch(value)) is not None:
        return _ESCAPED.sub(r"\1", quoted.group(1))
    return value if _PLAIN.fullmatch(value) else None
