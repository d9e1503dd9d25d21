"""What happened is in the table and in the log, and neither can be made to hurt anybody."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from adapters.system.audit_filters import PER_WINDOW
from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.postgres import as_role, execute
from tests.support.service import Service, eventually, evo_todo, running

TITLE = "Tell nobody of this"
ADDRESS = "ann@example.com"
FILE = "sqlite:///tasks.db"
UNLIMITED = {"EVO_TODO_RATE_LIMIT": "off", "EVO_TODO_ADDRESS_RATE_LIMIT": "off"}
Line = dict[str, Any]


@pytest.fixture(params=["postgresql", "sqlite"])
def database_url(request: pytest.FixtureRequest) -> str:
    return FILE if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


def settings_for(database: str, issuer: LoopbackIssuer) -> dict[str, str]:
    levels = {"EVO_TODO_LOG_FORMAT": "json", "EVO_TODO_LOG_LEVEL": "debug"}
    return {"DATABASE_URL": database} | levels | UNLIMITED | issuer.settings


@pytest.fixture
def on_file(issuer: LoopbackIssuer, tmp_path: Path) -> Iterator[Service]:
    with running("serve", "--migrate", folder=tmp_path, settings=settings_for(FILE, issuer)) as service:
        yield service


def audit(folder: Path, database: str, *options: str) -> list[Line]:
    ended = evo_todo("audit", "--json", *options, folder=folder, settings={"DATABASE_URL": database})
    assert (ended.returncode, ended.stderr) == (0, "")
    return [json.loads(line) for line in ended.stdout.splitlines()]


def logged(service: Service) -> list[Line]:
    return [line for line in service.log_lines if line["event"] == "audit"]


def about(lines: list[Line], answer: httpx.Response) -> list[Line]:
    """What is kept of that request, in the table's words."""
    ours = ("kind", "user_id", "session_id", "peer", "request_id", "reason", "token_digest")
    found = [line for line in lines if line.get("request_id") == answer.headers["X-Request-Id"]]
    return [{name: line[name] for name in ours if name in line} for line in found]


def test_what_happens_is_kept_twice_under_the_id_that_the_client_got_and_without_a_secret(
    database_url: str, issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    good, forged = issuer.token("alice", session="s-1"), issuer.forged_token("alice")
    with running("serve", "--migrate", folder=tmp_path, settings=settings_for(database_url, issuer)) as service:
        with service.client(good) as client:
            created = client.post("/api/alice/tasks", json={"title": TITLE}, headers={"X-Request-Id": "chosen-1"})
            denied = client.get(f"/api/{ADDRESS}/tasks")
            nowhere = client.get(f"/api/{ADDRESS}/nowhere")
        refused = service.get("/api/alice/tasks", forged)
        service.stop()
        log, lines = service.log, logged(service)

    assert [answer.status_code for answer in (created, denied, nowhere, refused)] == [201, 403, 403, 401]
    table = audit(tmp_path, database_url)
    alice = {"user_id": "alice", "session_id": "s-1", "peer": "127.0.0.1"}
    expected: list[tuple[httpx.Response, Line]] = [
        (created, alice | {"kind": "session-seen", "request_id": "chosen-1"}),
        *(
            (answer, alice | {"kind": "access-denied", "request_id": answer.headers["X-Request-Id"]})
            for answer in (denied, nowhere)
        ),
        (
            refused,
            {
                "kind": "token-refused",
                "peer": "127.0.0.1",
                "request_id": refused.headers["X-Request-Id"],
                "reason": refused.json()["detail"],
                "token_digest": sha256(forged.encode()).hexdigest()[:16],
            },
        ),
    ]
    for answer, event in expected:
        assert about(table, answer) == about(lines, answer) == [event], "once, and the same in both"
    assert {line["kind"] for line in table} == {line["kind"] for line in lines} >= {"keys-changed"}
    for text in (log, json.dumps(table)):
        for secret in (TITLE, ADDRESS, good, forged, *good.split("."), forged.rpartition(".")[2]):
            assert secret not in text


def test_a_table_that_is_away_fails_no_request_and_what_waits_is_written_before_the_end(
    on_file: Service, issuer: LoopbackIssuer
) -> None:
    good = issuer.token("alice", session="s-1")
    assert on_file.get("/api/alice/tasks", good).status_code == 200
    eventually(lambda: audit(on_file.folder, FILE, "--user", "alice"))
    rename(on_file, "audit_events", "away")

    answers = [
        on_file.get("/api/alice/tasks", issuer.token("alice", session="s-2")),
        on_file.get("/api/bob/tasks", good),
        on_file.get("/api/alice/tasks", "not.a.token"),
    ]
    assert [answer.status_code for answer in answers] == [200, 403, 401]
    eventually(lambda: on_file.log.count("database unavailable") > 4)  # from now on it tries ever more seldom
    assert len(logged(on_file)) >= len(answers), "the log does not wait for the table"

    rename(on_file, "away", "audit_events")
    on_file.stop()

    table = audit(on_file.folder, FILE)
    assert [len(about(table, answer)) for answer in answers] == [1, 1, 1]
    assert "audit events were dropped" not in on_file.log


def test_what_can_not_be_written_to_the_end_is_counted(on_file: Service) -> None:
    eventually(lambda: on_file.get("/readyz").is_success)
    eventually(lambda: audit(on_file.folder, FILE))  # that the keys are others than before
    rename(on_file, "audit_events", "away")
    for _ in range(3):
        assert on_file.get("/api/alice/tasks", "not.a.token").status_code == 401

    on_file.stop()

    (dropped,) = [line for line in on_file.log_lines if line["event"] == "audit events were dropped"]
    assert (dropped["dropped"], dropped["level"]) == (3, "error")


def test_of_a_flood_there_is_as_much_as_one_can_read(on_file: Service, issuer: LoopbackIssuer) -> None:
    with on_file.client("not.a.token") as flood:
        assert {flood.get("/api/alice/tasks").status_code for _ in range(5 * PER_WINDOW)} == {401}
    revoked_key = on_file.get("/api/alice/tasks", issuer.forged_token("alice"))
    assert revoked_key.status_code == 401
    on_file.stop()

    refused = [line for line in audit(on_file.folder, FILE) if line["kind"] == "token-refused"]
    assert len(refused) == PER_WINDOW + 1
    assert len([line for line in logged(on_file) if line["kind"] == "token-refused"]) == PER_WINDOW + 1
    assert len(about(refused, revoked_key)) == 1, "what is no part of the flood is not lost in it"


def rename(service: Service, table: str, to: str) -> None:
    with closing(sqlite3.connect(service.folder / "tasks.db", timeout=20)) as database:
        database.execute(f"ALTER TABLE {table} RENAME TO {to}")


def test_one_can_ask_for_one_user_from_an_instant_on_and_in_lines(on_file: Service, issuer: LoopbackIssuer) -> None:
    for user in ("alice", "bob"):
        assert on_file.get(f"/api/{user}/tasks", issuer.token(user, session="s")).status_code == 200
    on_file.stop()

    assert [line["user_id"] for line in audit(on_file.folder, FILE, "--user", "bob")] == ["bob"]
    assert len(audit(on_file.folder, FILE, "--since", "2h")) == len(audit(on_file.folder, FILE)) >= 2
    assert audit(on_file.folder, FILE, "--since", "2999-01-01") == []
    (newest,) = audit(on_file.folder, FILE, "--kind", "session-seen", "--limit", "1")
    assert (newest["kind"], newest["user_id"]) == ("session-seen", "bob")
    lines = evo_todo("audit", "--user", "alice", folder=on_file.folder, settings={"DATABASE_URL": FILE})
    assert "session-seen" in lines.stdout
    assert "user_id=alice" in lines.stdout
    wrong = evo_todo("audit", "--since", "yesterday", folder=on_file.folder, settings={"DATABASE_URL": FILE})
    assert wrong.returncode == 2
    assert "--since" in wrong.stderr


def test_purging_while_it_serves_takes_away_what_is_old_and_says_what_it_was(
    database_url: str, issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    good = issuer.token("alice", session="s-1")
    with running("serve", "--migrate", folder=tmp_path, settings=settings_for(database_url, issuer)) as service:
        with service.client(good) as client:
            paths = [client.post("/api/alice/tasks", json={"title": TITLE}).headers["Location"] for _ in range(3)]
            assert {client.delete(path).status_code for path in paths[:2]} == {204}
            eventually(lambda: audit(tmp_path, database_url, "--user", "alice"))
            purged = [
                evo_todo("purge", folder=tmp_path, settings={"DATABASE_URL": database_url} | kept_for)
                for kept_for in (
                    {},
                    {"EVO_TODO_AUDIT_RETENTION": "0.001", "EVO_TODO_TOMBSTONE_RETENTION": "0.001"},
                )
            ]
            assert [client.post(f"{path}/restore").status_code for path in paths] == [404, 404, 200]
        assert [(ended.returncode, ended.stderr) for ended in purged] == [(0, "")] * 2
        *nothing, keys = purged[0].stdout.splitlines()
        assert nothing == ["audit events: 0", "expired revocations: 0", "deleted tasks: 0"]
        events, revocations, tombstones, _ = purged[1].stdout.splitlines()
        assert keys == "idempotency keys: 0"
        assert int(events.removeprefix("audit events: ")) > 0
        assert (revocations, tombstones) == ("expired revocations: 0", "deleted tasks: 2")
        assert audit(tmp_path, database_url, "--user", "alice") == []


def test_the_role_that_migrate_makes_purges_everything_and_outdates_what_clients_know(
    postgres_url: str, postgres_server: str, issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    role = f"evo_todo_{uuid4().hex}"
    owner = {"DATABASE_URL": postgres_url, "EVO_TODO_SERVICE_ROLE": role, "EVO_TODO_SERVICE_PASSWORD": "for-tests-only"}
    administrator = urlsplit(postgres_server)._replace(path=urlsplit(postgres_url).path).geturl()
    try:
        assert evo_todo("migrate", folder=tmp_path, settings=owner).returncode == 0
        settings = {"DATABASE_URL": as_role(postgres_url, role)}
        with (
            running("serve", folder=tmp_path, settings=settings | issuer.settings) as service,
            service.client(issuer.token("alice")) as client,
        ):
            gone, live = (
                client.post("/api/alice/tasks", json={"title": TITLE}, headers={"Idempotency-Key": key}).headers[
                    "Location"
                ]
                for key in "ab"
            )
            assert client.delete(gone).status_code == 204
            old = {"EVO_TODO_TOMBSTONE_RETENTION": "0.001", "EVO_TODO_IDEMPOTENCY_RETENTION": "0.001"}
            purged = evo_todo("purge", folder=tmp_path, settings=settings | old)
            assert (purged.returncode, purged.stderr) == (0, "")
            assert purged.stdout.splitlines()[2:] == ["deleted tasks: 1", "idempotency keys: 2"]
            assert client.post(f"{gone}/restore").status_code == 404
            tag = client.get("/api/alice/tasks").headers["ETag"]
            restored = evo_todo("after-restore", folder=tmp_path, settings=settings)
            assert (restored.returncode, restored.stdout, restored.stderr) == (0, "lists: 1\n", "")
            assert client.get("/api/alice/tasks", headers={"If-None-Match": tag}).status_code == 200
            assert client.get(live).status_code == 200
    finally:
        execute(administrator, f"DROP OWNED BY {role}", f"DROP ROLE {role}")
