"""Whose tombstones are old, without reading every task."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_DELETED = sa.text("deleted_at IS NOT NULL")


def upgrade() -> None:
    """Index the tombstones, and nothing else."""
    op.create_index(
        "tasks_by_deletion",
        "tasks",
        ["owner_id", "deleted_at"],
        postgresql_where=_DELETED,
        sqlite_where=_DELETED,
    )


def downgrade() -> None:
    """Drop the index."""
    op.drop_index("tasks_by_deletion", "tasks")
