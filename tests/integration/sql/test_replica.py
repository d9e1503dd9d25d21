"""Reads from a streaming replica: lag and loss cost time, and never show less than was written or seen."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from attrs import frozen
from sqlalchemy import text

from adapters.sql.admin import grant_to, migrate
from adapters.sql.database import Database, connect
from adapters.sql.replica import Replica, ReplicaReadiness
from adapters.sql.replicated_lists import ReplicatedTaskLists
from adapters.sql.retention import SqlTombstones
from adapters.sql.task_lists import SqlTaskLists
from application.ports import TaskLists
from domain.changes import ChangesQuery
from domain.errors import StorageUnavailable, TaskNotFound
from domain.identity import UserId
from domain.task import Revision, Revisions, TaskId
from domain.task_list import NotModified, Order, PageKey, TaskPage, TaskQuery
from tests.contracts.changes import ChangesContract, Purge
from tests.contracts.task_lists import ALICE, START, TaskListsContract, add, edit, erase, get, new, page, revision, save
from tests.support.loopback_issuer import an_issuer
from tests.support.postgres import OWNER, SERVICE, Installation, PostgresServer, as_role, execute, make_roles
from tests.support.service import eventually, evo_todo, running

LISTS = ("task_lists", "tasks", "idempotency_keys")


@frozen
class Servers:
    primary: PostgresServer
    replica: PostgresServer


async def prepare(url: str) -> None:
    database = connect(as_role(url, OWNER))
    await migrate(database)
    async with database.writes.begin() as connection:
        await grant_to(connection, SERVICE)
    await database.dispose()


@pytest.fixture(scope="module")
def servers(postgres_programs: Installation) -> Iterator[Servers]:
    with postgres_programs.server(durable=True) as primary:
        make_roles(primary.url)
        execute(primary.url, f"ALTER DATABASE postgres OWNER TO {OWNER}")
        asyncio.run(prepare(primary.url))
        with postgres_programs.server(durable=True, primary=primary) as replica:
            yield Servers(primary, replica)


async def everything_replayed(servers: Servers) -> None:
    primary, replica = [await asyncpg.connect(server.url) for server in (servers.primary, servers.replica)]
    place = await primary.fetchval("SELECT pg_current_wal_flush_lsn()::text")
    async with asyncio.timeout(60):
        while await replica.fetchval(f"SELECT pg_last_wal_replay_lsn() < '{place}'"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await primary.close()
    await replica.close()


@frozen
class World:
    """A worker with a replica, and another one without, at whose changes the first one does not look."""

    lists: ReplicatedTaskLists
    elsewhere: SqlTaskLists
    on_replica: SqlTaskLists
    replica: Replica
    primary_database: Database
    servers: Servers

    @asynccontextmanager
    async def lag(self) -> AsyncIterator[None]:
        """The replica replays nothing."""
        await everything_replayed(self.servers)
        await self.replica.poll()
        execute(self.servers.replica.url, "SELECT pg_wal_replay_pause()")
        try:
            yield
        finally:
            execute(self.servers.replica.url, "SELECT pg_wal_replay_resume()")


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    execute(servers.primary.url, f"TRUNCATE {', '.join(LISTS)}")
    await everything_replayed(servers)
    database = connect(as_role(servers.primary.url, SERVICE))
    copy = connect(as_role(servers.replica.url, SERVICE), is_replica=True)
    replica = Replica(database, copy)
    await replica.poll()
    primary = SqlTaskLists(database)
    on_replica = SqlTaskLists(copy)
    lists = ReplicatedTaskLists(primary, on_replica, replica)
    yield World(lists, primary, on_replica, replica, database, servers)
    await database.dispose()
    await copy.dispose()


class TestReplicated(TaskListsContract, ChangesContract):
    """The contracts hold although the replica has nothing of what they store."""

    @pytest.fixture
    async def lists(self, world: World) -> AsyncIterator[TaskLists]:
        async with world.lag():
            yield world.lists

    @pytest.fixture
    async def bounded(self, world: World) -> AsyncIterator[TaskLists]:
        async with world.lag():
            yield ReplicatedTaskLists(SqlTaskLists(world.primary_database, 3), world.on_replica, world.replica)

    @pytest.fixture
    def purge(self, world: World) -> Purge:
        return SqlTombstones(world.primary_database).purge_before


async def test_a_replica_that_has_everything_is_read(world: World) -> None:
    task = await add(world.elsewhere, new())
    await everything_replayed(world.servers)
    await world.replica.poll()
    assert await ReplicaReadiness(world.replica).problem() is None
    world.servers.primary.pause()  # so that nobody but the replica can answer
    try:
        assert await get(world.lists, task.id) == task
        assert (await page(world.lists, TaskQuery())).tasks == (task,)
        assert (await page(world.lists, TaskQuery(text="milk"))).tasks == (task,)
        assert (await world.lists.open(ALICE).changes(ChangesQuery())).tasks == (task,)
        assert await revision(world.lists) == 1
    finally:
        world.servers.primary.resume()


async def test_this_workers_changes_are_read_at_once(world: World) -> None:
    task = await add(world.elsewhere, new())
    async with world.lag():
        changed = await save(world.lists, task.toggled(at=START))
        assert await get(world.on_replica, task.id) == task, "the replica is behind"
        assert await get(world.lists, task.id) == changed
        assert (await page(world.lists, TaskQuery())).revision == 2
        await save(world.lists, changed.deleted(at=START))
        with pytest.raises(TaskNotFound):
            await get(world.lists, task.id)
        more = await add(world.lists, new("more"))
        assert (await world.lists.open(ALICE).changes(ChangesQuery())).tasks == (more,)
        await erase(world.lists)
        assert (await page(world.lists, TaskQuery())).tasks == ()


async def test_nobody_is_shown_less_than_they_have_seen_of_another_workers_changes(world: World) -> None:
    task = await add(world.elsewhere, new())
    async with world.lag():
        changed = await save(world.elsewhere, task.toggled(at=START))
        later = await add(world.elsewhere, new("later"))
        alices = world.lists.open(ALICE)
        assert await alices.get(task.id, seen=Revision(2)) == changed
        assert await alices.page(TaskQuery(), known=Revisions(frozenset({Revision(3)}))) == NotModified(Revision(3))
        after = await alices.page(TaskQuery(order=Order.UPDATED, after=PageKey.of(changed, Order.UPDATED)))
        assert isinstance(after, TaskPage)
        assert after.tasks == (later,)
        synced = (await world.elsewhere.open(ALICE).changes(ChangesQuery())).token
        assert (await alices.changes(ChangesQuery(synced))).token == synced
        assert await alices.get(later.id) == later, "what the replica does not have"


async def test_a_plain_read_may_be_as_old_as_the_replica(world: World) -> None:
    task = await add(world.elsewhere, new())
    async with world.lag():
        await save(world.elsewhere, task.toggled(at=START))
        assert await get(world.lists, task.id) == task


async def test_changes_are_remembered_until_the_replica_has_them(world: World) -> None:
    async with world.lag():
        await add(world.lists, new())
        await world.replica.poll()
        assert world.replica.required(ALICE) == 1
    await everything_replayed(world.servers)
    await world.replica.poll()  # notes a place in the log after the change
    await world.replica.poll()
    assert world.replica.required(ALICE) == 0


async def test_a_change_that_may_have_been_stored_counts_as_one(world: World) -> None:
    task = await add(world.elsewhere, new())
    async with world.lag():
        with pytest.raises(ZeroDivisionError):
            async with edit(world.lists) as tasks:
                await tasks.save(task.toggled(at=START))
                raise ZeroDivisionError
        assert world.replica.required(ALICE) > 1
        assert await get(world.lists, task.id) == task


async def test_too_many_remembered_changes_send_every_read_to_the_primary(world: World) -> None:
    async with world.lag():
        world.replica.max_written = 1
        for owner in ("ann", "ben"):
            await add(world.lists, new(owner=UserId(owner)))
        assert world.replica.problem == "it is behind by too many changes"
        await world.replica.poll()
        assert world.replica.problem == "it is behind by too many changes"


async def test_no_more_is_remembered_than_that_and_the_replica_is_read_again_once_it_has_what_was_forgotten(
    world: World,
) -> None:
    async with world.lag():
        world.replica.max_written = 2
        tasks = [await add(world.lists, new(owner=UserId(name))) for name in ("ann", "ben", "cleo", "dan")]
        for _ in range(5):
            await world.replica.poll()
        assert [world.replica.required(task.owner) for task in tasks] == [0, 0, 1, 1]
        assert "too many changes" in (world.replica.problem or "")
        assert await get(world.lists, tasks[0].id, owner=UserId("ann")) == tasks[0]
    await everything_replayed(world.servers)
    await world.replica.poll()  # notes a place in the log after the changes
    await world.replica.poll()
    assert await ReplicaReadiness(world.replica).problem() is None
    assert await get(world.lists, tasks[0].id, owner=UserId("ann")) == tasks[0]


async def test_a_replica_that_is_lost_for_long_costs_no_memory(world: World) -> None:
    nowhere = connect("postgresql://nobody@127.0.0.1:1/none")
    replica = Replica(world.primary_database, nowhere, max_places=10)
    for _ in range(20):
        await replica.poll()
    assert len(replica._places) == 10
    await nowhere.dispose()


async def test_a_replica_that_cannot_be_asked_is_not_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some hosters' servers have no write-ahead log to ask for."""
    monkeypatch.setattr("adapters.sql.replica._REPLAYED", text("SELECT 1 / 0"))
    await world.replica.poll()
    assert "does not say" in (world.replica.problem or "")


async def test_a_replica_that_is_too_far_behind_is_not_read_until_it_has_caught_up(world: World) -> None:
    task = await add(world.elsewhere, new())
    async with world.lag():
        changed = await save(world.elsewhere, task.toggled(at=START))
        world.replica.max_lag = 0.01
        await asyncio.sleep(0.05)
        await world.replica.poll()
        problem = await ReplicaReadiness(world.replica).problem()
        assert problem == "reads go to the primary: it is more than 0.01 s behind"
        assert await get(world.lists, task.id) == changed
    world.replica.max_lag = 60
    await everything_replayed(world.servers)
    await world.replica.poll()
    assert await ReplicaReadiness(world.replica).problem() is None


@pytest.mark.parametrize("how", ["stop", "pause"])
async def test_a_lost_replica_costs_time_and_nothing_else(world: World, how: str) -> None:
    task = await add(world.lists, new())
    await everything_replayed(world.servers)
    await world.replica.poll()
    assert await ReplicaReadiness(world.replica).problem() is None
    getattr(world.servers.replica, how)()
    try:
        assert await asyncio.gather(*(get(world.lists, task.id) for _ in range(20))) == [task] * 20
        for _ in range(2):
            assert await ReplicaReadiness(world.replica).problem() == "reads go to the primary: it does not respond"
            await world.replica.poll()
    finally:
        world.servers.replica.resume()
        if how == "stop":
            world.servers.replica.start()
    async with asyncio.timeout(60):
        while world.replica.problem is not None:
            await world.replica.poll()
            await asyncio.sleep(0.05)
    assert await get(world.lists, task.id) == task


async def test_the_replica_is_read_while_the_primary_is_lost_and_what_it_does_not_have_is_unavailable(
    world: World,
) -> None:
    task = await add(world.elsewhere, new())
    await everything_replayed(world.servers)
    await world.replica.poll()
    world.servers.primary.stop()
    try:
        await world.replica.poll()
        assert world.replica.problem is None
        assert await get(world.lists, task.id) == task
        with pytest.raises(StorageUnavailable):
            await get(world.lists, TaskId(new().id))
        with pytest.raises(StorageUnavailable):
            await world.lists.open(ALICE).get(task.id, seen=Revision(2))
    finally:
        world.servers.primary.start()


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("the primary itself", "names no replica"),
        ("a superuser's", "superuser"),
        ("nobody's", "does not respond"),
    ],
)
async def test_what_is_no_replica_is_not_read(world: World, address: str, problem: str) -> None:
    urls = {
        "the primary itself": as_role(world.servers.primary.url, SERVICE),
        "a superuser's": world.servers.replica.url,
        "nobody's": "postgresql://nobody@127.0.0.1:1/none",
    }
    database = connect(urls[address])
    replica = Replica(world.primary_database, database)
    await replica.poll()
    assert problem in (replica.problem or "")
    await database.dispose()


@pytest.mark.parametrize("has_tables", [True, False])
async def test_another_database_of_the_replica_is_not_read(world: World, *, has_tables: bool) -> None:
    """It is the same server, and has no tables, or those of others."""
    primary = world.servers.primary.url
    execute(primary, f"CREATE DATABASE other OWNER {OWNER}")
    other = urlsplit(world.servers.replica.url)._replace(path="/other").geturl()
    try:
        if has_tables:
            await prepare(urlsplit(primary)._replace(path="/other").geturl())
        await everything_replayed(world.servers)
        database = connect(as_role(other, SERVICE), is_replica=True)
        replica = Replica(world.primary_database, database)
        await replica.poll()
        assert "another database" in (replica.problem or "")
        await database.dispose()
    finally:
        execute(primary, "DROP DATABASE other WITH (FORCE)")


async def test_a_replica_whose_role_may_not_read_the_tables_is_not_read(world: World) -> None:
    execute(world.servers.primary.url, "DROP ROLE IF EXISTS stranger", "CREATE ROLE stranger LOGIN")
    await everything_replayed(world.servers)
    database = connect(as_role(world.servers.replica.url, "stranger"), is_replica=True)
    replica = Replica(world.primary_database, database)
    for _ in range(2):
        await replica.poll()
        assert "may not use the database" in (replica.problem or "")
    await database.dispose()


async def test_a_replica_of_another_server_is_not_read(world: World, postgres_programs: Installation) -> None:
    with postgres_programs.server(durable=True) as other:
        make_roles(other.url)
        database = connect(as_role(other.url, SERVICE))
        replica = Replica(database, connect(as_role(world.servers.replica.url, SERVICE), is_replica=True))
        await replica.poll()
        assert "another server" in (replica.problem or "")
        await database.dispose()
        await replica._replica.dispose()


def test_the_doctor_says_whether_a_replica_would_be_read(servers: Servers, tmp_path: Path) -> None:
    primary, replica = (as_role(server.url, SERVICE) for server in (servers.primary, servers.replica))

    def check(read_url: str) -> tuple[str, str, str]:
        settings = {"DATABASE_URL": primary, "EVO_TODO_READ_URL": read_url}
        ended = evo_todo("doctor", "--json", folder=tmp_path, settings=settings)
        assert ended.stderr == ""
        [found] = [one for one in json.loads(ended.stdout)["checks"] if one["name"] == "replica"]
        return found["status"], found["detail"], found["advice"] or ""

    status, detail, _ = check(replica)
    assert (status, "s behind" in detail) == ("ok", True)
    for read_url, problem in (
        (primary, "names no replica"),
        (servers.replica.url, "superuser"),
        (urlsplit(replica)._replace(path="/template1").geturl(), "another database"),
        ("postgresql://nobody:hunter2@127.0.0.1:1/none", "does not respond"),
    ):
        status, detail, advice = check(read_url)
        assert (status, problem in detail) == ("note", True), detail
        assert "EVO_TODO_READ_URL" in advice
        assert "hunter2" not in detail + advice


def test_a_service_says_whether_it_reads_the_replica(servers: Servers, tmp_path: Path) -> None:
    settings = {
        "DATABASE_URL": as_role(servers.primary.url, SERVICE),
        "EVO_TODO_READ_URL": as_role(servers.replica.url, SERVICE),
    }
    with an_issuer() as issuer, running("serve", folder=tmp_path, settings=settings | issuer.settings) as service:

        def replica() -> str:
            found = service.get("/readyz")
            assert found.status_code == 200, found.text
            return str(found.json()["checks"]["replica"])

        eventually(lambda: replica() == "ok")
        with service.client(issuer.token("alice")) as client:
            location = client.post("/api/alice/tasks", json={"title": "Buy milk"}).headers["Location"]
            servers.replica.pause()
            try:
                assert client.get(location).status_code == 200
                assert client.get("/api/alice/tasks").json()["count"] == 1
                eventually(lambda: replica() == "reads go to the primary: it does not respond")
            finally:
                servers.replica.resume()
            eventually(lambda: replica() == "ok")
            assert client.get(location).status_code == 200
