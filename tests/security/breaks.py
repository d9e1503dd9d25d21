"""Which rule to break where, so that its test can be seen red: `make breaks` does it, one after the other.

Each is a text of a file in src, what takes its place, and the tests of which at least one must fail then. That each
text is still there exactly once is a test itself.
"""

import shlex
from typing import Final

from attrs import frozen


@frozen
class Break:
    """One rule, broken."""

    rule: str
    file: str
    text: str
    instead: str
    tests: str = ""
    """What pytest is to run; by default the test of tests/security that bears the rule's number."""

    @property
    def target(self) -> list[str]:
        """Arguments for pytest."""
        if self.tests:
            return shlex.split(self.tests)
        kind, number = self.rule[0].lower(), int(self.rule[1:])
        return ["tests/security", "-k", f"test_{kind}{number:02}_"]


TOKENS, HTTP, SQL = "adapters/tokens", "adapters/http", "adapters/sql"

BREAKS: Final = (
    Break("R1", f"{HTTP}/auth.py", "if len(values) > 1:", "if len(values) > 2:"),
    Break("R1", f"{HTTP}/request.py", "len(fields) == len(headers)", "True"),
    Break("R1", f"{HTTP}/auth.py", '"bearer +([^\\s]+)"', '"bearer\\\\s*([^\\s]+)"'),
    Break("R2", f"{TOKENS}/jwt_verifier.py", "if len(unverified_token) > MAX_LENGTH:", "if False:"),
    Break(
        "R3",
        f"{TOKENS}/jws.py",
        'if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:',
        "if False:",
        tests="tests/unit/tokens/test_form.py",
    ),
    Break("R4", f"{TOKENS}/jws.py", "if len(members) != len(pairs):", "if False:"),
    Break("R4", f"{TOKENS}/jws.py", "parse_constant=_refuse_constant", "parse_constant=float"),
    Break("R4", f"{TOKENS}/jws.py", 'data.decode("utf-8")', "data"),
    Break("R5", f"{TOKENS}/jws.py", 'ALGORITHMS: Final = ("EdDSA", "Ed25519")', 'ALGORITHMS: Final = ("EdDSA",)'),
    Break(
        "R5",
        f"{TOKENS}/jws.py",
        "if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:",
        "if not isinstance(algorithm, str) or algorithm.lower() not in [*map(str.lower, ALGORITHMS), 'none']:",
        tests="tests/unit/tokens/test_header.py",
    ),
    Break("R6", f"{TOKENS}/jwks.py", 'and jwk.get("crv") == "Ed25519"', "and True"),
    Break("R7", f"{TOKENS}/jws.py", "not 1 <= len(kid) <= MAX_KID", "False", tests="tests/unit/tokens/test_header.py"),
    Break(
        "R7", f"{TOKENS}/jwks_cache.py", "key = self._keys.get(kid)\n", "key = self._keys.get(kid.strip().lower())\n"
    ),
    Break("R8", f"{TOKENS}/jws.py", '"jwk", "jku", "x5u", "x5c", "crit"', '"crit"'),
    Break("R9", f"{TOKENS}/jws.py", '"crit", "b64")', ")"),
    Break("R10", f"{TOKENS}/jws.py", 'if "typ" in header and not _is_of(_ACCESS_TOKENS, header["typ"]):', "if False:"),
    Break(
        "R11", f"{TOKENS}/jwt_verifier.py", "jws.deserialize_compact(token.text, key.jose, registry=ED25519)", "pass"
    ),
    Break("R11", f"{TOKENS}/jws.py", "if len(signature) != SIGNATURE_BYTES:", "if False:", tests="tests/unit/tokens"),
    Break(
        "R12",
        f"{TOKENS}/jwt_verifier.py",
        "claims = decode_json_object(token.payload)",
        "claims = __import__('json').loads(token.payload)",
    ),
    Break(
        "R13",
        f"{TOKENS}/claims.py",
        'if claims.get("iss") != self.issuer:',
        'if claims.get("iss", "") not in self.issuer:',
    ),
    Break("R13", f"{TOKENS}/claims.py", 'if claims.get("iss") != self.issuer:', "if False:"),
    Break("R14", f"{TOKENS}/claims.py", 'if not self.accepts_audience(claims.get("aud")):', "if False:"),
    Break("R15", f"{TOKENS}/claims.py", "if now >= expires_at + self.leeway:", "if False:"),
    Break("R15", f"{TOKENS}/claims.py", "if max(issued_at, not_before) > now + self.leeway:", "if False:"),
    Break("R15", f"{TOKENS}/claims.py", "if expires_at - issued_at > self.max_lifetime:", "if False:"),
    Break("R15", f"{TOKENS}/claims.py", "not isinstance(value, bool) and abs(value)", "abs(value)"),
    Break("R16", "domain/identity.py", "if not 1 <= len(value) <= MAX_USER_ID:", "if False:"),
    Break("R16", "domain/identity.py", "if has_control_characters(value):", "if False:"),
    Break(
        "R17",
        f"{TOKENS}/jws.py",
        "except (ValueError, RecursionError) as error:",
        "except RecursionError as error:",
    ),
    Break("R18", f"{TOKENS}/claims.py", "if not self.issuer or not self.audience:", "if False:"),
    Break(
        "R18",
        "entrypoints/settings.py",
        'if not (allow_http or jwks_url.startswith("https://")',
        'if not (True or jwks_url.startswith("https://")',
    ),
    Break("K1", f"{TOKENS}/jwks_cache.py", "await asyncio.shield(self._flight)", "await self._flight"),
    Break("K1", f"{TOKENS}/jwks_cache.py", "if self._flight is None and self._monotonic()", "if self._monotonic()"),
    Break(
        "K2",
        f"{TOKENS}/jwks_cache.py",
        "return self._keys.get(kid) or await self._find_unknown(kid)",
        "return await self._find_unknown(kid)",
    ),
    Break(
        "K3", f"{TOKENS}/jwks_cache.py", "self._unknown_allowed_at = self._monotonic() + self._times.cooldown", "pass"
    ),
    Break(
        "K4",
        f"{TOKENS}/jwks_cache.py",
        "self._retry_at = self._monotonic() + backoff * (1 + self._jitter() / 4)",
        "pass",
    ),
    Break(
        "K5",
        f"{TOKENS}/jwks_cache.py",
        "if not self._keys or now - self._fetched_at >= self._times.max_stale:",
        "if not self._keys:",
    ),
    Break(
        "K6",
        f"{TOKENS}/jwks_cache.py",
        "raise KeysUnavailable(retry_after=max(1, ceil(self._retry_at - now)))",
        'raise InvalidToken("No keys.")',
    ),
    Break("K7", f"{TOKENS}/jwks.py", "async with asyncio.timeout(DEADLINE):", "async with asyncio.timeout(None):"),
    Break("K8", f"{TOKENS}/jwks.py", "follow_redirects=False", "follow_redirects=True"),
    Break("K9", f"{TOKENS}/jwks.py", "if names[key.kid] == 1", "if True"),
    Break("K9", f"{TOKENS}/jwks.py", 'if "d" in jwk:', "if False:"),
    Break(
        "K10",
        "entrypoints/asgi.py",
        "keys = asyncio.create_task(_prefetch(await container.get(JwksCache)))\n"
        "        running.push_async_callback(_cancel, keys)",
        "await (await container.get(JwksCache)).ensure_loaded()",
    ),
    Break(
        "A1",
        f"{HTTP}/error_mapping.py",
        'headers = {"WWW-Authenticate": "Bearer"}',
        'headers = {"WWW-Authenticate": "Basic"}',
    ),
    Break(
        "A2",
        f"{HTTP}/auth.py",
        'raise InvalidToken("The Authorization header is malformed: send Bearer, a space, and the token.")',
        "raise InvalidToken(value)",
    ),
    Break(
        "A3",
        f"{HTTP}/app.py",
        "Authorization(calls, use_cases)",
        "calls",
    ),
    Break("A4", "domain/identity.py", "if owner != self.user_id:", "if owner.lower() != self.user_id.lower():"),
    Break("A5", "domain/identity.py", "raise AccessDenied", "return", tests="tests/security -k test_a03"),
    Break("A6", f"{HTTP}/error_mapping.py", "detail=_detail(error) or kind.detail", 'detail=repr(error) + "Traceback"'),
    Break("A7", f"{HTTP}/front.py", "ASK_METHODS}", 'ASK_METHODS, "DELETE": "GET"}'),
    Break("A8", f"{HTTP}/request.py", "if media_type.lower() not in accepted", "if False"),
    Break("A8", f"{HTTP}/request.py", "MAX_BODY: Final = 64 * 1024", "MAX_BODY: Final = 640 * 1024"),
    Break("A8", f"{HTTP}/hot_calls.py", 'fields.get(b"content-type") == _JSON', "True"),
    Break("A8", f"{HTTP}/hot_calls.py", 'b"content-encoding" not in fields', "True"),
    Break("A8", f"{HTTP}/hot_calls.py", "<= MAX_BODY", "<= 10 * MAX_BODY"),
    Break(
        "A9",
        f"{HTTP}/request.py",
        "msgspec.json.decode(body, type=declared)",
        "msgspec.json.decode(body, type=declared, strict=False)",
        tests="tests/unit/http tests/security -k 'a09 or hostile or refused'",
    ),
    Break(
        "A10",
        "domain/text.py",
        'if text.isascii():\n        return "\\0" not in text',
        "if text.isascii():\n        return True",
    ),
    Break("A11", f"{HTTP}/request.py", "if not _CANONICAL.fullmatch(text):", "if False:"),
    Break("A12", f"{HTTP}/cors.py", "origin is None or origin not in self.origins", "origin is None"),
    Break("A13", f"{HTTP}/front.py", 'b"cache-control", b"no-store"', 'b"cache-control", b"public"'),
    Break(
        "A14",
        f"{HTTP}/context.py",
        "if not self._trusts(here):",
        "if False:",
        tests="tests/unit/http/test_client_address.py",
    ),
    Break(
        "A14",
        "application/access.py",
        'if status.is_exceeded:\n            self._refuse(status, context, "address-limit", None)',
        "if False:\n            pass",
    ),
    Break("A15", "domain/audit.py", 'sha256(token.encode("utf-8", "surrogatepass")).hexdigest()[:16]', "token"),
    Break("A16", "application/access.py", "if self.revocations.is_revoked(principal):", "if False:"),
    Break(
        "A16",
        "domain/revocation.py",
        "self._users.setdefault(revocation.user_id, {})",
        "self._users[revocation.user_id] = {}",
        tests="tests/unit/domain/test_revocation.py",
    ),
    Break("A16", "domain/revocation.py", "if not sessions:", "if True:", tests="tests/unit/domain/test_revocation.py"),
    Break(
        "A16",
        f"{TOKENS}/security_events.py",
        "if abs(self._now() - issued_at) > FRESH + self._rules.leeway:",
        "if False:",
    ),
    Break("A16", f"{TOKENS}/jws.py", 'if not _is_of(_SECURITY_EVENTS, header.get("typ")):', "if False:"),
    Break(
        "A17",
        f"{SQL}/errors.py",
        "return StorageUnavailable(retry_after=2)",
        "return RuntimeError()",
        tests="tests/integration/processes/test_faults.py -k without_its_database",
    ),
    Break(
        "A18",
        "entrypoints/server.py",
        "timeout_graceful_shutdown=grace",
        "timeout_graceful_shutdown=None",
        tests="tests/integration/processes/test_shutdown.py -k never_finishes",
    ),
    Break("P1", f"{SQL}/migrations/versions/0004_force_row_security.py", '_alter("FORCE")', '_alter("NO FORCE")'),
    Break(
        "P2",
        f"{SQL}/migrations/versions/0003_row_security.py",
        "ENABLE ROW LEVEL SECURITY",
        "DISABLE ROW LEVEL SECURITY",
    ),
    Break(
        "P3",
        f"{SQL}/migrations/versions/0003_row_security.py",
        "NULLIF(current_setting('app.user_id', true), '')",
        "(current_setting('app.user_id', true)::uuid)::text",
    ),
    Break("P4", f"{SQL}/migrations/versions/0003_row_security.py", "SET LOCAL app.user_id", "SET app.user_id"),
    Break("P5", f"{SQL}/migrations/versions/0003_row_security.py", "WITH CHECK ({_MINE})", "WITH CHECK (true)"),
    Break(
        "P6",
        f"{SQL}/migrations/versions/0003_row_security.py",
        "LANGUAGE plpgsql VOLATILE AS",
        "LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS",
    ),
    Break(
        "P7",
        f"{SQL}/migrations/versions/0003_row_security.py",
        "SET LOCAL app.user_id = %L', u)",
        "SET LOCAL app.user_id = %L', coalesce(nullif(current_setting(''app.user_id'', true), ''''), u))",
        tests="tests/security tests/integration/sql/test_row_security.py -k 'p07 or p02 or letter'",
    ),
    Break("P8", f"{SQL}/errors.py", "if not _is_unavailability(error):", "if True:"),
)
