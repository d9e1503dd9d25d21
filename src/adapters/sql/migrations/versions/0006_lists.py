"""What a list knows of itself, tasks in the order of revisions, idempotency keys, and the domain's rules as checks."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_OWNED = ("task_lists", "tasks")
_LIVE, _DELETED = sa.text("deleted_at IS NULL"), sa.text("deleted_at IS NOT NULL")
_EPOCH = "1970-01-01 00:00:00.000000"  # before every change

# What titles are trimmed of: every character for which Python's str.isspace is true.
_BLANKS = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)

_CHECKS = {
    "task_lists": {
        "task_lists_owner_id": "length(owner_id) BETWEEN 1 AND 255",
        "task_lists_counts": "revision >= horizon AND horizon >= 0 AND size >= 0",
    },
    "tasks": {
        "tasks_owner_id": "length(owner_id) BETWEEN 1 AND 255",
        "tasks_title": f"length(title) BETWEEN 1 AND 255 AND ltrim(rtrim(title, '{_BLANKS}'), '{_BLANKS}') = title",
        "tasks_description": "length(description) <= 2000",
        "tasks_revision": "revision >= 1",
    },
}
# What PostgreSQL's types say by themselves.
_SQLITE_CHECKS = {
    "task_lists": {},
    "tasks": {
        "tasks_id": "length(id) = 32 AND id NOT GLOB '*[^0-9a-f]*'",
        "tasks_completed": "completed IN (0, 1)",
        "tasks_text": "instr(title, char(0)) = 0 AND coalesce(instr(description, char(0)), 0) = 0",
    },
}

# A change takes the later of the clock and the list's last change. Machines' clocks differ, so older changes may not.
_IN_ORDER = """
UPDATE tasks SET updated_at = later.at, deleted_at = CASE WHEN deleted_at IS NULL THEN NULL ELSE later.at END
FROM (SELECT owner_id, id, max(updated_at) OVER (PARTITION BY owner_id ORDER BY revision) AS at FROM tasks) AS later
WHERE tasks.owner_id = later.owner_id AND tasks.id = later.id AND tasks.updated_at < later.at
"""
_COUNTED = """
UPDATE task_lists SET changed_at = known.at, size = known.size
FROM (SELECT owner_id, max(updated_at) AS at, count(*) AS size FROM tasks GROUP BY owner_id) AS known
WHERE task_lists.owner_id = known.owner_id
"""

# Whose lists there are, and nothing of their tasks, for the purge alone: no request sets this.
_PURGING = """
CREATE POLICY purging ON task_lists FOR SELECT USING (current_setting('app.purging', true) = 'on')
"""
_MINE = "owner_id = NULLIF(current_setting('app.user_id', true), '')"


def upgrade() -> None:
    """Fill in what each list knows, from its tasks."""
    with _every_row() as is_forced:
        op.add_column("task_lists", sa.Column("purged_at", sa.DateTime(timezone=True)))
        op.add_column(
            "task_lists", sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False, server_default=_EPOCH)
        )
        op.add_column("task_lists", sa.Column("size", sa.Integer, nullable=False, server_default="0"))
        op.add_column("task_lists", sa.Column("horizon", sa.BigInteger, nullable=False, server_default="0"))
        op.execute(_IN_ORDER)
        op.execute(_COUNTED)
        for name in ("tasks_by_update", "tasks_by_completion", "tasks_by_deletion"):
            op.drop_index(name, "tasks")
        _alter(sa.Text(), with_checks=True)
        _index("tasks_by_revision", ["owner_id", "revision"], _LIVE)
        _index("tasks_by_completion", ["owner_id", "completed", "id"], _LIVE)
        _index("tombstones_by_revision", ["owner_id", "revision", "deleted_at"], _DELETED)
        _create_keys(is_forced=is_forced)


def downgrade() -> None:
    """Forget what lists know of themselves, and every idempotency key."""
    with _every_row():
        op.drop_table("idempotency_keys")
        for name in ("tasks_by_revision", "tasks_by_completion", "tombstones_by_revision"):
            op.drop_index(name, "tasks")
        _alter(sa.String(255), with_checks=False)
        for name in ("purged_at", "changed_at", "size", "horizon"):
            op.drop_column("task_lists", name)
        _index("tasks_by_update", ["owner_id", "updated_at", "id"], _LIVE)
        _index("tasks_by_completion", ["owner_id", "completed", "id"], _LIVE)
        _index("tasks_by_deletion", ["owner_id", "deleted_at"], _DELETED)


def _index(name: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, "tasks", columns, postgresql_where=where, sqlite_where=where)


@contextmanager
def _every_row() -> Iterator[bool]:
    """Let the tables' owner see every row; yields whether row-level security was forced on them, and is again."""
    if not _is_postgresql():
        yield False
        return
    forced = "SELECT relforcerowsecurity FROM pg_class WHERE oid = 'tasks'::regclass"
    is_forced = bool(op.get_bind().execute(sa.text(forced)).scalar_one())
    for table in _OWNED:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    yield is_forced
    if is_forced:
        for table in _OWNED:
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def _alter(owner_id: sa.types.TypeEngine[str], *, with_checks: bool) -> None:
    """Change the type of owner_id in both tables, and add or drop the checks."""
    for table in _OWNED:
        if _is_postgresql():
            op.execute(f"DROP POLICY own_rows ON {table}")  # it depends on the column's type
        checks = _CHECKS[table] | ({} if _is_postgresql() else _SQLITE_CHECKS[table])
        with op.batch_alter_table(table) as batch:  # SQLite copies the table
            batch.alter_column("owner_id", type_=owner_id)
            for name, condition in checks.items():
                if with_checks:
                    batch.create_check_constraint(name, sa.text(condition))
                else:
                    batch.drop_constraint(name, type_="check")
        if _is_postgresql():
            op.execute(f"CREATE POLICY own_rows ON {table} USING ({_MINE}) WITH CHECK ({_MINE})")
    if _is_postgresql():
        op.execute(_PURGING if with_checks else "DROP POLICY purging ON task_lists")


def _create_keys(*, is_forced: bool) -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("owner_id", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("request", sa.LargeBinary, nullable=False),
        sa.Column("task_id", sa.Uuid, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.CheckConstraint("length(owner_id) BETWEEN 1 AND 255", "idempotency_keys_owner_id"),
        sa.CheckConstraint("length(key) BETWEEN 1 AND 255", "idempotency_keys_key"),
    )
    if _is_postgresql():
        op.execute(f"CREATE POLICY own_rows ON idempotency_keys USING ({_MINE}) WITH CHECK ({_MINE})")
        op.execute("ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY")
        if is_forced:
            op.execute("ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY")


def _is_postgresql() -> bool:
    return op.get_context().dialect.name == "postgresql"
