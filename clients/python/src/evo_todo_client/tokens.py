"""The access token: cached, and renewed before it expires."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

from evo_todo_client.problems import Unauthorized, Unreachable
from evo_todo_client.steps import FetchToken, Steps

_MARGIN = 30.0


class Tokens:
    """Keeps one token. A wrong clock of this machine does not matter: a token lives `exp - iat` from its arrival."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self.token: str | None = None
        self._renew_at = self._expires_at = 0.0

    def get(self, rejected: str | None = None) -> Steps[str]:
        """The token, or a new one shortly before it expires or when the API has rejected this one.

        Raises:
            Unauthorized: there is no session.
            Unreachable: there was no response, and the cached token is not valid any more.
        """
        known = self.token
        if known is not None and known != rejected and self._now() < self._renew_at:
            return known
        try:
            token: str | None = yield FetchToken(known)
        except Unreachable:
            if known is not None and known != rejected and self._now() < self._expires_at:
                return known
            raise
        if not token:
            self.clear()
            raise Unauthorized
        if token != self.token:
            self.keep(token)
        return token

    def keep(self, token: str) -> None:
        """A token that has arrived now."""
        lifetime = _lifetime(token)
        self.token = token
        self._expires_at = self._now() + lifetime
        self._renew_at = self._expires_at - min(_MARGIN, lifetime / 5)

    def clear(self) -> None:
        """Forget it, at sign-out."""
        self.token = None


def _lifetime(token: str) -> float:
    """Seconds; infinite without readable claims: then the token is used until the API rejects it."""
    try:
        payload = token.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"]) - float(claims["iat"])
    except (ValueError, KeyError, IndexError, TypeError):
        return float("inf")
