"""Rules of docs/security.md, each with a change of the sources that breaks it: `make breaks` sees its tests fail.

A unit test holds that every place is there exactly once.
"""

import shlex
from typing import Final

from attrs import frozen

from tests.security.break_places import Place, TextPlace


@frozen
class Break:
    """One rule, broken by replacing one fragment of source."""

    rule: str
    scope: str
    """`file.py::Class.method` below src; `file.py` alone is the whole module. `file.ts` is below frontend."""
    fragment: str
    """See Place, and TextPlace for the frontend."""
    replacement: str
    tests: str = ""
    """Arguments for pytest; by default the tests of tests/security that have the rule's number."""

    @property
    def is_of_frontend(self) -> bool:
        """Whether the frontend has to be built with it."""
        return self.scope.endswith(".ts")

    @property
    def place(self) -> Place | TextPlace:
        """Where the fragment is."""
        return (TextPlace if self.is_of_frontend else Place)(self.scope, self.fragment)

    @property
    def target(self) -> list[str]:
        """Arguments for pytest."""
        if self.tests:
            return shlex.split(self.tests)
        kind, number = self.rule[0].lower(), int(self.rule[1:])
        return ["tests/security", "-k", f"test_{kind}{number:02}_"]


TOKENS, HTTP, SQL = "adapters/tokens", "adapters/http", "adapters/sql"
ROW_SECURITY: Final = f"{SQL}/migrations/versions/0003_row_security.py"
LISTS: Final = f"{SQL}/migrations/versions/0006_lists.py"

EVENTS: Final = "tests/integration/http/test_events.py"
REPLICA: Final = "tests/integration/sql/test_replica.py"

TRUST: Final = "tests/interop/test_trust.py"
ODD: Final = "tests/interop/test_odd_requests.py"

BREAKS: Final = (
    Break("R1", f"{HTTP}/auth.py::bearer_token", "len(values) > 1", "len(values) > 2"),
    Break("R1", f"{HTTP}/context.py::Headers.parse", "len(fields) == len(lines)", "True"),
    Break("R1", f"{HTTP}/auth.py", 'r"bearer +([^\\s]+)"', 'r"bearer\\s*([^\\s]+)"'),
    Break("R2", f"{TOKENS}/jwt_verifier.py::JwtVerifier.verify", "len(unverified_token) > MAX_LENGTH", "False"),
    Break(
        "R3",
        f"{TOKENS}/jws.py::decode_base64url",
        'base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text',
        "False",
        tests="tests/unit/tokens/test_form.py",
    ),
    Break("R4", f"{TOKENS}/jws.py::_unique", "len(members) != len(pairs)", "False"),
    Break("R4", f"{TOKENS}/jws.py::decode_json_object", "parse_constant=_refuse_constant", "parse_constant=float"),
    Break("R4", f"{TOKENS}/jws.py::decode_json_object", 'data.decode("utf-8")', "data"),
    Break("R5", f"{TOKENS}/jws.py", '("EdDSA", "Ed25519")', '("EdDSA",)'),
    Break(
        "R5",
        f"{TOKENS}/jws.py::_validate_header",
        "algorithm not in ALGORITHMS",
        "algorithm.lower() not in [*map(str.lower, ALGORITHMS), 'none']",
        tests="tests/unit/tokens/test_header.py",
    ),
    Break("R6", f"{TOKENS}/jwks.py::_parse_key", 'jwk.get("crv") == "Ed25519"', "True"),
    Break(
        "R7",
        f"{TOKENS}/jws.py::_kid",
        "not 1 <= len(kid) <= MAX_KID",
        "False",
        tests="tests/unit/tokens/test_header.py",
    ),
    Break(
        "R7",
        f"{TOKENS}/jwks_cache.py::JwksCache._find_unknown",
        "self._keys.get(kid)",
        "self._keys.get(kid.strip().lower())",
    ),
    Break("R8", f"{TOKENS}/jws.py", '("jwk", "jku", "x5u", "x5c", "crit", "b64")', '("crit", "b64")'),
    Break("R9", f"{TOKENS}/jws.py", '("jwk", "jku", "x5u", "x5c", "crit", "b64")', '("jwk", "jku", "x5u", "x5c")'),
    Break("R10", f"{TOKENS}/jws.py::parse_access_token", 'not _is_of(_ACCESS_TOKENS, header["typ"])', "False"),
    Break(
        "R11",
        f"{TOKENS}/jws.py::verify_signature",
        "joserfc.jws.deserialize_compact(token.text, key, registry=ED25519)",
        "None",
    ),
    Break(
        "R11",
        f"{TOKENS}/jws.py::_parse",
        "len(signature) != SIGNATURE_BYTES",
        "False",
        tests="tests/unit/tokens",
    ),
    Break(
        "R12",
        f"{TOKENS}/jws.py::verify_signature",
        "decode_json_object(token.payload)",
        "__import__('json').loads(token.payload)",
    ),
    Break(
        "R13",
        f"{TOKENS}/claims.py::ClaimRules.validate",
        'claims.get("iss") != self.issuer',
        'claims.get("iss", "") not in self.issuer',
    ),
    Break("R13", f"{TOKENS}/claims.py::ClaimRules.validate", 'claims.get("iss") != self.issuer', "False"),
    Break("R14", f"{TOKENS}/claims.py::ClaimRules.validate", 'not self.accepts_audience(claims.get("aud"))', "False"),
    Break("R15", f"{TOKENS}/claims.py::ClaimRules.ensure_not_expired", "now >= expires_at + self.leeway", "False"),
    Break(
        "R15",
        f"{TOKENS}/claims.py::ClaimRules._validate_dates",
        "max(issued_at, not_before) > now + self.leeway",
        "False",
    ),
    Break(
        "R15",
        f"{TOKENS}/claims.py::ClaimRules._validate_dates",
        "expires_at - issued_at > self.max_lifetime",
        "False",
    ),
    Break(
        "R15",
        f"{TOKENS}/jwt_verifier.py::JwtVerifier.remembered",
        "self._rules.ensure_not_expired(expires_at=verified.expires_at, now=self._now())",
        "None",
        tests="tests/unit/tokens",
    ),
    Break("R15", f"{TOKENS}/claims.py::numeric_date", "not isinstance(value, bool)", "True"),
    Break("R16", "domain/identity.py", "not 1 <= len(value) <= MAX_USER_ID", "False"),
    Break("R16", "domain/identity.py", "has_control_characters(value)", "False"),
    Break("R17", f"{TOKENS}/jws.py::_parse", "(ValueError, RecursionError)", "RecursionError"),
    Break("R18", f"{TOKENS}/claims.py", "not self.issuer or not self.audience", "False"),
    Break("R18", "entrypoints/settings.py::Settings.from_env", 'settings.jwks_url.startswith("https://")', "True"),
    Break(
        "K1",
        f"{TOKENS}/jwks_cache.py::JwksCache._refresh",
        "asyncio.shield(self._fetch_task)",
        "self._fetch_task",
    ),
    Break("K1", f"{TOKENS}/jwks_cache.py::JwksCache._start_fetch", "self._fetch_task is None", "True"),
    Break(
        "K2",
        f"{TOKENS}/jwks_cache.py::JwksCache.find",
        "self._keys.get(kid) or await self._find_unknown(kid)",
        "await self._find_unknown(kid)",
    ),
    Break(
        "K3",
        f"{TOKENS}/jwks_cache.py::JwksCache._find_unknown",
        "self._unknown_allowed_at = self._monotonic() + self._config.cooldown",
        "pass",
    ),
    Break(
        "K4",
        f"{TOKENS}/jwks_cache.py",
        "self._retry_at = self._monotonic() + self._backoff.fail()",
        "self._backoff.fail()",
    ),
    Break("K7", f"{TOKENS}/jwks.py::HttpJwks.fetch", "asyncio.timeout(self.timeout)", "asyncio.timeout(None)"),
    Break("K8", f"{TOKENS}/jwks.py", "follow_redirects=False", "follow_redirects=True"),
    Break("K9", f"{TOKENS}/jwks.py::_parse_key", '"d" in jwk', "False"),
    Break(
        "K10",
        "entrypoints/asgi.py::create_app.start",
        "keys = asyncio.create_task(_prefetch(await container.get(JwksCache)))",
        "await (await container.get(JwksCache)).ensure_loaded()\nkeys = asyncio.create_task(asyncio.sleep(0))",
    ),
    Break(
        "A1",
        f"{HTTP}/error_mapping.py::_headers",
        '{"WWW-Authenticate": "Bearer"}',
        '{"WWW-Authenticate": "Basic"}',
    ),
    Break(
        "A2",
        f"{HTTP}/auth.py::bearer_token",
        'raise InvalidToken("The Authorization header is malformed: send Bearer, a space, and the token.")',
        "raise InvalidToken(value)",
    ),
    Break("A3", f"{HTTP}/front.py::Front.__call__", "ensure_owner(self.services, context, segments)", "None"),
    Break(
        "A4",
        "domain/identity.py::Principal.ensure_owns",
        "owner != self.user_id",
        "owner.lower() != self.user_id.lower()",
    ),
    Break(
        "A5",
        "domain/identity.py::Principal.ensure_owns",
        "raise AccessDenied",
        "return",
        tests="tests/security -k test_a03",
    ),
    Break("A6", f"{HTTP}/error_mapping.py::problem_of", "_detail(error) or kind.detail", 'repr(error) + "Traceback"'),
    Break(
        "A7",
        f"{HTTP}/front.py",
        '{"HEAD": "GET", "OPTIONS": ANY_METHOD}',
        '{"HEAD": "GET", "OPTIONS": ANY_METHOD, "DELETE": "GET"}',
    ),
    Break("A8", f"{HTTP}/request.py::_ensure_media_type", "media_type not in body.media_types", "False"),
    Break("A8", f"{HTTP}/request.py", "MAX_BODY: Final = 64 * 1024", "MAX_BODY: Final = 640 * 1024"),
    Break("A8", f"{HTTP}/request.py::_ensure_media_type", 'encoding.lower() != "identity"', "False"),
    Break("A8", f"{HTTP}/request.py::_read_bytes", "len(content) > MAX_BODY", "len(content) > 10 * MAX_BODY"),
    Break(
        "A9",
        f"{HTTP}/request.py::decode_json",
        "msgspec.json.decode(content, type=shape)",
        "msgspec.json.decode(content, type=shape, strict=False)",
        tests="tests/unit/http tests/security -k 'a09 or hostile or refused'",
    ),
    Break(
        "A10",
        "domain/text.py::is_storable",
        'if text.isascii():\n    return "\\0" not in text',
        "if text.isascii():\n    return True",
    ),
    Break("A11", f"{HTTP}/request.py::parse_task_id", "_TASK_ID.fullmatch(text) is None", "False"),
    Break("A12", f"{HTTP}/cors.py::Cors.headers", "origin not in self.origins", "False"),
    Break("A13", f"{HTTP}/responses.py", '(b"cache-control", b"no-store")', '(b"cache-control", b"public")'),
    Break(
        "A14",
        f"{HTTP}/context.py::TrustedProxies._read",
        "not self._trusts(address)",
        "False",
        tests="tests/unit/http/test_client_address.py",
    ),
    Break("A14", "application/access.py::EnforceRateLimits.for_address", "status.is_exceeded", "False"),
    Break(
        "A14",
        "application/access.py::EnforceRateLimits.for_user_now",
        "status.is_exceeded",
        "False",
        tests="tests/unit/application/test_rate_limits.py",
    ),
    Break(
        "A15",
        "domain/audit.py::token_digest",
        'sha256(token.encode("utf-8", "surrogatepass")).hexdigest()[:16]',
        "token",
    ),
    Break(
        "A15",
        f"{HTTP}/routing.py::Route.respond",
        "services.authorize.record_revoked(context.principal, context.audit)",
        "pass",
    ),
    Break(
        "A15",
        f"{HTTP}/routes/sync.py::EventStream._follow",
        "stream.reason == TOKEN_REVOKED",
        "False",
        tests=f"{EVENTS} -k in_the_audit_log",
    ),
    Break(
        "A16",
        "application/access.py::Authenticate._ensure_not_revoked",
        "self.revocations.is_revoked(principal)",
        "False",
    ),
    Break(
        "A16",
        "application/access.py::Authenticate.remembered",
        "self._ensure_not_revoked(principal)",
        "None",
        tests="tests/unit/application tests/security -k 'access or a16'",
    ),
    Break(
        "A16",
        "domain/revocation.py::_key",
        'f"{user_id}\\0{session_id}"',
        "session_id",
        tests="tests/unit/domain/test_revocation.py",
    ),
    Break(
        "A16",
        "domain/revocation.py::RevocationSet.matches",
        "math.floor(principal.issued_at) <= known >> _EXPIRY_BITS",
        "True",
        tests="tests/unit/domain/test_revocation.py",
    ),
    Break(
        "A16",
        f"{TOKENS}/security_events.py",
        "abs(self._now() - issued_at) > self._lifetimes.event_tolerance",
        "False",
    ),
    Break("V4", f"{SQL}/revocation_reads.py::_limited", "literal_column(str(rows))", "literal_column('1000000')"),
    Break("V4", f"{SQL}/revocation_reads.py::Watermark.after", "max(LOOKBACK - elapsed, timedelta())", "LOOKBACK"),
    Break(
        "V4",
        f"{SQL}/revocations.py::SqlRevocations._read_new",
        "self._has_left_out |= self._reads.is_cut(rows)",
        "pass",
    ),
    Break(
        "V4",
        f"{SQL}/revocations.py::SqlRevocations._read_all",
        "self._full_read_after = rows[-1][0], rows[-1][1]",
        "pass",
    ),
    Break(
        "V4",
        f"{SQL}/revocations.py::SqlRevocations.revoke",
        "self._lifetimes.retention(token_lifetime)",
        "self._lifetimes.retention()",
    ),
    Break("V4", "domain/revocation.py::RevocationSet.add_fields", "self._parts[key[0]]", "self._parts[0]"),
    Break(
        "V8",
        "domain/revocation.py::TokenLifetimes.retention",
        "self.event_tolerance + lifetime + self.leeway + TRUNCATION",
        "lifetime + 2 * self.leeway",
    ),
    Break(
        "V8",
        "domain/revocation.py::RevocationSet.add_fields",
        "max(expires_at, known & _EXPIRY_MASK)",
        "expires_at",
        tests="tests/unit/domain/test_revocation.py",
    ),
    Break(
        "V8",
        f"{SQL}/revocations.py::_upsert",
        "later(revocations.c.expires_at, row.excluded.expires_at)",
        "row.excluded.expires_at",
    ),
    Break(
        "V8",
        f"{SQL}/revocations.py::SqlRevocations.purge_expired",
        "now - timedelta(seconds=self._lifetimes.event_tolerance)",
        "now",
    ),
    Break(
        "A16",
        f"{TOKENS}/jws.py::parse_security_event",
        'not _is_of(_SECURITY_EVENTS, header.get("typ"))',
        "False",
    ),
    Break(
        "A17",
        f"{SQL}/errors.py",
        "return StorageUnavailable(retry_after=2)",
        "return RuntimeError()",
        tests="tests/integration/processes/test_faults.py -k without_its_database",
    ),
    Break(
        "A18",
        "entrypoints/server.py::run_server",
        "timeout_graceful_shutdown=grace",
        "timeout_graceful_shutdown=None",
        tests="tests/integration/processes/test_shutdown.py -k never_finishes",
    ),
    Break(
        "A18",
        "entrypoints/server.py::run_server",
        "timeout_worker_healthcheck=worker_timeout",
        "timeout_worker_healthcheck=1",
        tests="tests/integration/processes/test_workers.py -k only_slow",
    ),
    Break(
        "A18",
        "entrypoints/server.py::LoopWatchdog.run",
        "self.end_process()",
        "None",
        tests="tests/unit/test_loop_watchdog.py",
    ),
    Break(
        "P1", f"{SQL}/migrations/versions/0004_force_row_security.py::upgrade", '_alter("FORCE")', '_alter("NO FORCE")'
    ),
    Break("P2", f"{ROW_SECURITY}::upgrade", '" ENABLE ROW LEVEL SECURITY"', '" DISABLE ROW LEVEL SECURITY"'),
    Break("P4", ROW_SECURITY, '"SET LOCAL app.user_id"', '"SET app.user_id"'),
    Break(
        "P6",
        ROW_SECURITY,
        '"LANGUAGE plpgsql VOLATILE AS"',
        '"LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS"',
    ),
    Break(
        "P7",
        ROW_SECURITY,
        '"SET LOCAL app.user_id = %L\', u)"',
        "\"SET LOCAL app.user_id = %L', coalesce(nullif(current_setting(''app.user_id'', true), ''''), u))\"",
        tests="tests/security tests/integration/sql/test_row_security.py -k 'p07 or p02 or letter'",
    ),
    Break(
        "P4",
        f"{SQL}/wire.py::AnswerParser.feed",
        'data[start:stop] != b"I"',
        "False",
        tests="tests/unit/test_wire.py",
    ),
    Break(
        "P7",
        f"{SQL}/shared_connection.py::SharedConnection.data_received",
        "self._waiting.popleft()",
        "next(one for one in iter(self._waiting.popleft, None) if not one[0].done())",
        tests="tests/integration/sql/test_pipeline.py -k 'cancelled or cancellations'",
    ),
    Break("P8", f"{SQL}/errors.py", "not _is_unavailability(error)", "True"),
    Break(
        "V3",
        f"{HTTP}/server/uvicorn_protocol.py::HardenedHttpProtocol.on_message_complete",
        "not self.parser.should_keep_alive()",
        "False",
    ),
    Break(
        "V3",
        f"{HTTP}/server/response_cycle.py::FastResponseCycle.send",
        "self.waiting_for_100_continue and self.more_body",
        "False",
    ),
    Break(
        "V3",
        f"{HTTP}/server/uvicorn_protocol.py::HardenedHttpProtocol._refuse",
        "newest is None or not (newest.more_body and newest.response_started)",
        "True",
    ),
    Break(
        "V6",
        f"{HTTP}/server/uvicorn_protocol.py::HardenedHttpProtocol.pause_writing",
        "self._deadline.start()",
        "None",
    ),
    Break(
        "V6",
        f"{HTTP}/server/uvicorn_protocol.py::HardenedHttpProtocol._start_asgi_task",
        "self.flow.write_paused",
        "False",
    ),
    Break(
        "V6",
        f"{HTTP}/server/write_deadline.py::Backlog.make_room",
        "self._total > self._limit",
        "False",
        tests="tests/unit/http/test_write_deadline.py",
    ),
    Break(
        "V6",
        f"{HTTP}/server/write_deadline.py::unacknowledged",
        "in_transport + int.from_bytes(answer, sys.byteorder)",
        "0",
        tests="tests/security/test_slow_readers.py",
    ),
    Break(
        "V5",
        "adapters/memory/task_lists.py::_List.ensure_accepts",
        "actor.was_issued_by(self.purged_at)",
        "False",
        tests="tests/unit/test_memory_task_lists.py",
    ),
    Break(
        "V7",
        "domain/identity.py::address_identity",
        "_network(address, CLIENT_PREFIXES[address.version][0])",
        "str(address)",
    ),
    Break("V7", "domain/identity.py::parse_address", "address.ipv4_mapped or IPv6Address(int(address))", "address"),
    Break("V7", "adapters/system/audit_filters.py::_sources", "wider_networks(peer)", "()"),
    Break(
        "V7",
        "adapters/system/audit_filters.py::RateLimitedAuditLog._count",
        "(event.kind, event.reason)",
        "(event.kind, None)",
    ),
    Break("V7", f"{HTTP}/context.py::_parse_hop", "_WITH_PORT.fullmatch(text)", "None"),
    Break("V7", "application/access.py::EnforceRateLimits.client", "address_identity(context.peer)", "context.peer"),
    Break(
        "V1",
        f"{SQL}/asyncpg_pool.py::AsyncpgPool.give_up",
        "self._cancel_and_close(connection)",
        "(connection.terminate(), self._cancel_and_close(connection))[1]",
    ),
    Break(
        "V1",
        f"{SQL}/executors.py::AsyncpgExecutor.search",
        "self.searches",
        "self.reads",
        tests="tests/integration/sql/test_searches.py -k delays",
    ),
    Break(
        "V1",
        f"{SQL}/searches.py::_Turns",
        "Factory(asyncio.Lock)",
        "Factory(lambda: asyncio.Semaphore(8))",
        tests="tests/integration/sql/test_searches.py -k one_users",
    ),
    Break(
        "V1",
        f"{SQL}/admin.py::prepare_service_role",
        "await _configure(connection, role.name)",
        "pass",
        tests="tests/integration/sql/test_admin.py -k long_statements",
    ),
    Break("V6", "domain/task_list.py::TaskPage.from_rows", "min(query.limit, fitting(found))", "query.limit"),
    Break(
        "V6",
        f"{SQL}/page_statements.py::bounded",
        "summed.c.before <= MAX_PAGE_BYTES",
        "true()",
        tests="tests/integration/sql/test_searches.py -k bytes",
    ),
    Break(
        "K5",
        f"{TOKENS}/jwks_cache.py::JwksCache._ensure_usable",
        "self._monotonic() - self._fetched_at >= self._config.max_stale",
        "False",
    ),
    Break(
        "K6",
        f"{TOKENS}/jwks_cache.py::JwksCache._ensure_usable",
        "self._raise_unavailable(self._retry_at)",
        'raise InvalidToken("No keys.")',
    ),
    Break(
        "K6",
        f"{TOKENS}/jwks_cache.py::JwksCache._find_unknown",
        "self._unknown.get(kid)",
        "True",
        tests="tests/unit/tokens/test_unknown_keys.py",
    ),
    Break(
        "K6",
        f"{HTTP}/auth.py::authenticate",
        "NoCredentials | InvalidToken | KeysUnavailable",
        "NoCredentials | InvalidToken",
        tests="tests/unit/http/test_limits.py",
    ),
    Break("K9", f"{TOKENS}/jwks.py::parse_key_set", "len(identities[key.kid]) == 1", "True"),
    Break("K9", f"{TOKENS}/jwks.py::_identity", "jwk.get('x')", "None", tests="tests/unit/tokens/test_jwks.py"),
    Break("V2", f"{TOKENS}/jwt_verifier.py::JwtVerifier._verify_new", "client.identity", "''"),
    Break(
        "V2",
        f"{TOKENS}/verification_queue.py::VerificationQueue._line_of",
        "self._balance.get(client, 0)",
        "0",
        tests="tests/unit/tokens/test_verification_turns.py",
    ),
    Break(
        "V2",
        f"{HTTP}/refusal_pacing.py::RefusalPacing.wait",
        "self._passed < self._per_iteration and not self._waiters",
        "True",
        tests="tests/unit/http/test_refusal_pacing.py",
    ),
    Break("V9", f"{TOKENS}/claims.py::ClaimRules.validate", '"cnf" in claims', 'claims.get("cnf")'),
    Break("V9", f"{TOKENS}/claims.py::ClaimRules.lacks_scope", "name in claims", "claims.get(name)"),
    Break("V9", f"{TOKENS}/claims.py", '("client_id", "azp", "scope")', '("client_id", "scope")'),
    Break("V9", f"{TOKENS}/claims.py::ClaimRules.lacks_scope", 'scope.split(" ")', "scope"),
    Break("V9", f"{TOKENS}/claims.py::ClaimRules.lacks_scope", 'scope.split(" ")', "scope.split()"),
    Break("V9", f"{HTTP}/front.py::Front.__call__", "ensure_scope(self.services, context)", "None"),
    Break(
        "V10",
        f"{SQL}/address.py::shown",
        'f"{found[0]}://…" if found else "…" if text else ""',
        "text",
        tests="tests/security/test_identity.py -k message_about_a_setting",
    ),
    Break(
        "V10",
        f"{SQL}/address.py",
        'r"(?:[^\\s@/?#\\[\\]%]|%[0-9A-Fa-f]{2})*"',
        'r"(?:[^\\s/?#\\[\\]%]|%[0-9A-Fa-f]{2})*"',
        tests="tests/security/test_identity.py -k two_ways",
    ),
    Break(
        "V10",
        f"{SQL}/address.py::DatabaseAddress._postgresql",
        'has_ports(found["hosts"] or "")',
        "True",
        tests="tests/security/test_identity.py -k two_ways",
    ),
    Break(
        "V10",
        f"{SQL}/address.py::DatabaseAddress.name",
        'f"PostgreSQL database{database} at {where}"',
        "self.dsn('')",
        tests="tests/security/test_identity.py -k named_by_nothing",
    ),
    Break(
        "V10",
        "entrypoints/database_commands.py::explained",
        'f"{what}: {address.name}: {meaning}: {advice}"',
        'f"{what}: {error}: {database_of(settings)}"',
        tests="tests/security/test_identity.py -k not_there",
    ),
    Break(
        "V10",
        f"{SQL}/sqlite.py",
        "0o600",
        "0o644",
        tests="tests/security/test_identity.py -k 'private or whatever_the_umask'",
    ),
    Break(
        "V10",
        "entrypoints/dev_issuer.py::create_private_folder",
        "folder.chmod(PRIVATE)",
        "None",
        tests="tests/security/test_identity.py -k whatever_the_umask",
    ),
    Break(
        "V10",
        "entrypoints/settings.py::_Reader.refuse",
        "parse.shown_value(name, self.env.get(name, ''))",
        "self.env.get(name, '')",
        tests="tests/security/test_identity.py -k message_about_a_setting",
    ),
    Break(
        "V11",
        "src/auth/endpoints.ts",
        '"/delete-user": confirmed',
        '"/delete-user": z.object({})',
        tests=f"{TRUST} -k deleting_the_account",
    ),
    Break(
        "V11",
        "src/auth/endpoints.ts",
        '"/two-factor/verify-totp": z.strictObject(',
        '"/two-factor/verify-totp": z.looseObject(',
        tests=f"{TRUST} -k no_device",
    ),
    Break(
        "V11",
        "src/auth/endpoints.ts",
        '"/update-user": z.strictObject({ name })',
        '"/update-user": z.looseObject({})',
        tests=f"{ODD} -k 'postgresql and odd_members'",
    ),
    Break(
        "V11",
        "src/auth/endpoints.ts",
        r'.replace(/\s/g, "")',
        "",
        tests=f"{TRUST} -k codes_are_accepted",
    ),
    Break(
        "V11",
        "src/auth/requests.ts",
        "if (!query && !body)",
        "if (false)",
        tests=f"{ODD} -k 'postgresql and no_page_uses'",
    ),
    Break(
        "V11",
        "next.config.ts",
        "unoptimized: true",
        "unoptimized: false",
        tests=f"{ODD} -k 'postgresql and fetches_no_image'",
    ),
    Break(
        "V11",
        "src/auth/auth.ts",
        "autoSignIn: false",
        "autoSignIn: true",
        tests=f"{TRUST} -k whether_or_not_the_address_is_known",
    ),
    Break("V11", "src/auth/trust.ts", "if (!isFirst)", "if (false)", tests=f"{TRUST} -k a_code_works_once"),
    Break(
        "V11",
        "src/auth/trust.ts",
        '["2fa-", "trust-device-", "reset-password:"]',
        '["trust-device-"]',
        tests=f"{TRUST} -k what_the_old_one_has_opened",
    ),
    Break(
        "V11",
        "src/auth/trust.ts",
        "if (others.length > 0)",
        "if (false)",
        tests=f"{TRUST} -k ends_the_other_sessions",
    ),
    Break(
        "V11",
        "src/auth/trust.ts",
        'on("/change-email", requirePassword),',
        "",
        tests=f"{TRUST} -k a_new_address_takes_the_password",
    ),
    Break(
        "V11",
        "src/auth/trust.ts",
        'on("/verify-email", onLinkUsed),',
        "",
        tests=f"{TRUST} -k sent_to_the_old_one",
    ),
    Break("V11", "src/auth/trust.ts", "if (isOld)", "if (false)", tests=f"{TRUST} -k ends_a_link_to_another"),
    Break(
        "V12",
        "application/access.py::Authenticate.why_ended",
        "now >= principal.expires_at",
        "False",
        tests=f"{EVENTS} -k with_its_token",
    ),
    Break(
        "V12",
        "application/access.py::Authenticate.why_ended",
        "self.revocations.is_revoked(principal)",
        "False",
        tests=f"{EVENTS} -k 'with_its_session or with_the_account'",
    ),
    Break(
        "V12",
        f"{HTTP}/open_streams.py::OpenStreams.open",
        "len(self._by_user.get(user, ())) >= self.per_user",
        "False",
        tests=f"{EVENTS} -k a_user_has",
    ),
    Break(
        "V12",
        f"{HTTP}/open_streams.py::OpenStreams.open",
        "self._count >= self.max_streams",
        "False",
        tests=f"{EVENTS} -k a_worker_has",
    ),
    Break(
        "V12",
        f"{HTTP}/sync_params.py::read_stream_start",
        'given if _PRINTABLE.fullmatch(given) else "unknown"',
        "given",
        tests=f"{EVENTS} -k becomes_an_event",
    ),
    Break(
        "V12",
        f"{HTTP}/server/response_cycle.py::FastResponseCycle._begin_stream",
        "limit_unread(self.transport)",
        "None",
        tests=f"{EVENTS} -k little_is_kept",
    ),
    Break(
        "V12",
        f"{HTTP}/server/response_cycle.py::FastResponseCycle._end_stream",
        "self.flow.resume_writing()",
        "None",
        tests=f"{EVENTS} -k keeps_nobody",
    ),
    Break("V2", "application/access.py::Address.ensure_within_limit", "status.is_exceeded", "False"),
    Break(
        "P3",
        LISTS,
        "\"NULLIF(current_setting('app.user_id', true), '')\"",
        "\"(current_setting('app.user_id', true)::uuid)::text\"",
    ),
    Break(
        "P5",
        f"{LISTS}::_alter",
        'f"CREATE POLICY own_rows ON {table} USING ({_MINE}) WITH CHECK ({_MINE})"',
        'f"CREATE POLICY own_rows ON {table} USING ({_MINE}) WITH CHECK (true)"',
    ),
    Break(
        "V5",
        f"{SQL}/write_statements.py::_bump_revision",
        "or_(task_lists.c.purged_at.is_(None), task_lists.c.purged_at < _ISSUED_AT)",
        "None",
    ),
    Break(
        "P9",
        f"{SQL}/statements.py::is_owned",
        "and_(owner_id == owner, owner_id == OWNER)",
        "owner_id == owner",
        tests="tests/integration/sql/test_sharding.py -k needs_one_partition",
    ),
    Break(
        "P9",
        f"{SQL}/readiness.py::row_security_problem",
        "not sharded.propagates",
        "False",
        tests="tests/integration/sql/test_distribution.py -k do_not_learn",
    ),
    Break(
        "V13",
        f"{SQL}/replicated_lists.py::ReplicatedTaskList.page",
        "max(self._replica.required(self._owner), seen, cursor)",
        "max(self._replica.required(self._owner), cursor)",
        tests=f"{REPLICA} -k shown_less",
    ),
    Break(
        "V13",
        f"{SQL}/replicated_lists.py::ReplicatedTaskList.get",
        "max(self._replica.required(self._owner), seen)",
        "seen",
        tests=f"{REPLICA} -k read_at_once",
    ),
    Break(
        "V13",
        f"{SQL}/replicated_lists.py::ReplicatedTaskList.changes",
        "found.token.revision >= self._replica.required(self._owner)",
        "True",
        tests=f"{REPLICA} -k read_at_once",
    ),
    Break(
        "V13",
        f"{SQL}/replica.py::Replica._forget",
        "written_at >= self._reached_at",
        "False",
        tests=f"{REPLICA} -k remembered_until",
    ),
    Break(
        "V13",
        f"{SQL}/replica.py::Replica._problem",
        "primary.system_identifier != replayed.system_identifier",
        "False",
        tests=f"{REPLICA} -k another_server",
    ),
    Break(
        "V13",
        f"{SQL}/replica.py::Replica._problem",
        "primary.name != replayed.name",
        "False",
        tests=f"{REPLICA} -k another_database",
    ),
    Break(
        "V13",
        f"{SQL}/replica.py::Replica.poll",
        "self._reached_at <= self._left_out_at",
        "False",
        tests=f"{REPLICA} -k no_more_is_remembered",
    ),
    Break(
        "V13",
        f"{SQL}/replica.py::Replica._problem",
        "unguarded == BYPASSES and self._allows_bypass",
        "True",
        tests=f"{REPLICA} -k no_replica_is_not_read",
    ),
)
