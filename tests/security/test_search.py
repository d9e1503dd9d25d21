"""V1 and V6: no search and no long list of one user costs another one an answer, or the service its memory."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import text

from adapters.sql.database import SEARCHERS, Database
from domain.task_list import MAX_PAGE_BYTES
from tests.integration.http.test_statements import watched
from tests.support.api import Api

LIST, OTHER = "/api/alice/tasks", "/api/bob/tasks"
FILL = """
    INSERT INTO tasks (owner_id, id, title, description, completed, created_at, updated_at, revision, search_text)
    SELECT 'alice', lpad(to_hex(n), 32, '0')::uuid, 'x', repeat('a', 2000), false, now(), now(), n,
           'x' || chr(10) || repeat('a', 2000)
    FROM generate_series(1, 40000) n
"""
SEARCHING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE state = 'active' AND query LIKE 'WITH me %%' AND pid <> pg_backend_pid() AND datname = current_database()
"""
SLOW = ["a" * 254 + "b", "b" + "a" * 254, "ab" * 127 + "c", " ".join(["b" + "a" * 30] * 8), "aa ba ca zzz"]
"""Searches that find nothing, or only at the end of every text."""


async def searching(admin: Database) -> int:
    """How many statements on tasks run in PostgreSQL: only searches do, since nobody else's is in progress."""
    async with admin.reads.connect() as connection:
        return int((await connection.exec_driver_sql(SEARCHING)).scalar_one())


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
async def test_v01_no_search_takes_the_database_from_another_user_or_goes_on_without_us(
    database: Database, admin_database: Database
) -> None:
    async with admin_database.writes.begin() as connection:
        await connection.execute(text(FILL))
    most, statuses = 0, Counter[int]()
    async with watched(database, EVO_TODO_RATE_LIMIT="100000/minute") as api:  # bob reads as often as he can
        one = f"{OTHER}/{(await api.task(user='bob'))['id']}"

        async def search(words: str) -> None:
            answer = await api("GET", LIST, params={"q": words, "limit": 1})
            statuses[answer.status_code] += 1
            assert answer.status_code == 200 or int(answer.headers["Retry-After"]) > 0

        async with asyncio.TaskGroup() as tasks:
            attack = [tasks.create_task(search(words)) for words in SLOW * 4]
            while not all(task.done() for task in attack):
                answers = await asyncio.gather(*(api("GET", path, user="bob") for path in (one, OTHER)))
                assert [answer.status_code for answer in answers] == [200, 200]
                most = max(most, await searching(admin_database))
    assert 1 <= most <= SEARCHERS, (most, statuses)
    assert set(statuses) <= {200, 429, 503}
    async with asyncio.timeout(1):
        while await searching(admin_database):  # noqa: ASYNC110  (what is waited for is another process)
            await asyncio.sleep(0.02)


async def test_v06_a_page_is_about_one_mebibyte_whatever_its_tasks_are(api: Api) -> None:
    created = [(await api.task(f"{number}", description="\x01" * 2000))["id"] for number in range(200)]
    path, listed = LIST, []
    while path:
        answer = await api("GET", path)
        assert len(answer.content) <= MAX_PAGE_BYTES + 1000
        page = answer.json()
        assert page["count"] == len(page["data"]) > 0
        listed += [task["id"] for task in page["data"]]
        path = answer.links["next"]["url"] if page["next_cursor"] else ""
    assert listed == created
