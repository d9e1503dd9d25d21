"""The rules of tasks and lists as one check of each table, which asks a function.

PostgreSQL reads and plans the text of a table's checks again for each statement that writes: that was a third of its
time for a new task. A function's text is read once for each connection. The rules stay the same, so that rows that are
there already need not be read again under the table's lock (NOT VALID).
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# What titles are trimmed of: every character for which Python's str.isspace is true.
_BLANKS = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)

_OWNER = "length(owner_id) BETWEEN 1 AND 255"
_COUNTS = "revision >= horizon AND horizon >= 0 AND size >= 0"
_DESCRIPTION = "length(description) <= 2000"
_TITLE = "length(title) BETWEEN 1 AND 255 AND btrim(title, '{blanks}') = title"
_TITLE_BEFORE = "length(title) BETWEEN 1 AND 255 AND ltrim(rtrim(title, '{blanks}'), '{blanks}') = title"

# Table, its check and function, the function's parameters, and what it says. Statements lock `tasks` first, as this.
_RULES = (
    (
        "tasks",
        "is_task",
        "owner_id text, title varchar, description text, revision bigint",
        f"{_OWNER} AND {_TITLE} AND {_DESCRIPTION} AND revision >= 1",
    ),
    (
        "task_lists",
        "is_task_list",
        "owner_id text, revision bigint, horizon bigint, size integer",
        f"{_OWNER} AND {_COUNTS}",
    ),
)
_BEFORE = {
    "task_lists": {"task_lists_owner_id": _OWNER, "task_lists_counts": _COUNTS},
    "tasks": {
        "tasks_owner_id": _OWNER,
        "tasks_title": _TITLE_BEFORE,
        "tasks_description": _DESCRIPTION,
        "tasks_revision": "revision >= 1",
    },
}


def upgrade() -> None:
    """Ask the functions from now on; where rows are on several servers, whose functions are others, all stays."""
    if not _is_alone():
        return
    for table, name, parameters, rules in _RULES:
        said = rules.format(blanks=_BLANKS)
        op.execute(
            sa.text(
                f"CREATE FUNCTION {name}({parameters}) RETURNS boolean"
                f" LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$ BEGIN RETURN {said}; END $$"
            )
        )
        op.execute(f"GRANT EXECUTE ON FUNCTION {name} TO PUBLIC")  # every role that writes calls it; it reads nothing
        asked = ", ".join(one.split()[0] for one in parameters.split(", "))
        dropped = "".join(f", DROP CONSTRAINT {one}" for one in _BEFORE[table])
        has_rows = op.get_bind().execute(sa.text(f"SELECT pg_relation_size('{table}') > 0")).scalar_one()
        later = " NOT VALID" if has_rows else ""
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({name}({asked})){later}{dropped}")


def downgrade() -> None:
    """The checks of before."""
    if not _is_alone():
        return
    for table, name, _, _ in _RULES:
        added = "".join(
            f", ADD CONSTRAINT {one} CHECK ({rule.format(blanks=_BLANKS)})" for one, rule in _BEFORE[table].items()
        )
        op.execute(sa.text(f"ALTER TABLE {table} DROP CONSTRAINT {name}{added}"))
        op.execute(f"DROP FUNCTION {name}")


def _is_alone() -> bool:
    """Whether this is PostgreSQL without the extension that distributes rows."""
    if op.get_context().dialect.name != "postgresql":
        return False
    has_citus = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')"
    return not op.get_bind().execute(sa.text(has_citus)).scalar_one()
