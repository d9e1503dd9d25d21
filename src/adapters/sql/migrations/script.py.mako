"""${message}"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

# Row-level security is forced on the tables' owner, too: a migration that reads or changes rows lifts it, as 0006 does.
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
