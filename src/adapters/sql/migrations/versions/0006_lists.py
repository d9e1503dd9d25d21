"""A list refuses the tokens from before its account was purged."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the instant of the purge; no list has one."""
    op.add_column("task_lists", sa.Column("purged_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Forget it."""
    op.drop_column("task_lists", "purged_at")
