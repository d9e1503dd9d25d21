"""The composition root: decides which adapter implements which port."""

from collections.abc import AsyncIterator
from datetime import timedelta

from dishka import AsyncContainer, Provider, Scope, from_context, make_async_container, provide, provide_all

from adapters.http.open_streams import OpenStreams
from adapters.memory.access import MemoryRateLimiter
from adapters.sql.audit import SqlAuditLog
from adapters.sql.database import Database
from adapters.sql.readiness import DatabaseReadiness, RevocationsReadiness, RowSecurityReadiness
from adapters.sql.replica import ReplicaReadiness, Replicated
from adapters.sql.replicated_lists import ReplicatedTaskLists
from adapters.sql.revocations import SqlRevocations
from adapters.system.audit_filters import LoggingAuditLog, RateLimitedAuditLog
from adapters.system.clock_and_ids import SystemClock, UuidV7Generator
from adapters.tokens.jwks import HttpJwks, key_set_client
from adapters.tokens.jwks_cache import JwksCache, JwksCacheConfig, JwksReadiness
from adapters.tokens.jwt_verifier import JwtVerifier
from adapters.tokens.security_events import JwtSecurityEventVerifier
from application.access import Authenticate, EnforceRateLimits
from application.authorization import Authorize
from application.change_feed import ChangeFeed
from application.health import CheckReadiness
from application.ports import AuditLog, Clock, IdGenerator, RateLimiter, Revocations, TaskLists, TokenVerifier
from application.security_events import EraseAccount, ReceiveSecurityEvent, RevokeSession, SecurityEventVerifier
from application.sync import ReadChanges, WatchChanges
from application.tasks import (
    ChangeTask,
    CompleteTask,
    CreateTask,
    CreateTaskOnce,
    DeleteTask,
    GetTask,
    ListTasks,
    RestoreTask,
)
from domain.audit import AuditEvent, AuditKind
from entrypoints.database_providers import DatabaseAdapters
from entrypoints.measurements import Measured
from entrypoints.settings import Settings


class Adapters(Provider):
    """Adapters but for those on the database, one instance per process. None connects before it is used."""

    scope = Scope.APP
    settings = from_context(Settings)
    clock = provide(SystemClock, provides=Clock)
    ids = provide(UuidV7Generator, provides=IdGenerator)

    @provide
    def audit(self, audit: SqlAuditLog) -> AuditLog:
        """The audit log: rate-limited, written to the process's log and to the table."""
        return RateLimitedAuditLog(LoggingAuditLog(audit))

    @provide
    def security_events(self, settings: Settings, keys: JwksCache) -> SecurityEventVerifier:
        """Verifies the issuer's security events, with a queue of their own."""
        return JwtSecurityEventVerifier(keys, settings.token_rules)

    @provide
    def create_task_once(self, settings: Settings, lists: TaskLists, clock: Clock, ids: IdGenerator) -> CreateTaskOnce:
        """Remembers keys as long as the settings say."""
        return CreateTaskOnce(lists, clock, ids, timedelta(seconds=settings.idempotency_retention))

    @provide
    def watch_changes(self, lists: TaskLists, feed: ChangeFeed) -> WatchChanges:
        """Watches with the default times, and never a replica, which would not have what a notice is about."""
        return WatchChanges(lists.primary if isinstance(lists, ReplicatedTaskLists) else lists, feed)

    @provide
    def open_streams(self, settings: Settings, authenticate: Authenticate, clock: Clock) -> OpenStreams:
        """As many streams as the settings say, which end when their tokens do."""
        return OpenStreams(authenticate.why_ended, clock, settings.streams_per_user, settings.max_streams)

    @provide
    async def key_set(self, settings: Settings) -> AsyncIterator[HttpJwks]:
        """The issuer's key set."""
        async with key_set_client() as client:
            yield HttpJwks(client, settings.jwks_url)

    @provide
    async def keys(
        self, settings: Settings, key_set: HttpJwks, audit: AuditLog, clock: Clock
    ) -> AsyncIterator[JwksCache]:
        """The issuer's keys; a fetch in progress is cancelled when the container is closed."""
        config = JwksCacheConfig(
            ttl=settings.jwks_ttl, cooldown=settings.jwks_cooldown, max_stale=settings.jwks_max_stale
        )

        def record_change(count: int) -> None:
            audit.record(AuditEvent(kind=AuditKind.KEYS_CHANGED, at=clock.now(), reason=f"keys: {count}"))

        keys = JwksCache(key_set, config, on_change=record_change)
        yield keys
        await keys.close()

    @provide
    def verifier(self, settings: Settings, keys: JwksCache) -> TokenVerifier:
        """Verifies tokens of the configured issuer for the configured audience."""
        return JwtVerifier(keys, settings.token_rules)

    @provide
    async def rate_limiter(self, settings: Settings) -> AsyncIterator[RateLimiter]:
        """Counts requests in memory, or in the shared store of the settings."""
        local = MemoryRateLimiter()
        if settings.limits_store is None:
            yield local
            return
        from adapters.redis.rate_limiter import redis_rate_limiter  # noqa: PLC0415  (takes half a second to import)

        async with redis_rate_limiter(settings.limits_store, local) as shared:
            yield shared

    @provide
    def enforce_rate_limits(
        self, settings: Settings, limiter: RateLimiter, audit: AuditLog, clock: Clock
    ) -> EnforceRateLimits:
        """Enforces the rate limits of the settings."""
        return EnforceRateLimits(settings.rate_limit, settings.address_rate_limit, limiter, audit, clock)

    @provide
    def authenticate(
        self, verifier: TokenVerifier, revocations: Revocations, audit: AuditLog, clock: Clock
    ) -> Authenticate:
        """Authenticates with the default limit of known sessions."""
        return Authenticate(verifier, revocations, audit, clock)

    @provide
    def authorize(self, settings: Settings, audit: AuditLog, clock: Clock) -> Authorize:
        """Authorizes with the scope of the settings."""
        return Authorize(audit, clock, settings.scope)

    @provide
    def readiness(
        self,
        settings: Settings,
        database: Database,
        keys: JwksCache,
        revocations: SqlRevocations,
        replicated: Replicated | None,
    ) -> CheckReadiness:
        """The readiness checks of all dependencies."""
        row_security = RowSecurityReadiness(database, settings.allow_rls_bypass)
        return CheckReadiness(
            (DatabaseReadiness(database), row_security, JwksReadiness(keys), RevocationsReadiness(revocations)),
            () if replicated is None else (ReplicaReadiness(replicated.replica),),
        )


class UseCases(Provider):
    """Use cases, one instance per process."""

    scope = Scope.APP
    access = provide_all(RevokeSession, EraseAccount, ReceiveSecurityEvent)
    sync = provide_all(ReadChanges)
    tasks = provide_all(ListTasks, GetTask, CreateTask, ChangeTask, CompleteTask, DeleteTask, RestoreTask)


def make_container(settings: Settings, *overrides: Provider) -> AsyncContainer:
    """Build the container; later providers override earlier ones."""
    providers = (Adapters(), DatabaseAdapters(), UseCases(), Measured())
    return make_async_container(*providers, *overrides, context={Settings: settings})
