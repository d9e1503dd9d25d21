import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest

from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.service import Service, eventually
from tests.support.wire import wire

USER = "ann.example+1@mail.example.com"
TASKS = f"/api/{quote(USER, safe='')}/tasks"
PASSWORD = "QW5uOlNlY3JldC1QYXNzd29yZA=="
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def everything_a_client_does(client: httpx.Client, token: str, forged: str) -> Iterator[httpx.Response]:
    """One call of each kind, with secrets wherever a client may write."""
    created = client.post(TASKS, json={"title": "Secret-Title-123", "description": "Secret-Description"})
    yield created
    task = f"{TASKS}/{created.json()['id']}"
    yield client.get(TASKS, params={"q": "Secret-Search"})
    yield client.get(TASKS, params={"Secret-Parameter": "1"})
    yield client.get(TASKS, params={"cursor": "Secret-Cursor"})
    yield client.get(TASKS, params={"access_token": token})
    yield client.get(task, headers={"If-None-Match": '"Secret-Tag"'})
    yield client.put(task, json={"title": "Secret-Title-124"})
    yield client.put(task, json={"title": "Secret-Title-125"}, headers={"If-Match": "Secret-Tag"})
    yield client.patch(f"{task}/complete")
    yield client.post(TASKS, json={"Secret-Member": "Secret-Value"})
    yield client.post(TASKS, content=b'{"title": "Secret-Title-126', headers={"Content-Type": "application/json"})
    yield client.post(TASKS, content=b"Secret-Form", headers={"Content-Type": "text/Secret-Type"})
    yield client.delete(task)
    yield client.post(f"{task}/restore", json={"Secret-Member": "Secret-Value"})
    yield client.post(f"{task}/restore")
    yield client.get(f"{TASKS}/Secret-Task")
    yield client.get(f"{TASKS}/Secret-Task/Secret-Part")
    yield client.post(f"{TASKS}/Secret-Task")
    yield client.post(TASKS, json={"title": "Secret-Title-127"}, headers={"Idempotency-Key": "Secret-Key"})
    yield client.get(f"{TASKS}/changes", params={"since": "Secret-Token"})
    yield client.head(f"{TASKS}/events", headers={"Last-Event-ID": "Secret-Event"})
    yield client.get("/api/Secret-User/tasks")
    yield client.get("/Secret-Place")
    yield client.get("/health", headers={"Cookie": "session=Secret-Cookie", "User-Agent": "Secret-Agent"})
    for bad in (f"Bearer {forged}", f"Bearer {token}x", "Bearer Secret.Token.Here", f"Basic {PASSWORD}", "Secret"):
        yield client.get(TASKS, headers={"Authorization": bad})


def test_nothing_that_a_client_wrote_is_in_the_log_and_every_answer_is(
    service: Service, issuer: LoopbackIssuer
) -> None:
    token, forged = issuer.token(USER), issuer.forged_token(USER)
    with service.client(token) as client:
        answers = list(everything_a_client_does(client, token, forged))
    with wire(service.port) as connection:
        connection.send_bytes(b"Secret-Garbage\r\n\r\n")
        connection.response()
    ids = {answer.headers["X-Request-Id"] for answer in answers}
    eventually(lambda: ids <= {line.get("request_id") for line in service.log_lines if line["event"] == "request"})

    parts = {part for one in (token, forged) for part in one.split(".")}
    secrets = {"secret", "access_token", USER, quote(USER, safe=""), "mail.example", PASSWORD, *parts}
    assert {secret for secret in secrets if secret.lower() in service.log.lower()} == set()


def test_every_line_is_json_with_its_time_and_level_and_every_request_has_an_id(service: Service) -> None:
    with service.client() as client:
        ids = [client.get("/health").headers["X-Request-Id"] for _ in range(20)]
    assert len(set(ids)) == len(ids)
    eventually(lambda: set(ids) <= {line.get("request_id") for line in service.log_lines})
    lines = service.log_lines

    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
    requests = [line for line in lines if line["event"] == "request"]
    assert all({"request_id", "method", "route", "status", "ms"} <= line.keys() for line in requests)
    assert Counter(line["request_id"] for line in requests if line["request_id"] in ids) == Counter(ids)


def test_a_request_id_that_a_client_brings_is_echoed_and_logged(service: Service) -> None:
    with service.client() as client:
        answer = client.get("/api/alice/tasks", headers={"X-Request-Id": "from-the-proxy_1.2"})

    assert answer.headers["X-Request-Id"] == "from-the-proxy_1.2"
    assert answer.json()["request_id"] == "from-the-proxy_1.2"
    eventually(lambda: any(line.get("request_id") == "from-the-proxy_1.2" for line in service.log_lines))


@pytest.mark.parametrize(
    "hostile",
    ["two words", "x" * 200, '"},{"level":"error', "tab\there", "caf\xe9", "\x1b[31mred", "", "a\r\n b", "%0a"],
    ids=["space", "too long", "quotes", "tab", "no ASCII", "escape", "empty", "two lines", "percent"],
)
def test_a_request_id_that_could_harm_the_log_is_replaced_or_refused(service: Service, hostile: str) -> None:
    with wire(service.port) as connection:
        connection.send("GET /health HTTP/1.1", "Host: localhost", f"X-Request-Id: {hostile}", "Connection: close")
        answer = connection.response()

    given = answer.headers["X-Request-Id"]
    assert answer.status in {200, 400}
    assert REQUEST_ID.fullmatch(given)
    assert given != hostile
    assert not hostile or hostile not in service.log


def test_a_refusal_of_what_is_no_request_is_found_in_the_log_by_its_id(service: Service) -> None:
    with wire(service.port) as connection:
        connection.send_bytes(b"hello\r\n\r\n")
        refused = connection.response().json["request_id"]

    eventually(lambda: any(line.get("request_id") == refused for line in service.log_lines), within=5)
