"""A new version takes the place of an old one: both on one database, under load, and no request fails.

There is one version here. What the new one brings is a migration's change of the tables, of the kind that
docs/upgrading.md allows; the old processes go on with it, as they have to.
"""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from attrs import define, field

from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.postgres import SERVICE, as_role, execute
from tests.support.service import Service, eventually, evo_todo, running

USERS = [f"user-{number}" for number in range(8)]
NEXT_VERSION = (
    "ALTER TABLE tasks ADD COLUMN colour text, ADD COLUMN pinned boolean NOT NULL DEFAULT false",
    "ALTER TABLE task_lists ADD COLUMN name text",
    "CREATE TABLE labels (owner_id text, id uuid, name text NOT NULL, PRIMARY KEY (owner_id, id))",
    "CREATE INDEX CONCURRENTLY tasks_by_colour ON tasks (owner_id, colour)",
    "ALTER TABLE tasks ADD CONSTRAINT tasks_colour CHECK (length(colour) < 30) NOT VALID",
)


@define
class Load:
    """Clients that a proxy spreads over the processes which are in it."""

    issuer: LoopbackIssuer
    proxied: list[Service] = field(factory=list)
    answers: "Counter[int]" = field(factory=Counter)
    failures: list[str] = field(factory=list)
    stored: dict[str, str] = field(factory=dict)
    """Acknowledged tasks, and whose they are."""
    _is_over: threading.Event = field(factory=threading.Event)

    def work(self, user: str) -> None:
        token, own = self.issuer.token(user), f"/api/{user}/tasks"
        with ExitStack() as stack:
            clients: dict[int, httpx.Client] = {}
            while not self._is_over.is_set():
                service = random.choice(self.proxied)
                if service.port not in clients:
                    clients[service.port] = stack.enter_context(service.client(token))
                try:
                    self.call(clients[service.port], own, user)
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                time.sleep(0.005)  # what a client does between two requests

    def call(self, client: httpx.Client, own: str, user: str) -> None:
        created = client.post(own, json={"title": "Buy milk"})
        self.answers[created.status_code] += 1
        if created.status_code == 201:
            self.stored[created.json()["id"]] = user
            task = created.headers["Location"]
            for answer in (client.get(task), client.patch(f"{task}/complete"), client.get(own, params={"limit": "5"})):
                self.answers[answer.status_code] += 1

    @contextmanager
    def going_on(self) -> Iterator[None]:
        threads = [threading.Thread(target=self.work, args=(user,), daemon=True) for user in USERS]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join(60)
                assert not thread.is_alive()

    def some_more(self) -> None:
        """Wait until some hundred more requests were answered."""
        before = self.answers.total()
        eventually(lambda: self.failures or self.answers.total() > before + 200)


@pytest.fixture
def address(migrated_postgres_url: str) -> str:
    return as_role(migrated_postgres_url, SERVICE)


def test_an_update_and_the_way_back_under_load_fail_no_request(
    address: str, migrated_postgres_url: str, own_issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": address} | own_issuer.settings
    load = Load(own_issuer)

    def replace(stack: ExitStack) -> None:
        """One process after the other, as docs/upgrading.md has it."""
        for old in [*load.proxied]:
            new = stack.enter_context(running("serve", folder=tmp_path, settings=settings))
            eventually(lambda: new.get("/readyz").status_code == 200)  # noqa: B023  (called at once)
            load.proxied.append(new)
            load.proxied.remove(old)
            load.some_more()  # nobody has begun a request to the old one since
            assert old.stop() in {0, -signal.SIGTERM, 128 + signal.SIGTERM}
            load.some_more()

    with ExitStack() as stack:
        load.proxied += [stack.enter_context(running("serve", folder=tmp_path, settings=settings)) for _ in range(2)]
        with load.going_on():
            load.some_more()
            execute(migrated_postgres_url, *NEXT_VERSION)
            load.some_more()
            replace(stack)
            replace(stack)  # and back, on the newer tables
        assert load.failures == []
        assert set(load.answers) == {200, 201}
        for user in USERS:
            found = stack.enter_context(load.proxied[0].client(own_issuer.token(user)))
            kept: set[str] = set()
            path: str | None = f"/api/{user}/tasks"
            while path is not None:
                page = found.get(path)
                kept |= {task["id"] for task in page.json()["data"]}
                path = page.links["next"]["url"] if "next" in page.links else None
            assert {task for task, owner in load.stored.items() if owner == user} <= kept


def test_on_older_tables_it_is_not_ready_and_recovers_by_itself(
    postgres_url: str, own_issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": postgres_url} | own_issuer.settings
    with (
        running("serve", folder=tmp_path, settings=settings) as service,
        service.client(own_issuer.token("alice")) as client,
    ):
        answers = [
            client.get("/api/alice/tasks"),
            client.post("/api/alice/tasks", json={"title": "Buy milk"}),
            client.get("/api/alice/tasks/changes"),
        ]
        assert {(answer.status_code, "Retry-After" in answer.headers) for answer in answers} == {(503, True)}
        assert "evo-todo migrate" in service.get("/readyz").text
        assert evo_todo("migrate", folder=tmp_path, settings={"DATABASE_URL": postgres_url}).returncode == 0
        eventually(lambda: service.get("/readyz").status_code == 200)
        eventually(lambda: client.post("/api/alice/tasks", json={"title": "Buy milk"}).status_code == 201)
