"""The composition root: decides which adapter implements which port."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import NewType

from dishka import AsyncContainer, Provider, Scope, from_context, make_async_container, provide, provide_all

from adapters.http.open_streams import OpenStreams
from adapters.memory.access import MemoryRateLimiter
from adapters.sql.audit import SqlAuditLog, SqlAuditTrail
from adapters.sql.database import Database, connect
from adapters.sql.notifications import Listener, PostgresChangeFeed, SqliteChangeFeed
from adapters.sql.readiness import DatabaseReadiness, RevocationsReadiness, RowSecurityReadiness
from adapters.sql.replica import Replica, ReplicaReadiness, Replicated
from adapters.sql.replicated_lists import ReplicatedTaskLists
from adapters.sql.retention import AuditRetention, ListRetention
from adapters.sql.revocation_sync import RevocationSync
from adapters.sql.revocations import SqlRevocations
from adapters.sql.task_lists import SqlTaskLists
from adapters.system.audit_filters import LoggingAuditLog, RateLimitedAuditLog
from adapters.system.clock_and_ids import SystemClock, UuidV7Generator
from adapters.tokens.claims import ClaimRules
from adapters.tokens.jwks import HttpJwks, key_set_client
from adapters.tokens.jwks_cache import JwksCache, JwksCacheConfig, JwksReadiness
from adapters.tokens.jwt_verifier import JwtVerifier
from adapters.tokens.security_events import JwtSecurityEventVerifier
from application.access import Authenticate, EnforceRateLimits
from application.authorization import Authorize
from application.background import BackgroundWork
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
from entrypoints.measurements import Measured
from entrypoints.settings import Settings

Notifications = NewType("Notifications", tuple[Listener | None, PostgresChangeFeed | SqliteChangeFeed])
"""PostgreSQL's notifications, and the change feed that they serve."""


class Adapters(Provider):
    """Adapters, one instance per process. None connects before it is used."""

    scope = Scope.APP
    settings = from_context(Settings)
    clock = provide(SystemClock, provides=Clock)
    ids = provide(UuidV7Generator, provides=IdGenerator)

    @provide
    def sql_revocations(self, settings: Settings, database: Database) -> SqlRevocations:
        """Revocations in the database, held in memory."""
        return SqlRevocations(database, token_rules(settings).lifetimes, settings.revocation_max_stale)

    @provide
    def revocations(self, revocations: SqlRevocations) -> Revocations:
        """The same instance as the port."""
        return revocations

    @provide
    def sql_audit(self, database: Database, ids: IdGenerator) -> SqlAuditLog:
        """The audit log's table."""
        return SqlAuditLog(database, ids)

    @provide
    def audit(self, audit: SqlAuditLog) -> AuditLog:
        """The audit log: rate-limited, written to the process's log and to the table."""
        return RateLimitedAuditLog(LoggingAuditLog(audit))

    @provide
    def background(
        self,
        settings: Settings,
        database: Database,
        revocations: SqlRevocations,
        audit: SqlAuditLog,
        notifications: Notifications,
        replicated: Replicated | None,
    ) -> BackgroundWork:
        """The background tasks of a worker."""
        retention = AuditRetention(SqlAuditTrail(database), timedelta(seconds=settings.audit_retention))
        lists = ListRetention(
            database,
            timedelta(seconds=settings.tombstone_retention),
            timedelta(seconds=settings.idempotency_retention),
        )
        listener, feed = notifications
        optional = (listener, None if replicated is None else replicated.replica)
        more = tuple(one for one in optional if one is not None)
        return BackgroundWork((RevocationSync(revocations, listener), audit, retention, lists, feed, *more))

    @provide
    def notifications(self, settings: Settings, database: Database) -> Notifications:
        """Notices of changes: by PostgreSQL's notifications, or from SQLite's file."""
        if database.file is not None:
            return Notifications((None, SqliteChangeFeed(database.file)))
        direct = connect(settings.listen_url) if settings.listen_url else database
        if direct.connect is None:
            raise ValueError("EVO_TODO_LISTEN_URL is no PostgreSQL address")
        listener = Listener(direct.connect)
        return Notifications((listener, PostgresChangeFeed(listener)))

    @provide
    def change_feed(self, notifications: Notifications) -> ChangeFeed:
        """The same as the port."""
        return notifications[1]

    @provide
    def security_events(self, settings: Settings, keys: JwksCache) -> SecurityEventVerifier:
        """Verifies the issuer's security events, with a queue of their own."""
        return JwtSecurityEventVerifier(keys, token_rules(settings))

    @provide
    async def database(self, settings: Settings) -> AsyncIterator[Database]:
        """The database; its connections are closed when the container is."""
        database = open_database(settings)
        yield database
        await database.dispose()

    @provide
    async def replicated(self, settings: Settings, database: Database) -> AsyncIterator[Replicated | None]:
        """The replica, if there is one."""
        if settings.read_url is None:
            yield None
            return
        copy = connect(settings.read_url, prepared_statements=settings.prepared_statements, is_replica=True)
        yield Replicated(copy, Replica(database, copy, settings.allow_rls_bypass))
        await copy.dispose()

    @provide
    def lists(
        self, settings: Settings, database: Database, feed: ChangeFeed, replicated: Replicated | None
    ) -> TaskLists:
        """The task lists in the database; read from its replica, if there is one."""
        lists = SqlTaskLists(database, settings.max_tasks, feed.notify)
        if replicated is None:
            return lists
        return ReplicatedTaskLists(lists, SqlTaskLists(replicated.database, settings.max_tasks), replicated.replica)

    @provide
    def create_task_once(self, settings: Settings, lists: TaskLists, clock: Clock, ids: IdGenerator) -> CreateTaskOnce:
        """Remembers keys as long as the settings say."""
        return CreateTaskOnce(lists, clock, ids, timedelta(seconds=settings.idempotency_retention))

    @provide
    def watch_changes(self, lists: TaskLists, feed: ChangeFeed) -> WatchChanges:
        """Watches with the default times, and never a replica, which would not have what a notice is about."""
        return WatchChanges(lists.primary if isinstance(lists, ReplicatedTaskLists) else lists, feed)

    @provide
    def open_streams(self, settings: Settings, authenticate: Authenticate) -> OpenStreams:
        """As many streams as the settings say, which end when their tokens do."""
        return OpenStreams(authenticate.why_ended, settings.streams_per_user, settings.max_streams)

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
        return JwtVerifier(keys, token_rules(settings))

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
    return make_async_container(Adapters(), UseCases(), Measured(), *overrides, context={Settings: settings})


def open_database(settings: Settings) -> Database:
    """The database of the settings; the caller disposes of it.

    Raises:
        ValueError: no address is set.
    """
    if settings.database_url is None:
        raise ValueError("DATABASE_URL is not set")
    return connect(
        settings.database_url,
        is_pipelined=settings.pipeline,
        prepared_statements=settings.prepared_statements,
        is_sharded=settings.sharded,
    )


def token_rules(settings: Settings) -> ClaimRules:
    """The rules for the claims of a token."""
    return ClaimRules(
        issuer=settings.issuer,
        audience=settings.audience,
        leeway=settings.leeway,
        max_lifetime=settings.max_token_lifetime,
        scope=settings.scope,
    )
