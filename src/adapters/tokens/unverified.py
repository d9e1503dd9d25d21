"""What a token says of itself, read leniently: good for an explanation, and never believed."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from adapters.tokens.claims import ClaimRules
from adapters.tokens.keys import PublicKey
from adapters.tokens.strict import decode_base64url, decode_json_object
from application.diagnosis import quoted

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
class Case:
    """A refused token, and by what it was judged."""

    token: Unverified
    rules: ClaimRules
    keys: Mapping[str, PublicKey]
    now: float


Explanation = tuple[str, str]
"""What is wrong, and what to do."""
Explain = Callable[[Case], Explanation]


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
