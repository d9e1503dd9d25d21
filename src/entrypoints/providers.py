"""The composition root: the only place that knows which adapter serves which port."""

from collections.abc import AsyncIterator
from datetime import timedelta

from dishka import AsyncContainer, Provider, Scope, from_context, make_async_container, provide, provide_all

from adapters.memory.rate_limiter import MemoryRateLimiter
from adapters.sql.audit import AuditRetention, SqlAuditLog, SqlAuditTrail
from adapters.sql.database import Database, connect
from adapters.sql.readiness import DatabaseReadiness, RevocationsReadiness, RowSecurityReadiness
from adapters.sql.revocation_sync import RevocationSync
from adapters.sql.revocations import SqlRevocations
from adapters.sql.task_lists import SqlTaskLists
from adapters.system.audit_filters import LoggingAuditLog, RateLimitedAuditLog
from adapters.system.clock_and_ids import SystemClock, UuidV7Generator
from adapters.tokens.claims import ClaimRules
from adapters.tokens.jwks import HttpJwks, key_set_client
from adapters.tokens.jwks_cache import JwksCache, JwksCacheConfig, KeysReadiness
from adapters.tokens.jwt_verifier import JwtVerifier
from adapters.tokens.security_events import JwtSecurityEventVerifier
from adapters.tokens.verification_queue import VerificationQueue
from application.access import Authenticate, Authorize, EnforceRateLimits
from application.health import CheckReadiness
from application.ports import (
    AuditLog,
    BackgroundWork,
    Clock,
    IdGenerator,
    RateLimiter,
    Revocations,
    SecurityEventVerifier,
    TaskLists,
    TokenVerifier,
)
from application.security_events import EraseAccount, ReceiveSecurityEvent, RevokeSession
from application.tasks import ChangeTask, CompleteTask, CreateTask, DeleteTask, GetTask, ListTasks, RestoreTask
from domain.audit import AuditEvent, AuditKind
from entrypoints.settings import Settings


class Adapters(Provider):
    """What lives as long as the process. Nothing here connects before it is used."""

    scope = Scope.APP
    settings = from_context(Settings)
    clock = provide(SystemClock, provides=Clock)
    ids = provide(UuidV7Generator, provides=IdGenerator)

    @provide
    def kept_revocations(self, settings: Settings, database: Database) -> SqlRevocations:
        """What was revoked, in that database and known by heart."""
        return SqlRevocations(database, max_token_age(settings), settings.revocation_max_stale)

    @provide
    def revocations(self, kept: SqlRevocations) -> Revocations:
        """The same, as the use cases know it."""
        return kept

    @provide
    def kept_audit(self, database: Database, ids: IdGenerator) -> SqlAuditLog:
        """Who did what, in that database."""
        return SqlAuditLog(database, ids)

    @provide
    def audit(self, kept: SqlAuditLog) -> AuditLog:
        """The same, in the log as well, and no more than one can read."""
        return RateLimitedAuditLog(LoggingAuditLog(kept))

    @provide
    def background(
        self, settings: Settings, database: Database, revocations: SqlRevocations, audit: SqlAuditLog
    ) -> BackgroundWork:
        """What goes on beside the requests."""
        upkeep = AuditRetention(SqlAuditTrail(database), timedelta(seconds=settings.audit_retention))
        return BackgroundWork((RevocationSync(database, revocations), audit, upkeep))

    @provide
    def security_events(self, settings: Settings, keys: JwksCache, queue: VerificationQueue) -> SecurityEventVerifier:
        """Verifies what the issuer tells of its sessions."""
        return JwtSecurityEventVerifier(keys, token_rules(settings), queue=queue)

    @provide
    def queue(self) -> VerificationQueue:
        """Whose signature is checked next, whatever brought it."""
        return VerificationQueue()

    @provide
    async def database(self, settings: Settings) -> AsyncIterator[Database]:
        """The database, its connections closed at the end."""
        if settings.database_url is None:
            raise ValueError("DATABASE_URL is not set")
        database = connect(settings.database_url)
        yield database
        await database.dispose()

    @provide
    def lists(self, database: Database) -> TaskLists:
        """Everybody's lists, in that database."""
        return SqlTaskLists(database)

    @provide
    async def keys(self, settings: Settings, audit: AuditLog, clock: Clock) -> AsyncIterator[JwksCache]:
        """The issuer's keys; a fetch in flight ends with the process."""
        times = JwksCacheConfig(
            ttl=settings.jwks_ttl, cooldown=settings.jwks_cooldown, max_stale=settings.jwks_max_stale
        )

        def note_change(count: int) -> None:
            audit.record(AuditEvent(kind=AuditKind.KEYS_CHANGED, at=clock.now(), reason=f"keys: {count}"))

        async with key_set_client() as client:
            keys = JwksCache(HttpJwks(client, settings.jwks_url), times, on_change=note_change)
            yield keys
            await keys.close()

    @provide
    def verifier(self, settings: Settings, keys: JwksCache, queue: VerificationQueue) -> TokenVerifier:
        """Verifies tokens of the configured issuer, for the configured audience."""
        return JwtVerifier(keys, token_rules(settings), queue=queue)

    @provide
    async def meter(self, settings: Settings) -> AsyncIterator[RateLimiter]:
        """Counts each user's and each address's requests, where the settings say."""
        alone = MemoryRateLimiter()
        if settings.limits_store is None:
            yield alone
            return
        from adapters.redis.rate_limiter import redis_rate_limiter  # noqa: PLC0415  (half a second that few need)

        async with redis_rate_limiter(settings.limits_store, alone) as shared:
            yield shared

    @provide
    def enforce_rate_limits(
        self, settings: Settings, meter: RateLimiter, audit: AuditLog, clock: Clock
    ) -> EnforceRateLimits:
        """The limits of the settings."""
        return EnforceRateLimits(settings.rate_limit, settings.address_rate_limit, meter, audit, clock)

    @provide
    def readiness(
        self, settings: Settings, database: Database, keys: JwksCache, revocations: SqlRevocations
    ) -> CheckReadiness:
        """What the service can't do without."""
        row_security = RowSecurityReadiness(database, settings.allow_rls_bypass)
        return CheckReadiness(
            (DatabaseReadiness(database), row_security, KeysReadiness(keys), RevocationsReadiness(revocations))
        )


class UseCases(Provider):
    """One of each serves everybody."""

    scope = Scope.APP
    sessions = provide_all(Authenticate, Authorize, RevokeSession, EraseAccount, ReceiveSecurityEvent)
    tasks = provide_all(ListTasks, GetTask, CreateTask, ChangeTask, CompleteTask, DeleteTask, RestoreTask)


def make_container(settings: Settings, *overrides: Provider) -> AsyncContainer:
    """Everything put together; providers that come later replace what came before."""
    return make_async_container(Adapters(), UseCases(), *overrides, context={Settings: settings})


def max_token_age(settings: Settings) -> timedelta:
    """How long after its signing a token can be accepted at most."""
    return timedelta(seconds=settings.max_token_lifetime + 2 * settings.leeway)


def token_rules(settings: Settings) -> ClaimRules:
    """What the settings ask of a token's claims."""
    return ClaimRules(
        issuer=settings.issuer,
        audience=settings.audience,
        leeway=settings.leeway,
        max_lifetime=settings.max_token_lifetime,
    )
