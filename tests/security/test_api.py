"""A1 to A18: each rule of the API, attacked over HTTP by strangers and by users who want what is another's."""

import json
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from attrs import frozen

from adapters.memory.access import MemoryAuditLog
from adapters.memory.task_lists import MemoryTaskLists
from adapters.system.audit_filters import PER_WINDOW, RateLimitedAuditLog
from application.ports import AuditLog, EditableTaskList, TaskList, TaskLists
from domain.audit import AuditKind
from domain.errors import StorageUnavailable
from domain.idempotency import IdempotencyKey
from domain.identity import Principal, UserId
from domain.revocation import REVOKED
from domain.task import Task
from tests.support.api import ORIGIN, Api, InMemory, replacing, running
from tests.support.attacks import CHALLENGE, TASKS
from tests.support.tokens import ACCOUNT_PURGED, Issuer

BOBS = "/api/bob/tasks"
ONE = f"{TASKS}/019a0c2f-7d00-7abc-8def-0123456789ab"
SET = {"Content-Type": "application/secevent+jwt"}


async def test_a01_a_challenge_names_an_error_only_where_there_was_a_token(api: Api) -> None:
    without = await api.http.get(TASKS)
    with_a_bad_one = await api.http.get(TASKS, headers={"Authorization": "Bearer a.b.c"})
    assert (without.status_code, without.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert (with_a_bad_one.status_code, with_a_bad_one.headers["WWW-Authenticate"][: len(CHALLENGE)]) == (
        401,
        CHALLENGE,
    )


async def test_a02_a_challenge_holds_nothing_of_the_token(api: Api) -> None:
    for hostile in ('x"y', "a\x01b", "\u00e9", "%0d%0aSet-Cookie:x=1", "a.b.c\x7f", "{{7*7}}", "two words", "a" * 5000):
        answer = await api.http.get(TASKS, headers=[(b"Authorization", f"Bearer {hostile}".encode())])
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith(CHALLENGE)
        assert answer.headers["WWW-Authenticate"].isprintable()
        assert hostile not in answer.headers["WWW-Authenticate"]
        assert "Set-Cookie" not in answer.headers


@frozen
class ClosedLists(MemoryTaskLists):
    """Lists that nobody may open: whoever tries would get 503."""

    def open(self, owner: UserId) -> TaskList:
        del owner
        raise StorageUnavailable

    def edit(self, owner: UserId, actor: Principal, *, at: datetime) -> AbstractAsyncContextManager[EditableTaskList]:
        del owner, actor, at
        raise StorageUnavailable

    async def add(self, owner: UserId, actor: Principal, task: Task) -> Task:
        del owner, actor, task
        raise StorageUnavailable

    async def add_once(
        self, owner: UserId, actor: Principal, task: Task, key: IdempotencyKey, *, expired_at: datetime
    ) -> tuple[Task, bool]:
        del owner, actor, task, key, expired_at
        raise StorageUnavailable


async def test_a03_401_comes_before_403_before_404_before_400_and_nothing_is_opened_for_them() -> None:
    async with running(InMemory(), replacing(TaskLists, ClosedLists())) as api:
        nothing = f"{TASKS}/{uuid4()}/nowhere"
        assert (await api.http.get(nothing)).status_code == 401
        assert (await api.http.post(TASKS, content=b"{")).status_code == 401
        for method, path in (("GET", BOBS), ("POST", BOBS), ("PROPFIND", BOBS), ("GET", f"{BOBS}/x/nowhere")):
            assert (await api(method, path, content=b"{")).status_code == 403
        assert (await api("GET", nothing)).status_code == 404
        assert (await api("POST", TASKS, content=b"{", headers={"Content-Type": "text/plain"})).status_code == 415


@pytest.mark.parametrize(
    "path",
    [
        "/api/Alice/tasks",
        "/api/alice%20/tasks",
        "/api/%61lice%00/tasks",
        "/api/alice%2F..%2Fbob/tasks",
        "/api/b%6Fb/tasks",
        "//api//bob/tasks",
        "/api/\u0430lice/tasks",
        "/api/al%69ce%2520/tasks",
    ],
)
async def test_a04_the_paths_user_is_compared_once_decoded_and_to_the_letter(api: Api, path: str) -> None:
    answer = await api("GET", path, headers={"X-Forwarded-Host": "evil.example.com", "X-Original-URL": TASKS})
    assert answer.status_code in {403, 404}
    assert "data" not in answer.json()
    assert (await api("GET", "/api/%61lice/tasks")).status_code == 200


async def test_a05_anothers_task_is_no_task(api: Api) -> None:
    theirs = await api.task("Bob's", user="bob")
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        body: dict[str, Any] = {} if method in {"GET", "DELETE"} else {"json": {"title": "x"}}
        one = await api(method, f"{TASKS}/{theirs['id']}", **body)
        none = await api(method, f"{TASKS}/{uuid4()}", **body)
        assert one.status_code == none.status_code == 404
        hidden = ("instance", "request_id")
        assert {name: value for name, value in one.json().items() if name not in hidden} == {
            name: value for name, value in none.json().items() if name not in hidden
        }
    assert (await api("GET", f"{BOBS}/{theirs['id']}", user="bob")).json()["title"] == "Bob's"


async def test_a06_errors_are_problems_for_people_and_tell_nothing_else(api: Api) -> None:
    answers = [
        await api.http.get(TASKS),
        await api("GET", BOBS),
        await api("GET", f"{TASKS}/{uuid4()}"),
        await api("POST", TASKS, json={"title": ""}),
        await api("POST", TASKS, content=b"{", headers={"Content-Type": "application/json"}),
        await api("PUT", TASKS),
    ]
    for answer in answers:
        details = answer.json()
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert isinstance(details["detail"], str)
        assert details["request_id"] == answer.headers["X-Request-Id"]
        assert not {word for word in ("Traceback", "File ", "SELECT", "sqlalchemy", "litestar") if word in answer.text}


async def test_a07_methods_that_do_nothing_are_405_with_those_that_do(api: Api) -> None:
    for method in ("TRACE", "PROPFIND", "CONNECT", "DELETE"):
        answer = await api(method, TASKS)
        assert answer.status_code == 405
        assert {"GET", "HEAD", "POST"} <= {one.strip() for one in answer.headers["Allow"].split(",")}
    head, get = await api("HEAD", TASKS), await api("GET", TASKS)
    assert (head.content, head.headers["ETag"]) == (b"", get.headers["ETag"])


async def test_a08_bodies_are_small_plain_json(api: Api) -> None:
    good = json.dumps({"title": "x"}).encode()
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", ""):
        assert (await api("POST", TASKS, content=good, headers={"Content-Type": media_type})).status_code == 415
    for coding in ("gzip", "br", "deflate", "identity, gzip"):
        headers = {"Content-Type": "application/json", "Content-Encoding": coding}
        assert (await api("POST", TASKS, content=good, headers=headers)).status_code == 415

    async def chunks() -> object:
        for _ in range(70):
            yield b" " * 1024

    headers = {"Content-Type": "application/json"}
    assert (await api("POST", TASKS, content=b" " * 70_000, headers=headers)).status_code == 413
    assert (await api("POST", TASKS, content=chunks(), headers=headers)).status_code == 413
    assert (await api("GET", TASKS, headers={"X-Filler": "x" * 40_000})).status_code == 431


async def test_a09_nothing_is_guessed_and_what_the_server_sets_is_the_servers(api: Api) -> None:
    for body in ({"title": 5}, {"title": "x", "completed": "true"}, {"title": "x", "admin": True}, {"title": ["x"]}):
        assert (await api("POST", TASKS, json=body)).status_code == 422
    made = await api("POST", TASKS, json={"title": "x", "id": str(uuid4()), "user_id": "bob", "revision": 99})
    if made.status_code == 201:
        assert (made.json()["user_id"], made.json()["revision"]) == ("alice", 1)
    task = await api.task("mine")
    changed = await api("PUT", f"{TASKS}/{task['id']}", json=task | {"user_id": "bob", "revision": 99})
    assert (changed.json()["user_id"], changed.json()["id"]) == ("alice", task["id"])


async def test_a10_text_that_nothing_could_keep_is_refused_and_lengths_are_of_what_is_kept(api: Api) -> None:
    headers = {"Content-Type": "application/json"}
    for body in (b'{"title":"a\\u0000b"}', b'{"title":"\\ud800"}', b'{"title":"\xff"}', b'{"title":" \\t "}'):
        assert (await api("POST", TASKS, content=body, headers=headers)).status_code == 422
    assert (await api("POST", TASKS, json={"title": "\U0001f600" * 256})).status_code == 422
    kept = await api("POST", TASKS, json={"title": "  " + "\U0001f600" * 255 + "  "})
    assert kept.json()["title"] == "\U0001f600" * 255


async def test_a11_a_task_has_one_spelling(api: Api) -> None:
    task_id = (await api.task())["id"]
    spelled = (task_id.upper(), f"{{{task_id}}}", f"urn:uuid:{task_id}", task_id.replace("-", ""), f"{task_id}%00")
    for other in (*spelled, "9" * 400, "-1", "null", "%2e%2e", "1e999"):
        assert (await api("GET", f"{TASKS}/{other}")).status_code == 404
    assert (await api("GET", f"{TASKS}/{task_id}")).status_code == 200


async def test_a12_pages_of_other_origins_can_read_nothing(api: Api) -> None:
    for origin in ("https://evil.example.com", "null", ORIGIN + ".evil.example.com", ORIGIN.upper(), "*"):
        for answer in (
            await api("GET", TASKS, headers={"Origin": origin}),
            await api.http.get(TASKS, headers={"Origin": origin}),
        ):
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert "Origin" in answer.headers["Vary"]
    refused = await api.http.get(TASKS, headers={"Origin": ORIGIN})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, ORIGIN)
    preflight = await api.http.options(
        TASKS, headers={"Origin": ORIGIN, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x"}
    )
    assert "*" not in preflight.headers["Access-Control-Allow-Headers"]
    assert "authorization" in preflight.headers["Access-Control-Allow-Headers"].lower()


async def test_a13_no_cache_keeps_what_is_a_users(api: Api) -> None:
    await api.task()
    for answer in (await api("GET", TASKS), await api("GET", BOBS), await api.http.get(TASKS)):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a14_limits_count_who_asks_and_not_who_they_say_they_are() -> None:
    async with running(InMemory(), EVO_TODO_RATE_LIMIT="5/minute", EVO_TODO_ADDRESS_RATE_LIMIT="5/minute") as api:
        known = {"Authorization": f"Bearer {api.issuer.token()}"}
        assert (await api.http.get(TASKS, headers=known)).status_code == 200
        for number in range(5):
            spoofed = {"X-Forwarded-For": f"203.0.113.{number}", "Forwarded": f"for=203.0.113.{number}"}
            assert (await api.http.get(TASKS, headers=spoofed)).status_code == 401
        stopped = await api.http.get(TASKS, headers={"X-Forwarded-For": "203.0.113.99"})
        assert stopped.status_code == 429
        assert int(stopped.headers["Retry-After"]) >= 1
        answers = [await api.http.get(TASKS, headers=known) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 4 + [429], (
            "a token that was verified before works, up to its own limit"
        )
        assert (await api("GET", BOBS, user="bob")).status_code == 429, "a new one is not verified"


async def test_a15_every_refusal_is_in_the_audit_log_and_no_secret_is() -> None:
    log = MemoryAuditLog()
    async with running(InMemory(), replacing(AuditLog, log)) as api:
        bad = api.issuer.token("mallory", exp=1, email="mallory@example.com")
        answers = [
            await api.http.get(TASKS, headers={"Authorization": f"Bearer {bad}"}),
            await api("GET", BOBS),
            await api.http.post("/api/security-events", content="Secret.Set.Here", headers=SET),
        ]
        token = api.issuer.token("alice", sid="s-1")
        await api.http.get(TASKS, headers={"Authorization": f"Bearer {token}"})
        await api.http.post("/api/security-events", content=api.issuer.security_event(session="s-1"), headers=SET)
        await api.http.post("/api/security-events", content=api.issuer.security_event(ACCOUNT_PURGED), headers=SET)
    kinds = [event.kind for event in log.events]
    assert kinds == [
        AuditKind.TOKEN_REFUSED,
        AuditKind.ACCESS_DENIED,
        AuditKind.TOKEN_REFUSED,
        AuditKind.SESSION_SEEN,
        AuditKind.SESSION_REVOKED,
        AuditKind.ACCOUNT_PURGED,
    ]
    ids = [event.context.request_id for event in log.events if event.context]
    assert ids[:3] == [answer.headers["X-Request-Id"] for answer in answers]
    refused, denied, *_ = log.events
    assert (refused.user_id, denied.user_id) == (None, "alice"), "a name only where it was proved"
    recorded = repr(log.events)
    assert not {
        secret for secret in (*bad.split("."), *token.split("."), "Secret", "example.com", "bob") if secret in recorded
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", TASKS),
        ("PUT", ONE),
        ("PATCH", f"{ONE}/complete"),
        ("DELETE", ONE),
        ("DELETE", f"{ONE}/"),
        ("POST", f"{ONE}/restore"),
    ],
)
async def test_a15_what_the_list_refuses_before_the_worker_knows_of_the_revocation_is_in_the_audit_log(
    method: str, path: str
) -> None:
    log = MemoryAuditLog()
    lists = MemoryTaskLists()
    async with running(InMemory(), replacing(TaskLists, lists), replacing(AuditLog, RateLimitedAuditLog(log))) as api:
        headers = {"Authorization": f"Bearer {api.issuer.token('alice', sid='s-1')}"}
        await lists.erase(UserId("alice"), datetime.now(UTC) + timedelta(seconds=1))
        body = {"title": "Mine"} if path == TASKS or method == "PUT" else None
        answers = [await api.http.request(method, path, json=body, headers=headers) for _ in range(PER_WINDOW + 5)]
    assert {answer.status_code for answer in answers} == {401}
    _, *refused = log.events
    assert len(refused) == PER_WINDOW
    first = refused[0]
    assert (first.kind, first.reason) == (AuditKind.TOKEN_REFUSED, REVOKED)
    assert (first.user_id, first.session_id) == ("alice", "s-1")
    assert first.context is not None
    assert first.context.request_id == answers[0].headers["X-Request-Id"]


async def test_a16_what_was_revoked_is_refused_and_a_replayed_or_forged_revocation_is_none(api: Api) -> None:
    token, other = (api.issuer.token("alice", sid=session) for session in ("s-1", "s-2"))

    async def push(event: str) -> int:
        return (await api.http.post("/api/security-events", content=event, headers=SET)).status_code

    async def status(token: str) -> int:
        return (await api.http.get(TASKS, headers={"Authorization": f"Bearer {token}"})).status_code

    now = int(api.issuer.now())
    for forged in (
        Issuer.new(api.issuer.kid).security_event(session="s-1"),
        api.issuer.security_event(session="s-1", iat=now - 3600),
        api.issuer.security_event(session="s-1", iss="https://evil.example.com"),
        api.issuer.security_event(session="s-1", aud="https://evil.example.com"),
        api.issuer.security_event(session="s-1", header={"typ": "JWT"}),
        token,
    ):
        assert await push(forged) == 400
    assert await status(token) == 200
    event = api.issuer.security_event(session="s-1")
    assert [await push(event), await push(event)] == [202, 202]
    assert [await status(token), await status(other)] == [401, 200]
