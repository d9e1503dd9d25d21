"""What somebody took for a token: what its form gives away, without a word of it."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import frozen

from adapters.tokens.claims import ClaimRules
from adapters.tokens.jwks import PublicKey
from adapters.tokens.jws import decode_base64url, decode_json_object
from application.health import quoted

ASK: Final = "ask Better Auth for a JWT (GET /api/auth/token, or authClient.token())"

_SEGMENTS: Final = 3
_ENCRYPTED: Final = 5
_COPY: Final = "copy the token once more, and whole"
_PLACEHOLDERS: Final = frozenset({"undefined", "null", "none", "nan", "true", "false", "[object object]"})
_OPENING: Final = ("'", '"', "`", "\u2018", "\u201c")
_CLOSING: Final = ("'", '"', "`", "\u2019", "\u201d")
_BEARER: Final = re.compile(r"bearer(\s|%20|$)", re.IGNORECASE)
_SIGNED_COOKIE: Final = re.compile(r"[^.%]+\.([A-Za-z0-9+/_-]|%2B|%2F)+(=|%3D)*", re.IGNORECASE)


def _is_named_cookie(text: str) -> bool:
    name, is_set, _ = text.partition("=")
    return bool(is_set) and "session" in name.lower()


# Each is tried in turn; the first that fits is told.
PATTERNS: Final[tuple[tuple[Callable[[str], object], str, str], ...]] = (
    (lambda text: not text.strip(), "empty", ASK),
    (
        lambda text: text.strip().lower() in _PLACEHOLDERS,
        "the word that a program writes for a value it does not have",
        f"mend the client: {ASK}",
    ),
    (
        lambda text: text.lower().startswith("authorization:"),
        "a whole Authorization header",
        "give only what comes after `Bearer`",
    ),
    (_BEARER.match, "a token with `Bearer` still before it", "give only what comes after"),
    (lambda text: text.startswith(_OPENING), "a text with a quotation mark before it", "leave the marks out"),
    (lambda text: text.endswith(_CLOSING), "a text with a quotation mark behind it", "leave the marks out"),
    (lambda text: text.lstrip().startswith(("{", "[")), "JSON", "give only the value of its member `token`"),
    (_is_named_cookie, "a session cookie, not a JWT", ASK),
    (lambda text: text != text.strip(), "a text with white space or a line's end around it", "leave that out"),
    (re.compile(r"\s").search, "a text with white space in it", _COPY),
    (_SIGNED_COOKIE.fullmatch, "the value of a session cookie, not a JWT", ASK),
    (re.compile(r"%[0-9A-Fa-f]{2}").search, "a text that was escaped for an address (%2E and the like)", _COPY),
    (lambda text: "." not in text, "a session's token or another secret, not a JWT: it has no dots", ASK),
    (lambda text: "=" in text, "a text padded with `=`, which a JWT never is", _COPY),
    (
        lambda text: text.count(".") == _ENCRYPTED - 1,
        "encrypted (JWE), for it has five parts: a signed one has three",
        ASK,
    ),
    (lambda text: text.count(".") != _SEGMENTS - 1, "no JWT, which has three parts between its dots", _COPY),
)


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


def near_miss(said: object, expected: str) -> str:
    """Words for it when one slip is all the difference; else nothing."""
    names = said if isinstance(said, list) else [said]
    for overlooking, slip in _SLIPS:
        if any(isinstance(name, str) and overlooking(name) == overlooking(expected) for name in names):
            return f" (all the difference is {slip})"
    return ""


SHOWN_VALUES = 5
"""Members of a list that are repeated at most."""


@frozen
class Unverified:
    """A token taken apart as far as it goes; a part that can't be read is empty."""

    text: str
    header: dict[str, Any]
    claims: dict[str, Any]

    @classmethod
    def of(cls, text: str) -> "Unverified":
        """Take it apart."""
        header, claims, *_ = [*text.split("."), "", ""]
        return cls(text, _object(header), _object(claims))

    def date(self, name: str) -> float:
        """A claim that is known to be a number."""
        return float(self.claims[name])


@frozen(kw_only=True)
class RejectedToken:
    """A refused token, and by what it was judged."""

    token: Unverified
    rules: ClaimRules
    keys: Mapping[str, PublicKey]
    now: float


Explanation = tuple[str, str]
"""What is wrong, and what to do."""
Explainer = Callable[[RejectedToken], Explanation]


def explain_malformed(case: RejectedToken) -> Explanation:
    """Say what it looks like, if not like a JWT."""
    for is_it, what, advice in PATTERNS:
        if is_it(case.token.text):
            return f"it is {what}", advice
    if not case.token.header:
        return "its first part is no JSON object in base64url", _COPY
    if not case.token.claims:
        return "its second part is no JSON object in base64url", _COPY
    return "its third part is no signature in base64url: it was cut or changed", _COPY


def shown(members: Mapping[str, Any], name: str) -> str:
    """A member of the header or the claims as one may show it: its name, and of its value what is text."""
    if name not in members:
        return f"it has no `{name}`"
    return f"its `{name}` is {_shown(members[name])}"


def seconds(number: float) -> str:
    """A length of time, of any size."""
    return f"{round(number, 0):.10g} s"


def _shown(value: object) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        more = ", ..." if len(value) > SHOWN_VALUES else ""
        return f"[{', '.join(quoted(one) for one in value[:SHOWN_VALUES])}{more}]"
    return {bool: "a truth value", int: "a number", float: "a number", dict: "an object", list: "a mixed list"}.get(
        type(value), "null"
    )


def _object(segment: str) -> dict[str, Any]:
    try:
        return decode_json_object(decode_base64url(segment))
    except (ValueError, RecursionError):
        return {}
