"""Who asks, and whose list they may touch."""

from typing import Any, NewType

from attrs import Attribute, field, frozen

from domain.errors import AccessDenied, InvalidField
from domain.text import has_control_characters

UserId = NewType("UserId", str)
"""The issuer's name for a person: the token's `sub`, opaque to us."""

SessionId = NewType("SessionId", str)
"""The issuer's name for one sign-in: the token's `sid`, opaque to us."""

MAX_USER_ID = MAX_SESSION_ID = 255


def _is_identifier(_: Any, attribute: "Attribute[Any]", value: str | None) -> None:
    if value is None:
        return
    if not 1 <= len(value) <= MAX_USER_ID:
        raise InvalidField(attribute.name, f"takes 1 to {MAX_USER_ID} characters")
    if has_control_characters(value):
        raise InvalidField(attribute.name, "takes no control characters")


@frozen
class Principal:
    """Somebody whose token was verified. Two tokens of one user make equal principals.

    Raises:
        InvalidField: an id is empty, too long, or has characters no identifier needs.
    """

    user_id: UserId = field(validator=_is_identifier)
    session_id: SessionId | None = field(default=None, validator=_is_identifier, eq=False)
    """The sign-in that the token comes from, where the issuer tells it."""
    issued_at: float = field(default=0.0, eq=False)
    """When the token was issued, in seconds since 1970."""

    def ensure_owns(self, owner: UserId) -> None:
        """The ownership rule: a person may touch their own list, and no other.

        Raises:
            AccessDenied: the list is somebody else's, whether or not it exists.
        """
        if owner != self.user_id:
            raise AccessDenied
