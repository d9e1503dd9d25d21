"""An issuer for tests: it has a key of its own and signs tokens of any content."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final

from attrs import field, frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ISSUER: Final = "https://auth.example.com"
AUDIENCE: Final = "https://tasks.example.com"
"""Better Auth's default is one origin for both; two origins here, so that no test passes with them swapped."""
SESSION_REVOKED: Final = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
ACCOUNT_PURGED: Final = "https://schemas.openid.net/secevent/risc/event-type/account-purged"
LIFETIME: Final = 900
"""Seconds; Better Auth's default."""


class _Absent(Enum):
    ABSENT = "absent"


ABSENT: Final = _Absent.ABSENT
"""As a member's value: omit the member."""


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def compact_json(value: object) -> bytes:
    """As JavaScript's JSON.stringify, except that NaN and Infinity are allowed."""
    return json.dumps(value, separators=(",", ":")).encode()


@frozen
class Issuer:
    """Signs with one Ed25519 key and publishes its public key."""

    kid: str
    private_key: Ed25519PrivateKey = field(repr=False)
    name: str = ISSUER
    audience: str = AUDIENCE
    now: Callable[[], float] = time.time

    @classmethod
    def new(
        cls,
        kid: str = "key-1",
        *,
        name: str = ISSUER,
        audience: str = AUDIENCE,
        now: Callable[[], float] = time.time,
    ) -> "Issuer":
        """An issuer with a fresh key."""
        return cls(kid, Ed25519PrivateKey.generate(), name, audience, now)

    def token(
        self,
        sub: object = "alice",
        *,
        header: Mapping[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
        **overrides: Any,
    ) -> str:
        """A token as Better Auth makes it, with these header members and claims changed."""
        members = {"alg": "EdDSA", "kid": self.kid} | dict(header or {})
        payload = self.claims(sub) | dict(claims or {}) | overrides
        return self.sign(compact_json(_present(members)), compact_json(_present(payload)))

    def claims(self, sub: object = "alice") -> dict[str, Any]:
        """The claims of Better Auth's tokens."""
        issued_at = int(self.now())
        return {"iat": issued_at, "exp": issued_at + LIFETIME, "iss": self.name, "aud": self.audience, "sub": sub}

    def security_event(
        self,
        kind: str = SESSION_REVOKED,
        *,
        user: object = "alice",
        session: object = ABSENT,
        header: Mapping[str, Any] | None = None,
        details: Mapping[str, Any] | None = None,
        **overrides: Any,
    ) -> str:
        """A Security Event Token about a user or one of their sessions, with these members and claims changed."""
        members = {"alg": "EdDSA", "kid": self.kid, "typ": "secevent+jwt"} | dict(header or {})
        subject: dict[str, Any] = {"format": "iss_sub", "iss": self.name, "sub": user}
        if session is not ABSENT:
            subject = {"format": "complex", "user": subject, "session": {"format": "opaque", "id": session}}
        now = self.now()
        claims = {
            "iss": self.name,
            "aud": self.audience,
            "iat": int(now),
            "jti": "e-1",
            "sub_id": subject,
            "events": {kind: {"event_timestamp": now} | dict(details or {})},
        }
        return self.sign(compact_json(_present(members)), compact_json(_present(claims | overrides)))

    def sign(self, header: bytes, payload: bytes) -> str:
        """A token with any header and payload, JSON or not."""
        return self.sign_segments(base64url(header), base64url(payload))

    def sign_segments(self, header: str, payload: str) -> str:
        """A token with any two segments, base64url or not."""
        signing_input = f"{header}.{payload}"
        return f"{signing_input}.{base64url(self.signature(signing_input.encode()))}"

    def signature(self, message: bytes) -> bytes:
        return self.private_key.sign(message)

    def jwk(self, **overrides: Any) -> dict[str, Any]:
        """The public key as Better Auth publishes it, with these members changed."""
        x = base64url(self.private_key.public_key().public_bytes_raw())
        return _present({"alg": "EdDSA", "crv": "Ed25519", "x": x, "kty": "OKP", "kid": self.kid} | overrides)

    def jwks(self, *others: "Issuer") -> dict[str, Any]:
        """The key set with this key and those of the others."""
        return {"keys": [issuer.jwk() for issuer in (self, *others)]}


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not ABSENT}
