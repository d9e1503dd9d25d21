"""A manual clock, and fakes of the issuer's published keys and of the key set fetch."""

import asyncio
import json
from collections.abc import Mapping

from attrs import define, field

from adapters.tokens.jwks import PublicKey, parse_key_set
from domain.errors import InvalidToken
from tests.support.tokens import Issuer


@define
class ManualTime:
    """A clock that moves only when it is advanced."""

    seconds: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


def published(*issuers: Issuer) -> dict[str, PublicKey]:
    """The issuers' public keys, parsed from the key set that they publish."""
    return parse_key_set(json.dumps({"keys": [issuer.jwk() for issuer in issuers]}).encode())


@define
class PublishedKeys:
    """The verifier's KeySet without a fetch; `asked` lists the key IDs that `find` was called with."""

    keys: Mapping[str, PublicKey]
    failure: Exception | None = None
    gate: asyncio.Event | None = None
    asked: list[str] = field(factory=list)

    def current(self, kid: str) -> PublicKey | None:
        return None if self.failure else self.keys.get(kid)

    async def find(self, kid: str) -> PublicKey:
        self.asked.append(kid)
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        if kid not in self.keys:
            raise InvalidToken("no such key")
        return self.keys[kid]


@define
class ScriptedFetch:
    """The fetch of a key cache: returns or raises `result`, at once or when the gate opens."""

    result: Mapping[str, PublicKey] | Exception
    gate: asyncio.Event | None = None
    calls: int = 0
    cancelled: int = 0

    async def __call__(self) -> Mapping[str, PublicKey]:
        self.calls += 1
        if self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def hold(self) -> asyncio.Event:
        """Hold every fetch until the event is set."""
        self.gate = asyncio.Event()
        return self.gate


async def settle() -> None:
    """Run every task until it waits for something that the test holds."""
    for _ in range(20):
        await asyncio.sleep(0)
