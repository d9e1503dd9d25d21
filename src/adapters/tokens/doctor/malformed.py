"""Guess what a malformed token really is, and describe its values, without echoing the token."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import frozen

from adapters.tokens.jws import decode_base64url, decode_json_object
from application.health import quoted

GET_TOKEN: Final = "get a JWT from Better Auth (GET /api/auth/token, or authClient.token())"  # noqa: S105  (advice)
COPY_TOKEN: Final = "copy the whole token again"  # noqa: S105  (advice)

Explanation = tuple[str, str]
"""What is wrong, and what to do."""


@frozen
class UnverifiedToken:
    """A token, parsed as far as possible; a part that can't be parsed is empty."""

    text: str
    header: dict[str, Any]
    claims: dict[str, Any]

    @classmethod
    def parse(cls, text: str) -> "UnverifiedToken":
        """Parse the first two parts."""
        header, claims, *_ = [*text.split("."), "", ""]
        return cls(text, _json_object(header), _json_object(claims))

    def date(self, name: str) -> float:
        """A claim that is known to be a number."""
        return float(self.claims[name])


def _json_object(part: str) -> dict[str, Any]:
    try:
        return decode_json_object(decode_base64url(part))
    except (ValueError, RecursionError):
        return {}


_JWT_PARTS: Final = 3
_JWE_PARTS: Final = 5
_PLACEHOLDERS: Final = frozenset({"undefined", "null", "none", "nan", "true", "false", "[object object]"})
_OPENING_QUOTES: Final = ("'", '"', "`", "\u2018", "\u201c")
_CLOSING_QUOTES: Final = ("'", '"', "`", "\u2019", "\u201d")
_BEARER: Final = re.compile(r"bearer(\s|%20|$)", re.IGNORECASE)
_SIGNED_COOKIE: Final = re.compile(r"[^.%]+\.([A-Za-z0-9+/_-]|%2B|%2F)+(=|%3D)*", re.IGNORECASE)


def _is_named_cookie(text: str) -> bool:
    name, equals_sign, _ = text.partition("=")
    return bool(equals_sign) and "session" in name.lower()


PATTERNS: Final[tuple[tuple[Callable[[str], object], str, str], ...]] = (
    (lambda text: not text.strip(), "empty", GET_TOKEN),
    (
        lambda text: text.strip().lower() in _PLACEHOLDERS,
        "a program's placeholder for a missing value",
        f"fix the client: {GET_TOKEN}",
    ),
    (
        lambda text: text.lower().startswith("authorization:"),
        "a whole Authorization header",
        "give only what comes after `Bearer`",
    ),
    (_BEARER.match, "a token with `Bearer` still before it", "give only what comes after `Bearer`"),
    (lambda text: text.startswith(_OPENING_QUOTES), "a text with a quotation mark before it", "remove the quotes"),
    (lambda text: text.endswith(_CLOSING_QUOTES), "a text with a quotation mark after it", "remove the quotes"),
    (
        re.compile(r"decrypt|internal server error", re.IGNORECASE).search,
        "an error of Better Auth's: as after its secret was changed, which makes its stored keys unreadable",
        "put the old secret behind the new one (BETTER_AUTH_SECRETS=2:new,1:old), or delete the rows of its table jwks",
    ),
    (lambda text: text.lstrip().startswith(("{", "[")), "JSON", "give only the value of its member `token`"),
    (_is_named_cookie, "a session cookie, not a JWT", GET_TOKEN),
    (lambda text: text != text.strip(), "a text with white space or a newline around it", "remove the white space"),
    (re.compile(r"\s").search, "a text with white space in it", COPY_TOKEN),
    (_SIGNED_COOKIE.fullmatch, "the value of a session cookie, not a JWT", GET_TOKEN),
    (re.compile(r"%[0-9A-Fa-f]{2}").search, "percent-encoded (%2E and the like)", COPY_TOKEN),
    (lambda text: "." not in text, "a session token or another secret, not a JWT: it has no dots", GET_TOKEN),
    (lambda text: "=" in text, "padded with `=`, and a JWT never is", COPY_TOKEN),
    (
        lambda text: text.count(".") == _JWE_PARTS - 1,
        "encrypted (JWE): it has five parts, a signed JWT has three",
        GET_TOKEN,
    ),
    (lambda text: text.count(".") != _JWT_PARTS - 1, "not a JWT, which has three parts between its dots", COPY_TOKEN),
)
"""A test, what the text is, and what to do; the first match is reported."""


def explain_malformed(token: UnverifiedToken) -> Explanation:
    """Say what a malformed token seems to be."""
    for matches, description, advice in PATTERNS:
        if matches(token.text):
            return f"it is {description}", advice
    if not token.header:
        return "its first part is not a JSON object in base64url", COPY_TOKEN
    if not token.claims:
        return "its second part is not a JSON object in base64url", COPY_TOKEN
    return "its third part is not a signature in base64url: it was cut or changed", COPY_TOKEN


MAX_LISTED_VALUES: Final = 5
"""Values of a list that are shown."""


def describe(members: Mapping[str, Any], name: str) -> str:
    """A member of the header or the claims, safe to print: strings are quoted, other values named by their type."""
    if name not in members:
        return f"it has no `{name}`"
    return f"its `{name}` is {_describe_value(members[name])}"


def _describe_value(value: object) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        more = ", ..." if len(value) > MAX_LISTED_VALUES else ""
        return f"[{', '.join(quoted(item) for item in value[:MAX_LISTED_VALUES])}{more}]"
    return {bool: "a boolean", int: "a number", float: "a number", dict: "an object", list: "a mixed list"}.get(
        type(value), "null"
    )


_LOOPBACK: Final = re.compile(r"(?<=//)(localhost|127\.0\.0\.1|\[::1\])(?=[:/]|$)", re.IGNORECASE)
_SCHEME: Final = re.compile(r"^https?(?=:)", re.IGNORECASE)

_NORMALIZERS: Final[tuple[tuple[Callable[[str], str], str], ...]] = (
    (lambda name: name.rstrip("/"), "a slash at the end"),
    (str.lower, "upper and lower case"),
    (str.strip, "white space"),
    (lambda name: _LOOPBACK.sub("localhost", name), "localhost and 127.0.0.1, which are two names here"),
    (lambda name: _SCHEME.sub("http", name), "http and https"),
)


def near_miss(actual: object, expected: str) -> str:
    """Name the difference when a value, or one in a list, differs from the expected one in one respect; else empty."""
    names = actual if isinstance(actual, list) else [actual]
    for normalize, difference in _NORMALIZERS:
        if any(isinstance(name, str) and normalize(name) == normalize(expected) for name in names):
            return f" (the only difference is {difference})"
    return ""


def duration(number: float) -> str:
    """A duration of any size."""
    return f"{round(number, 0):.10g} s"
