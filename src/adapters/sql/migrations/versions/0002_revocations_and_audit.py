"""Revocations, and the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "revocations",
        sa.Column("user_id", sa.String(255), primary_key=True),
        sa.Column("session_id", sa.String(255), primary_key=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("revocations_by_record", "revocations", ["recorded_at"])
    op.create_index("revocations_by_expiry", "revocations", ["expires_at"])
    op.create_table(
        "audit_events",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("user_id", sa.String(255)),
        sa.Column("session_id", sa.String(255)),
        sa.Column("request_id", sa.String(64)),
        sa.Column("peer", sa.String(64)),
        sa.Column("reason", sa.String(255)),
        sa.Column("token_digest", sa.String(16)),
    )
    op.create_index("audit_events_by_time", "audit_events", ["at", "id"])
    op.create_index("audit_events_by_user", "audit_events", ["user_id", "at", "id"])


def downgrade() -> None:
    """Drop both tables: revoked tokens are valid again."""
    op.drop_table("audit_events")
    op.drop_table("revocations")
