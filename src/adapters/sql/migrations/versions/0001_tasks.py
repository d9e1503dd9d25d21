"""Lists and their tasks."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_LIVING = sa.text("deleted_at IS NULL")


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "task_lists",
        sa.Column("owner_id", sa.String(255), primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "tasks",
        sa.Column("owner_id", sa.String(255), primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("completed", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("search_text", sa.Text, nullable=False),
    )
    for name, column in (("tasks_by_update", "updated_at"), ("tasks_by_completion", "completed")):
        op.create_index(name, "tasks", ["owner_id", column, "id"], postgresql_where=_LIVING, sqlite_where=_LIVING)


def downgrade() -> None:
    """Drop both tables, and every task with them."""
    op.drop_table("tasks")
    op.drop_table("task_lists")
