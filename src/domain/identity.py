"""Users, sessions, and the ownership rule."""

from typing import Any, NewType

from attrs import Attribute, field, frozen

from domain.errors import AccessDenied, InvalidField
from domain.text import has_control_characters

UserId = NewType("UserId", str)
"""The issuer's ID of a user: the token's `sub`. Opaque."""

SessionId = NewType("SessionId", str)
"""The issuer's ID of a session: the token's `sid`. Opaque."""

MAX_USER_ID = MAX_SESSION_ID = 255


def _is_identifier(_: Any, attribute: "Attribute[Any]", value: str | None) -> None:
    if value is None:
        return
    if not 1 <= len(value) <= MAX_USER_ID:
        raise InvalidField(attribute.name, f"must have 1 to {MAX_USER_ID} characters")
    if has_control_characters(value):
        raise InvalidField(attribute.name, "must not contain control characters")


@frozen
class Principal:
    """The user of a verified token. Principals are equal if they are the same user.

    Raises:
        InvalidField: an ID is empty, too long, or contains control characters.
    """

    user_id: UserId = field(validator=_is_identifier)
    session_id: SessionId | None = field(default=None, validator=_is_identifier, eq=False)
    """The session of the token, if the issuer includes one."""
    issued_at: float = field(default=0.0, eq=False)
    """When the token was issued, in seconds since 1970."""
    lacks_scope: bool = field(default=False, eq=False)
    """Whether the token was issued to an application without the scope for this service."""

    def ensure_owns(self, owner: UserId) -> None:
        """The ownership rule: a user may access their own list and no other.

        Raises:
            AccessDenied: the list belongs to another user, whether or not it exists.
        """
        if owner != self.user_id:
            raise AccessDenied
