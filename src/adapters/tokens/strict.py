"""Strict forms of base64url and JSON: one spelling for one value, or none."""

import base64
import binascii
import json
from typing import Any, NoReturn


def decode_base64url(text: str) -> bytes:
    """RFC 7515 §2: no padding, no other alphabet, no stray bits at the end.

    Raises:
        ValueError: the text is not the one way to write some bytes.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise ValueError("not the only spelling in base64url")
    return data


def decode_json_object(data: bytes) -> dict[str, Any]:
    """One JSON object in UTF-8, member names unique at every depth, no NaN and no Infinity (RFC 8259, RFC 7515 §4).

    Raises:
        ValueError: it is anything else. RecursionError: it is too deep.
    """
    value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004  (a value off the wire, not a type of ours)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member name stands twice")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
