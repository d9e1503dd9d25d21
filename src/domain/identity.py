"""Who asks, and whose list they may touch."""

from typing import Any, NewType

from attrs import Attribute, field, frozen

from domain.errors import AccessDenied, InvalidField
from domain.text import has_control_characters

UserId = NewType("UserId", str)
"""The issuer's name for a person: the token's `sub`, opaque to us."""

MAX_USER_ID = 255


def _is_user_id(_: Any, attribute: "Attribute[Any]", value: UserId) -> None:
    if not 1 <= len(value) <= MAX_USER_ID:
        raise InvalidField(attribute.name, f"takes 1 to {MAX_USER_ID} characters")
    if has_control_characters(value):
        raise InvalidField(attribute.name, "takes no control characters")


@frozen
class Principal:
    """Somebody whose token was verified.

    Raises:
        InvalidField: the user id is empty, too long, or has characters no identifier needs.
    """

    user_id: UserId = field(validator=_is_user_id)

    def ensure_owns(self, owner: UserId) -> None:
        """The ownership rule: a person may touch their own list, and no other.

        Raises:
            AccessDenied: the list is somebody else's, whether or not it exists.
        """
        if owner != self.user_id:
            raise AccessDenied
