"""How many statements each call costs: none that it does not need."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.sql.database import Database
from tests.support.api import Api, replacing, running
from tests.support.pgbouncer import DIRECT

LIST = "/api/alice/tasks"
ROW = r"^\| ([^|]+) \| (\d+) \| (\d+) \|$"
KEY = {"Idempotency-Key": "k-1"}
STALE = {"If-Match": '"99"'}

# Call, how it is made, and what it costs on PostgreSQL and on SQLite, on top of BEGIN and COMMIT.
COSTS: list[tuple[str, str, str, dict[str, Any], tuple[int, int]]] = [
    ("get a task", "GET", "{one}", {}, (1, 1)),
    ("get a task, unchanged", "GET", "{one}", {"headers": {"If-None-Match": '"1"'}}, (1, 1)),
    ("list", "GET", LIST, {}, (1, 1)),
    ("list, no task", "GET", "/api/bob/tasks", {"user": "bob"}, (1, 1)),
    ("list, unchanged", "GET", LIST, {"headers": {"If-None-Match": '"1"'}}, (1, 1)),
    ("list, changed", "GET", LIST, {"headers": {"If-None-Match": '"0"'}}, (1, 1)),
    ("changes", "GET", f"{LIST}/changes", {}, (1, 1)),
    ("create", "POST", LIST, {"json": {"title": "Bread"}}, (1, 2)),
    ("create, with a key", "POST", LIST, {"json": {"title": "Bread"}, "headers": KEY}, (1, 4)),
    ("update", "PUT", "{one}", {"json": {"title": "Bread"}}, (2, 3)),
    ("update, no difference", "PUT", "{one}", {"json": {}}, (1, 2)),
    ("update, changed elsewhere", "PUT", "{one}", {"json": {}, "headers": STALE}, (1, 2)),
    ("complete", "PATCH", "{one}/complete", {}, (2, 3)),
    ("delete", "DELETE", "{one}", {}, (2, 3)),
    ("delete, no such task", "DELETE", f"{LIST}/x", {}, (0, 0)),
    ("restore", "POST", "{gone}/restore", {}, (2, 3)),
    ("restore, not deleted", "POST", "{one}/restore", {}, (1, 2)),
    ("another's list", "GET", "/api/bob/tasks", {}, (0, 0)),
    ("a bad body", "POST", LIST, {"json": {}}, (0, 0)),
    ("a bad title", "PUT", "{one}", {"json": {"title": " "}}, (0, 0)),
    ("a bad token", "GET", LIST, {"headers": {"Authorization": "Bearer x"}}, (0, 0)),
    ("health", "GET", "/health", {}, (0, 0)),
]


@asynccontextmanager
async def watched(database: Database, **env: str) -> AsyncIterator[Api]:
    async with running(replacing(Database, database), **env) as api:
        yield api


@DIRECT
@pytest.mark.parametrize(("what", "method", "path", "more", "expected"), COSTS, ids=[cost[0] for cost in COSTS])
async def test_a_call_costs_its_statements_and_no_more(
    database: Database,
    statements: list[str],
    what: str,
    method: str,
    path: str,
    more: dict[str, Any],
    expected: tuple[int, int],
) -> None:
    del what
    async with watched(database) as api:
        one = f"{LIST}/{(await api.task())['id']}"
        if path.startswith("{gone}"):
            await api("DELETE", one)
        statements.clear()
        await api(method, path.format(one=one, gone=one), **more)
        assert len(statements) == expected[database.dialect == "sqlite"], statements


def test_the_documented_costs_are_these() -> None:
    page = (Path(__file__).parents[3] / "docs" / "performance.md").read_text()
    rows = {what: (int(first), int(second)) for what, first, second in re.findall(ROW, page, re.MULTILINE)}
    assert rows == {what: expected for what, _, _, _, expected in COSTS}
