"""The access token: cached, and renewed before it expires."""

import base64
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from evo_todo_client.problems import Unauthorized, Unreachable

_MARGIN: Final = 30.0


class Tokens:
    """Keeps one token. A wrong clock of this machine does not matter: a token lives `exp - iat` from its arrival."""

    def __init__(
        self,
        fetch: Callable[[], Awaitable[str | None]],
        lock: AbstractAsyncContextManager[object],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch, self._lock, self._now = fetch, lock, now
        self._token: str | None = None
        self._renew_at = self._expires_at = 0.0
        self._arrived = self._cleared = 0  # how many tokens, and how often they were forgotten

    async def get(self, rejected: str | None = None) -> str:
        """The token, or a new one shortly before it expires or when the API has rejected this one.

        Raises:
            Unauthorized: there is no session, or it was signed out meanwhile.
            Unreachable: fetching has failed, and the cached token is not valid any more.
        """
        known = None if self._token == rejected else self._token
        if known is not None and self._now() < self._renew_at:
            return known
        before, session = self._arrived, self._cleared
        async with self._lock:
            self._require(session)
            if self._token is not None and self._arrived != before:
                return self._token  # another call has fetched it meanwhile
            try:
                token = await self._fetch()
            except Unauthorized:
                token = None
            except Exception as error:
                self._require(session)
                if known is not None and self._now() < self._expires_at:
                    return known
                raise Unreachable from error  # whatever failed: nobody has said that there is no session
            self._require(session)
            if not token:
                self.clear()
                raise Unauthorized
            return self._keep(token.strip())

    def _require(self, session: int) -> None:
        """Raises Unauthorized if the session has been signed out: what was fetched for it may not serve the next."""
        if session != self._cleared:
            raise Unauthorized

    def _keep(self, token: str) -> str:
        lifetime = _lifetime(token)
        self._token = token
        self._arrived += 1
        self._expires_at = self._now() + lifetime
        self._renew_at = self._expires_at - min(_MARGIN, lifetime / 5)
        return token

    def clear(self) -> None:
        """Forget it, at sign-out; calls that wait for another one get Unauthorized."""
        self._token = None
        self._cleared += 1


def _lifetime(token: str) -> float:
    """Seconds; infinite without readable claims: then the token is used until the API rejects it."""
    try:
        payload = token.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"]) - float(claims["iat"])
    except (ValueError, KeyError, IndexError, TypeError):
        return float("inf")
