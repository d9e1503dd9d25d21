import logging
import re
from typing import Any

import httpx
import pytest
from litestar.types import Receive, Scope, Send

from adapters.http.access_log import AccessLog, AccessLogRecord
from adapters.http.context import TrustedProxies
from adapters.http.cors import Cors
from adapters.http.front import Front
from adapters.http.routing import Services
from tests.contracts.tasks_over_http import LIST, problem
from tests.support.api import ORIGIN, Api, InMemory, running

PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"}
STRANGERS = ["https://evil.example.com", "null", f"{ORIGIN}.evil.com", ORIGIN.upper(), f"{ORIGIN}:8443", "*", ""]


async def every_kind(api: Api, headers: dict[str, str]) -> list[httpx.Response]:
    """An answer of each kind: fine, empty, refused by each layer."""
    return [
        await api("GET", LIST, headers=headers),
        await api("POST", LIST, headers=headers, json={"title": "x"}),
        await api("DELETE", f"{LIST}/x", headers=headers),
        await api("DELETE", LIST, headers=headers),
        await api("GET", "/api/bob/tasks", headers=headers),
        await api("GET", "/nowhere", headers=headers),
        await api.http.get(LIST, headers=headers),
        await api.http.get("/health", headers=headers),
        await api.http.get("/docs", headers=headers),
        await api.http.get(LIST, headers=headers | {"X-Large": "x" * 40_000}),
        await api.http.options(LIST, headers=headers | PREFLIGHT),
    ]


async def test_every_response_has_the_security_headers(api: Api) -> None:
    for answer in await every_kind(api, {}):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == ("no-cache" if answer.request.url.path == "/docs" else "no-store")
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Vary"] == "Origin"
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-Id"])


async def test_a_request_id_that_comes_in_goes_out(api: Api) -> None:
    for answer in await every_kind(api, {"X-Request-Id": "trace-1.2_3"}):
        assert answer.headers.get_list("X-Request-Id") == ["trace-1.2_3"]
        if answer.status_code >= 400:
            assert answer.json()["request_id"] == "trace-1.2_3"


@pytest.mark.parametrize("hostile", ["", "a b", "x" * 65, "a\tb", 'a"b', "é", "a,b", "<script>"])
async def test_a_request_id_in_another_form_is_replaced(api: Api, hostile: str) -> None:
    answer = await api.http.get("/health", headers=[(b"X-Request-Id", hostile.encode())])
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-Id"])


async def test_an_allowed_origin_may_read_every_answer_errors_too(api: Api) -> None:
    for answer in await every_kind(api, {"Origin": ORIGIN}):
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"ETag", "Location", "Link", "Retry-After", "X-Request-Id"} <= set(exposed)


@pytest.mark.parametrize("origin", STRANGERS)
async def test_another_origin_may_read_nothing(api: Api, origin: str) -> None:
    answers = await every_kind(api, {"Origin": origin})
    answers[-1] = await api.http.options(LIST, headers=PREFLIGHT | {"Origin": origin})
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_a_preflight_needs_no_token_and_names_methods_and_headers(api: Api) -> None:
    for path in (LIST, f"{LIST}/x/complete", f"{LIST}/x/restore", "/nowhere"):
        answer = await api.http.options(path, headers=PREFLIGHT)
        assert (answer.status_code, answer.content) == (204, b"")
        methods = answer.headers["Access-Control-Allow-Methods"].split(", ")
        assert set(methods) == {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
        allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
        assert {"Authorization", "Content-Type", "If-Match", "If-None-Match"} <= set(allowed)
        assert "*" not in "".join(methods + allowed)


async def test_options_without_the_headers_of_a_preflight_is_no_preflight(api: Api) -> None:
    for headers in ({"Origin": ORIGIN}, {"Access-Control-Request-Method": "PUT"}):
        problem(await api.http.options(LIST, headers=headers), 401)
        assert (await api("OPTIONS", LIST, headers=headers)).headers["Allow"]


async def test_header_fields_above_32_kib_are_431_with_or_without_a_token(api: Api) -> None:
    for path in ("/health", LIST):
        problem(await api("GET", path, headers={"X-Large": "x" * 33_000}), 431)
    assert (await api("GET", LIST, headers={"X-Large": "x" * 30_000})).status_code == 200


async def test_a_target_above_8_kib_is_414_with_or_without_a_token(api: Api) -> None:
    for path in (f"/health?{'x' * 8200}", f"{LIST}/{'x' * 8200}", f"{LIST}?q={'x' * 8200}"):
        problem(await api("GET", path), 414)
    assert (await api("GET", f"{LIST}/{'x' * 8000}")).status_code == 404


async def test_a_request_names_its_host_once(api: Api) -> None:
    request = api.http.build_request("GET", "/health", headers=[("Host", "a"), ("Host", "b")])
    problem(await api.http.send(request), 400)
    del request.headers["Host"]
    problem(await api.http.send(request), 400)


async def test_head_of_public_pages_has_no_body(api: Api) -> None:
    for path in ("/health", "/docs", "/openapi.json"):
        got, headed = await api.http.get(path), await api.http.head(path)
        assert (headed.status_code, headed.content) == (200, b"")
        assert headed.headers["Content-Length"] == got.headers["Content-Length"]


async def failing(_: Scope, __: Receive, ___: Send) -> None:
    raise ZeroDivisionError("a secret title")


async def ask(app: Any) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://api.test") as http:
        return await http.get("/health?q=secret")


async def test_an_unexpected_error_is_a_plain_500_and_a_log_line_without_its_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = AccessLog()
    with caplog.at_level(logging.INFO):
        response = problem(await ask(Front(failing, Services(()), Cors.of(()), TrustedProxies(), log)), 500)
        log.close()
    assert response["type"] == "about:blank"
    ours = [record for record in caplog.records if record.name.startswith("adapters")]
    assert [line.status for record in ours if isinstance(record, AccessLogRecord) for line in record.lines] == [500]
    assert "secret" not in str(response) + str([record.__dict__ for record in ours])
    line = next(record for record in caplog.records if record.message == "unexpected error")
    assert line.__dict__["error"] == ["ZeroDivisionError"]
    where = line.__dict__["where"]
    assert "front.py" in where[0], "our own frames are named"
    assert "failing" in where[-1], "and the last, whoever's it is"


async def test_the_access_log_names_the_route_and_not_the_person(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "adapters.http.access_log"):
        async with running(InMemory()) as api:
            await api("GET", f"{LIST}?q=secret")
            await api("GET", "/api/bob@example.org/tasks")
            await api.http.head("/nowhere/secret")
    lines = [line for record in caplog.records if isinstance(record, AccessLogRecord) for line in record.lines]
    assert [(line.method, line.route, line.status) for line in lines] == [
        ("GET", "/api/{user_id}/tasks", 200),
        ("GET", "/api/{user_id}", 403),
        ("HEAD", "-", 401),
    ]
    assert all(line.ms >= 0 for line in lines)
    assert "secret" not in str(lines)
    assert "example.org" not in str(lines)
