"""A migration adds what the version before does not notice; what it takes away has to be unused since a version.

Nor does it keep readers waiting while it changes rows.
"""

import ast
import re
from pathlib import Path

import pytest

import adapters.sql.migrations.versions

FOLDER = Path(next(iter(adapters.sql.migrations.versions.__path__)))
FIRST_RELEASE = "0006"
"""Migrations up to this one were made before anybody could have had an earlier version."""
_TAKES_AWAY = {"drop_table", "drop_column", "alter_column", "rename_table"}
_TAKES_AWAY_IN_SQL = re.compile(
    r"\b(DROP (TABLE|COLUMN|FUNCTION)|RENAME|ALTER COLUMN|SET NOT NULL|TRUNCATE|LOCK TABLE"
    r"|(NO )?FORCE ROW LEVEL SECURITY)\b",
    re.IGNORECASE,
)


def taken_away(source: str) -> list[str]:
    """What a migration's upgrade takes away or changes, unless it names the version that stopped using it."""
    module = ast.parse(source)
    names = {
        target.id
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    if "unused_since" in names:
        return []
    downgrade = next(
        (node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == "downgrade"), None
    )
    skipped = set(ast.walk(downgrade)) if downgrade else set()
    found = []
    for node in ast.walk(module):
        if node in skipped:
            continue
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _TAKES_AWAY:
            found.append(node.func.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += [match[0] for match in _TAKES_AWAY_IN_SQL.finditer(node.value)]
    return found


@pytest.mark.parametrize("migration", sorted(FOLDER.glob("[0-9]*.py")), ids=lambda path: path.stem)
def test_a_migration_takes_nothing_from_the_version_before(migration: Path) -> None:
    assert migration.stem[:4] <= FIRST_RELEASE or taken_away(migration.read_text()) == []


@pytest.mark.parametrize(
    ("upgrade", "found"),
    [
        ("op.add_column('tasks', sa.Column('colour', sa.Text))", []),
        ("op.execute('CREATE INDEX CONCURRENTLY i ON tasks (owner_id)')", []),
        ("op.drop_column('tasks', 'title')", ["drop_column"]),
        ("op.alter_column('tasks', 'title', nullable=False)", ["alter_column"]),
        ("op.execute('ALTER TABLE tasks RENAME title TO name')", ["RENAME"]),
        ("op.execute('alter table tasks drop column title')", ["drop column"]),
        ("op.execute('ALTER TABLE tasks NO FORCE ROW LEVEL SECURITY')", ["NO FORCE ROW LEVEL SECURITY"]),
        ("op.execute('LOCK TABLE tasks')", ["LOCK TABLE"]),
    ],
)
def test_what_would_break_it_is_found(upgrade: str, found: list[str]) -> None:
    source = f"def upgrade():\n    {upgrade}\n\ndef downgrade():\n    op.drop_column('tasks', 'colour')\n"
    assert taken_away(source) == found
    assert taken_away(f"unused_since = '0.2.0'\n{source}") == []
