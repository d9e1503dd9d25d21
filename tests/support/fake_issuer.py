"""What the tests hold in their hands instead of the world: the time, and what the issuer answers."""

import asyncio
import json
from collections.abc import Mapping

from attrs import define, field

from adapters.tokens.jwks import PublicKey, parse_key_set
from domain.errors import InvalidToken
from tests.support.tokens import Issuer


@define
class ManualTime:
    """Stands still until it is moved."""

    seconds: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


def published(*issuers: Issuer) -> dict[str, PublicKey]:
    """The issuers' public keys, read from the key set they publish."""
    return parse_key_set(json.dumps({"keys": [issuer.jwk() for issuer in issuers]}).encode())


@define
class PublishedKeys:
    """The verifier's KeySet without a fetch."""

    keys: Mapping[str, PublicKey]
    failure: Exception | None = None
    gate: asyncio.Event | None = None
    asked: list[str] = field(factory=list)

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
    """The issuer as the key cache sees it: answers with what was set, at once or when the gate opens."""

    answer: Mapping[str, PublicKey] | Exception
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
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def hold(self) -> asyncio.Event:
        """Let no fetch end before the event is set."""
        self.gate = asyncio.Event()
        return self.gate


async def settle() -> None:
    """Let every task run until it waits for something that a test holds."""
    for _ in range(20):
        await asyncio.sleep(0)
