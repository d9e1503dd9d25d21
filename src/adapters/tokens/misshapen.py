"""What somebody took for a token: what its form gives away, without a word of it."""

import re
from collections.abc import Callable
from typing import Final

from adapters.tokens.unverified import Case, Explanation

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
_LOOKS: Final[tuple[tuple[Callable[[str], object], str, str], ...]] = (
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


def explain_form(case: Case) -> Explanation:
    """Say what it looks like, if not like a JWT."""
    for is_it, what, advice in _LOOKS:
        if is_it(case.token.text):
            return f"it is {what}", advice
    if not case.token.header:
        return "its first part is no JSON object in base64url", _COPY
    if not case.token.claims:
        return "its second part is no JSON object in base64url", _COPY
    return "its third part is no signature in base64url: it was cut or changed", _COPY
