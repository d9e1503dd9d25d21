"""The composition root: the only place that knows which adapter serves which port."""

from collections.abc import AsyncIterator
from datetime import timedelta

from dishka import AsyncContainer, Provider, Scope, from_context, make_async_container, provide, provide_all

from adapters.limits.memory import MemoryRateMeter
from adapters.sql.audit import AuditUpkeep, SqlAuditLog, SqlAuditTrail
from adapters.sql.database import Database, connect
from adapters.sql.readiness import DatabaseReadiness
from adapters.sql.revocation_feed import RevocationFeed
from adapters.sql.revocations import RevocationsReadiness, SqlRevocations
from adapters.sql.row_security_check import RowSecurityReadiness
from adapters.sql.task_lists import SqlTaskLists
from adapters.system.audit import LoggedAudit, ThinnedAudit
from adapters.system.clock import SystemClock
from adapters.system.task_ids import RandomTaskIds
from adapters.tokens.fetch import HttpKeySet, key_set_client
from adapters.tokens.readiness import KeysReadiness
from adapters.tokens.remote_keys import KeyCacheTimes, RemoteKeySet
from adapters.tokens.security_events import JwtSecurityEvents
from adapters.tokens.turns import Turns
from adapters.tokens.verifier import JwtVerifier
from application.authentication import Authenticate, Authorize
from application.limits import LimitRequests
from application.ports import (
    AuditLog,
    Clock,
    RateMeter,
    Revocations,
    SecurityEventVerifier,
    TaskIds,
    TaskLists,
    TokenVerifier,
)
from application.readiness import CheckReadiness
from application.sessions import EraseAccount, ReceiveSecurityEvent, RevokeSession
from application.tasks import ChangeTask, CompleteTask, CreateTask, DeleteTask, GetTask, ListTasks, RestoreTask
from domain.audit import AuditEvent, AuditKind
from entrypoints.background import Background
from entrypoints.settings import Settings
from entrypoints.token_rules import longest_life, token_rules


class Adapters(Provider):
    """What lives as long as the process. Nothing here connects before it is used."""

    scope = Scope.APP
    settings = from_context(Settings)
    clock = provide(SystemClock, provides=Clock)
    ids = provide(RandomTaskIds, provides=TaskIds)

    @provide
    def kept_revocations(self, settings: Settings, database: Database) -> SqlRevocations:
        """What was revoked, in that database and known by heart."""
        return SqlRevocations(database, longest_life(settings), settings.revocation_max_stale)

    @provide
    def revocations(self, kept: SqlRevocations) -> Revocations:
        """The same, as the use cases know it."""
        return kept

    @provide
    def kept_audit(self, database: Database, ids: TaskIds) -> SqlAuditLog:
        """Who did what, in that database."""
        return SqlAuditLog(database, ids)

    @provide
    def audit(self, kept: SqlAuditLog) -> AuditLog:
        """The same, in the log as well, and no more than one can read."""
        return ThinnedAudit(LoggedAudit(kept))

    @provide
    def background(
        self, settings: Settings, database: Database, revocations: SqlRevocations, audit: SqlAuditLog
    ) -> Background:
        """What goes on beside the requests."""
        upkeep = AuditUpkeep(SqlAuditTrail(database), timedelta(seconds=settings.audit_retention))
        return Background((RevocationFeed(database, revocations), audit, upkeep))

    @provide
    def security_events(self, settings: Settings, keys: RemoteKeySet, turns: Turns) -> SecurityEventVerifier:
        """Verifies what the issuer tells of its sessions."""
        return JwtSecurityEvents(keys, token_rules(settings), turns=turns)

    @provide
    def turns(self) -> Turns:
        """Whose signature is checked next, whatever brought it."""
        return Turns()

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
    async def keys(self, settings: Settings, audit: AuditLog, clock: Clock) -> AsyncIterator[RemoteKeySet]:
        """The issuer's keys; a fetch in flight ends with the process."""
        times = KeyCacheTimes(ttl=settings.jwks_ttl, cooldown=settings.jwks_cooldown, max_stale=settings.jwks_max_stale)

        def note_change(count: int) -> None:
            audit.record(AuditEvent(kind=AuditKind.KEYS_CHANGED, at=clock.now(), reason=f"keys: {count}"))

        async with key_set_client() as client:
            keys = RemoteKeySet(HttpKeySet(client, settings.jwks_url), times, on_change=note_change)
            yield keys
            await keys.close()

    @provide
    def verifier(self, settings: Settings, keys: RemoteKeySet, turns: Turns) -> TokenVerifier:
        """Verifies tokens of the configured issuer, for the configured audience."""
        return JwtVerifier(keys, token_rules(settings), turns=turns)

    @provide
    async def meter(self, settings: Settings) -> AsyncIterator[RateMeter]:
        """Counts each user's and each address's requests, where the settings say."""
        alone = MemoryRateMeter()
        if settings.limits_store is None:
            yield alone
            return
        from adapters.limits.shared import shared_rate_meter  # noqa: PLC0415  (half a second that few need)

        async with shared_rate_meter(settings.limits_store, alone) as shared:
            yield shared

    @provide
    def limit_requests(self, settings: Settings, meter: RateMeter, audit: AuditLog, clock: Clock) -> LimitRequests:
        """The limits of the settings."""
        return LimitRequests(settings.rate_limit, settings.address_rate_limit, meter, audit, clock)

    @provide
    def readiness(
        self, settings: Settings, database: Database, keys: RemoteKeySet, revocations: SqlRevocations
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
