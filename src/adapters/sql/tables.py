"""The tables, and the conversion of rows to tasks.

`owner_id` leads every key of the owners' tables and every statement names it, so that one owner's rows are stored
together and the same schema can be sharded by owner. There are no foreign keys. The checks, which say what the domain
says of a stored task, are in the migrations alone.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.types import TypeDecorator

from domain.identity import MAX_SESSION_ID, MAX_USER_ID, UserId
from domain.task import MAX_TITLE, Task


class UtcDateTime(TypeDecorator[datetime]):
    """An instant with a time zone. SQLite has no time zones: there it is stored in UTC, without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: D102
        return value.replace(tzinfo=None) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: D102
        return value.replace(tzinfo=UTC) if value is not None and dialect.name == "sqlite" else value


metadata = MetaData()

_EPOCH: Final = "1970-01-01 00:00:00.000000"

task_lists = Table(
    "task_lists",
    metadata,
    Column("owner_id", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    # When the account was purged: tokens issued up to then may not change the list, whatever a worker knows of them.
    Column("purged_at", UtcDateTime),
    # The latest `updated_at` of a task or tombstone.
    Column("changed_at", UtcDateTime, nullable=False, server_default=_EPOCH),
    # How many tasks and tombstones it has.
    Column("size", Integer, nullable=False, server_default="0"),
    # The highest revision of a tombstone that was purged: changes since an earlier one are no longer known.
    Column("horizon", BigInteger, nullable=False, server_default="0"),
)

tasks = Table(
    "tasks",
    metadata,
    Column("owner_id", Text, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("title", String(MAX_TITLE), nullable=False),
    Column("description", Text),
    Column("completed", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    Column("revision", BigInteger, nullable=False),
    # Case-folded by the domain: databases fold letters in different ways.
    Column("search_text", Text, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("owner_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    # A digest of the request that the key came with.
    Column("request", LargeBinary, nullable=False),
    # The task that it created, as it was then; its title and description are in the request.
    Column("task_id", Uuid, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("revision", BigInteger, nullable=False),
)

revocations = Table(
    "revocations",
    metadata,
    Column("user_id", String(MAX_USER_ID), primary_key=True),
    # Empty: every session of the user, for tokens issued up to `revoked_at`.
    Column("session_id", String(MAX_SESSION_ID), primary_key=True),
    Column("revoked_at", UtcDateTime, nullable=False),
    # When the last token that this can match has expired.
    Column("expires_at", UtcDateTime, nullable=False),
    # By the database's clock: the poll reads the rows that are new by it.
    Column("recorded_at", UtcDateTime, nullable=False),
)
Index("revocations_by_record", revocations.c.recorded_at)
Index("revocations_by_expiry", revocations.c.expires_at)

audit_events = Table(
    "audit_events",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("user_id", String(MAX_USER_ID)),
    Column("session_id", String(MAX_SESSION_ID)),
    Column("request_id", String(64)),
    Column("peer", String(64)),
    Column("reason", String(255)),
    Column("token_digest", String(16)),
)
Index("audit_events_by_time", audit_events.c.at, audit_events.c.id)
Index("audit_events_by_user", audit_events.c.user_id, audit_events.c.at, audit_events.c.id)

_LIVE = text("deleted_at IS NULL")

# A task has the revision of its last change, and `updated_at` never runs backwards within a list: this order is both.
Index(
    "tasks_by_revision",
    tasks.c.owner_id,
    tasks.c.revision,
    postgresql_where=_LIVE,
    sqlite_where=_LIVE,
)
Index(
    "tasks_by_completion",
    tasks.c.owner_id,
    tasks.c.completed,
    tasks.c.id,
    postgresql_where=_LIVE,
    sqlite_where=_LIVE,
)

_DELETED = text("deleted_at IS NOT NULL")
Index(
    "tombstones_by_revision",
    tasks.c.owner_id,
    tasks.c.revision,
    tasks.c.deleted_at,
    postgresql_where=_DELETED,
    sqlite_where=_DELETED,
)

TASK_COLUMNS = [column for column in tasks.c if column.name not in {"owner_id", "search_text"}]
"""The columns that are read of a task, whose owner the reader knows."""


def row_to_task(owner: UserId, row: Sequence[Any]) -> Task:
    """The owner's task from a row of TASK_COLUMNS."""
    return Task(owner, *row)
