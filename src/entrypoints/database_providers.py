"""Which adapters on the database implement which ports, and what they need of the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NewType

from dishka import Provider, Scope, alias, provide

from adapters.sql.audit import SqlAuditLog, SqlAuditTrail
from adapters.sql.database import Database, connect
from adapters.sql.notifications import Listener, PostgresChangeFeed, SqliteChangeFeed
from adapters.sql.replica import Replica, Replicated
from adapters.sql.replicated_lists import ReplicatedTaskLists
from adapters.sql.retention import AuditRetention, ListRetention
from adapters.sql.revocation_sync import RevocationSync
from adapters.sql.revocations import SqlRevocations
from adapters.sql.task_lists import SqlTaskLists
from application.background import BackgroundWork
from application.change_feed import ChangeFeed
from application.ports import IdGenerator, Revocations, TaskLists
from entrypoints.settings import Settings

Notifications = NewType("Notifications", tuple[Listener | None, PostgresChangeFeed | SqliteChangeFeed])
"""PostgreSQL's notifications, and the change feed that they serve."""


class DatabaseAdapters(Provider):
    """Adapters on the database, one instance per process. None connects before it is used."""

    scope = Scope.APP
    revocations = alias(source=SqlRevocations, provides=Revocations)

    @provide
    async def database(self, settings: Settings) -> AsyncIterator[Database]:
        """The database; its connections are closed when the container is."""
        async with opened_database(settings) as database:
            yield database

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
    def sql_revocations(self, settings: Settings, database: Database) -> SqlRevocations:
        """Revocations in the database, held in memory."""
        return SqlRevocations(database, settings.token_rules.lifetimes, settings.revocation_max_stale)

    @provide
    def sql_audit(self, database: Database, ids: IdGenerator) -> SqlAuditLog:
        """The audit log's table."""
        return SqlAuditLog(database, ids)

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


@asynccontextmanager
async def opened_database(settings: Settings) -> AsyncIterator[Database]:
    """The database of the settings, whose connections are closed at the end.

    Raises:
        ValueError: no address is set.
    """
    if settings.database_url is None:
        raise ValueError("DATABASE_URL is not set")
    database = connect(
        settings.database_url,
        is_pipelined=settings.pipeline,
        prepared_statements=settings.prepared_statements,
        is_sharded=settings.sharded,
    )
    try:
        yield database
    finally:
        await database.dispose()
