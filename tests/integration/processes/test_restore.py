"""A database is lost and restored from a backup: afterwards each client ends with the true list, whatever it knew."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import define, field

from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.postgres import OWNER, SERVICE, Installation, PostgresServer, as_role, execute, make_roles
from tests.support.service import Service, evo_todo, running

TASKS = "/api/alice/tasks"


@define
class Copy:
    """A client that keeps a copy of a list, and a page that it has stored."""

    tasks: dict[str, Any] = field(factory=dict)
    token: str | None = None
    etag: str = ""
    restarts: int = 0
    """How often it had to begin anew."""

    def sync(self, client: httpx.Client) -> None:
        while True:
            answer = client.get(f"{TASKS}/changes", params={} if self.token is None else {"since": self.token})
            if answer.status_code == 410:
                self.tasks, self.token = {}, None
                self.restarts += 1
                continue
            page = answer.raise_for_status().json()
            self.tasks |= {task["id"]: task for task in page["data"]}
            for gone in page["deleted"]:
                self.tasks.pop(gone, None)
            self.token = page["sync_token"]
            if not page["has_more"]:
                break
        self.etag = client.get(TASKS).headers["ETag"]


def first_events(client: httpx.Client, token: str | None) -> list[str]:
    """The names of the first two events of a stream that goes on from a token."""
    names: list[str] = []
    with client.stream("GET", f"{TASKS}/events", headers={"Last-Event-ID": str(token)}) as stream:
        for line in stream.iter_lines():
            if line.startswith("event: "):
                names.append(line.removeprefix("event: "))
            if len(names) == 2:
                break
    return names


def add(client: httpx.Client, title: str) -> httpx.Response:
    return client.post(TASKS, json={"title": title}).raise_for_status()


def add_some(client: httpx.Client, word: str, count: int = 5) -> None:
    for number in range(count):
        add(client, f"{word} {number}")


def change_after_the_backup(client: httpx.Client) -> httpx.Response:
    """What the restored list will not have: new, changed and deleted tasks, and as many changes as there will be."""
    first, second, *_ = client.get(TASKS).json()["data"]
    client.patch(f"{TASKS}/{first['id']}/complete").raise_for_status()
    client.delete(f"{TASKS}/{second['id']}").raise_for_status()
    return add(client, "after the backup")


def check_restored(service: Service, token: str, known: Copy, lost: httpx.Response) -> None:
    """Check a service on the restored database, for a client that has synced before."""
    with service.client(token) as client:
        now = client.get(TASKS, headers={"If-None-Match": known.etag})
        assert now.status_code == 200, "the page that the client has stored is of a list that is gone"
        titles = {task["title"] for task in now.json()["data"]}
        assert titles == {f"before {number}" for number in range(5)}
        assert client.get(lost.headers["Location"]).status_code == 404
        add_some(client, "later", 3)  # as many changes as were lost, so that equal numbers would hide them
        kept = now.json()["data"][0]
        stale = client.patch(
            f"{TASKS}/{kept['id']}",
            json={"title": "x"},
            headers={"If-Match": known.etag, "Content-Type": "application/json"},
        )
        assert stale.status_code == 412
        assert first_events(client, known.token) == ["ready", "reset"]
        known.sync(client)
        assert known.restarts == 1
        assert known.tasks == {task["id"]: task for task in client.get(TASKS).json()["data"]}
        add(client, "and so on")
        known.sync(client)
        assert known.restarts == 1
        assert known.tasks == {task["id"]: task for task in client.get(TASKS).json()["data"]}


def after_restore(settings: dict[str, str], folder: Path) -> None:
    ended = evo_todo("after-restore", folder=folder, settings=settings)
    assert (ended.returncode, ended.stdout) == (0, "lists: 1\n"), ended.stderr


def test_sqlite_is_backed_up_while_it_serves(own_issuer: LoopbackIssuer, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/tasks.db"} | own_issuer.settings
    token, known, backup = own_issuer.token("alice"), Copy(), tmp_path / "backup.db"
    with running("serve", "--migrate", folder=tmp_path, settings=settings) as service, service.client(token) as client:
        add_some(client, "before")
        with closing(sqlite3.connect(tmp_path / "tasks.db")) as source, closing(sqlite3.connect(backup)) as copy:
            source.backup(copy)
        lost = change_after_the_backup(client)
        known.sync(client)
    for file in tmp_path.glob("tasks.db*"):
        file.unlink()
    backup.rename(tmp_path / "tasks.db")
    after_restore(settings, tmp_path)
    with running("serve", folder=tmp_path, settings=settings) as service:
        check_restored(service, token, known, lost)


@pytest.fixture
def settings(own_postgres: PostgresServer, own_issuer: LoopbackIssuer, tmp_path: Path) -> dict[str, str]:
    """Of a service on a database of its own, whose tables exist."""
    migrating = {"DATABASE_URL": as_role(own_postgres.url, OWNER), "EVO_TODO_SERVICE_ROLE": SERVICE}
    migrated = evo_todo("migrate", folder=tmp_path, settings=migrating)
    assert migrated.returncode == 0, migrated.stderr
    return {"DATABASE_URL": as_role(own_postgres.url, SERVICE)} | own_issuer.settings


def test_postgresql_is_dumped_while_it_serves_and_restored_into_a_new_server(
    settings: dict[str, str],
    own_postgres: PostgresServer,
    postgres_programs: Installation,
    own_issuer: LoopbackIssuer,
    tmp_path: Path,
) -> None:
    token, known, dump = own_issuer.token("alice"), Copy(), own_postgres.folder / "dump"
    to = ("--username=postgres", "--host=127.0.0.1")
    with running("serve", folder=tmp_path, settings=settings) as service, service.client(token) as client:
        add_some(client, "before")
        whole = (f"--port={own_postgres.port}", "--format=custom", f"--file={dump}", "postgres")
        own_postgres.run("pg_dump", *to, *whole)
        lost = change_after_the_backup(client)
        known.sync(client)
    with postgres_programs.server(durable=True) as new:
        make_roles(new.url)
        new.run("pg_restore", *to, f"--port={new.port}", "--exit-on-error", "--dbname=postgres", dump)
        there = settings | {"DATABASE_URL": as_role(new.url, SERVICE)}
        after_restore(there, tmp_path)
        with running("serve", folder=tmp_path, settings=there) as service:
            assert service.get("/readyz").status_code == 200, service.get("/readyz").text
            check_restored(service, token, known, lost)


def test_postgresql_goes_back_to_a_point_in_time(
    settings: dict[str, str],
    own_postgres: PostgresServer,
    postgres_programs: Installation,
    own_issuer: LoopbackIssuer,
    tmp_path: Path,
) -> None:
    token, known, archive = own_issuer.token("alice"), Copy(), own_postgres.folder
    execute(
        own_postgres.url,
        "ALTER SYSTEM SET archive_mode = 'on'",
        f"ALTER SYSTEM SET archive_command = 'cp %p {archive}/%f'",
    )
    own_postgres.stop()
    own_postgres.start()
    place = own_postgres.folder.with_name(f"{own_postgres.folder.name}-new")
    place.mkdir()
    new = PostgresServer(postgres_programs, place, durable=True)
    new.copy(own_postgres, is_standby=False)
    with running("serve", folder=tmp_path, settings=settings) as service, service.client(token) as client:
        add_some(client, "before")
        execute(own_postgres.url, "SELECT pg_create_restore_point('before the mistake')")
        lost = change_after_the_backup(client)
        known.sync(client)
        execute(own_postgres.url, "SELECT pg_switch_wal()")
    own_postgres.stop()  # which archives the rest of the log
    with (new.data / "postgresql.auto.conf").open("a") as conf:
        conf.write(f"restore_command = 'cp {archive}/%f %p'\narchive_mode = 'off'\n")
        conf.write("recovery_target_name = 'before the mistake'\nrecovery_target_action = 'promote'\n")
    (new.data / "recovery.signal").touch()
    new.start()
    try:
        there = settings | {"DATABASE_URL": as_role(new.url, SERVICE)}
        until_promoted(new)
        after_restore(there, tmp_path)
        with running("serve", folder=tmp_path, settings=there) as service:
            check_restored(service, token, known, lost)
    finally:
        new.stop()


def until_promoted(server: PostgresServer) -> None:
    waiting = "FOR turn IN 1..600 LOOP EXIT WHEN NOT pg_is_in_recovery(); PERFORM pg_sleep(0.05); END LOOP"
    execute(server.url, f"DO $$ BEGIN {waiting}; END $$")
