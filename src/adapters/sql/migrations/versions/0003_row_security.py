"""Each user sees their own rows only, whatever a statement asks for. PostgreSQL alone knows such a thing."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLES = ("task_lists", "tasks")

# EXECUTE: a sharded PostgreSQL passes SET LOCAL on to its shards, but not what set_config() does.
_FUNCTION = """
CREATE FUNCTION set_user(u text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    EXECUTE format('SET LOCAL app.user_id = %L', u);
    RETURN u;
END
$$
"""

# After a transaction that has set it, the value is empty, not absent: neither is anybody's id.
_MINE = "owner_id = NULLIF(current_setting('app.user_id', true), '')"


def upgrade() -> None:
    """Make the function that says who asks, and the policies that go by it."""
    if op.get_context().dialect.name != "postgresql":
        return
    op.execute(_FUNCTION)
    for table in _TABLES:
        op.execute(f"CREATE POLICY own_rows ON {table} USING ({_MINE}) WITH CHECK ({_MINE})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")


def downgrade() -> None:
    """Take the wall away."""
    if op.get_context().dialect.name != "postgresql":
        return
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        op.execute(f"DROP POLICY own_rows ON {table}")
    op.execute("DROP FUNCTION set_user(text)")
