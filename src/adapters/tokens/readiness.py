import asyncio
from typing import Final

from attrs import frozen

from adapters.tokens.remote_keys import RemoteKeySet
from domain.errors import KeysUnavailable

PATIENCE: Final = 2.0
"""Seconds to wait for a fetch in flight: a probe wants an answer, the fetch goes on without it."""


@frozen
class KeysReadiness:
    """Whether there are keys to verify tokens with; asking makes the service try to get some."""

    _keys: RemoteKeySet
    name: str = "keys"

    async def problem(self) -> str | None:
        """See the port."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._keys.ensure_loaded()
        except (KeysUnavailable, TimeoutError):
            return "no usable key from the issuer: check EVO_TODO_JWKS_URL, and that the issuer runs"
        return None
