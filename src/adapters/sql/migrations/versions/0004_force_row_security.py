"""The tables' owner is held by the policies, too. Of its own: a sharded PostgreSQL can't move forced tables online."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TABLES = ("task_lists", "tasks")


def upgrade() -> None:
    """Hold the owner, too."""
    _alter("FORCE")


def downgrade() -> None:
    """Let the owner see all."""
    _alter("NO FORCE")


def _alter(how: str) -> None:
    if op.get_context().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(f"ALTER TABLE {table} {how} ROW LEVEL SECURITY")
