"""Traces, as a collector receives them from a running service."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.integration.processes.test_logs import PASSWORD, USER, everything_a_client_does
from tests.support.collector import Collector, a_collector, attributes
from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.service import Service, eventually, evo_todo, running
from tests.support.tokens import ACCOUNT_PURGED

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TASKS = "/api/alice/tasks"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with a_collector() as collector:
        yield collector


@pytest.fixture
def address(request: pytest.FixtureRequest) -> str:
    """Of the database."""
    return str(request.getfixturevalue("postgres_url")) if request.param == "postgresql" else "sqlite:///tasks.db"


@pytest.fixture
def traced(collector: Collector, own_issuer: LoopbackIssuer, address: str, tmp_path: Path) -> Iterator[Service]:
    settings = {
        "DATABASE_URL": address,
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
        "EVO_TODO_LOG_FORMAT": "json",
    }
    with running("serve", "--migrate", folder=tmp_path, settings=settings | own_issuer.settings) as service:
        yield service


def below(parent: Any, collector: Collector) -> Iterator[Any]:
    """The spans that are parts of this one."""
    for one in collector.spans:
        if one.parent_span_id == parent.span_id:
            yield one
            yield from below(one, collector)


@pytest.mark.parametrize("address", ["sqlite", "postgresql"], indirect=True)
def test_a_request_is_a_span_of_the_clients_trace_and_has_its_work_below_it(
    traced: Service, collector: Collector, own_issuer: LoopbackIssuer
) -> None:
    with traced.client(own_issuer.token("alice")) as client:
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=Secret-State"}
        task = client.post(TASKS, json={"title": "Buy milk"}, headers=headers).headers["Location"]
        assert client.patch(f"{task}/complete", headers=headers).status_code == 200
        assert client.get(f"{TASKS}/0198c0de-0000-7000-8000-000000000000", headers=headers).status_code == 404
        assert client.get(TASKS, params={"q": "milk"}).status_code == 200
    traced.stop()
    created, changed, missing, found = (
        collector.named(name)[0]
        for name in (
            "POST /api/{user_id}/tasks",
            "PATCH /api/{user_id}/tasks/{task_id}/complete",
            "GET /api/{user_id}/tasks/{task_id}",
            "GET /api/{user_id}/tasks",
        )
    )
    for one in (created, changed, missing):
        assert (one.trace_id.hex(), one.parent_span_id.hex()) == (TRACE, PARENT)
    assert found.trace_id.hex() != TRACE
    assert not found.parent_span_id
    seen = attributes(created)
    assert seen.pop("evo_todo.request_id")
    assert seen == {
        "http.request.method": "POST",
        "http.route": "/api/{user_id}/tasks",
        "http.response.status_code": 201,
    }
    [use_case] = collector.named("CreateTask")
    assert use_case.parent_span_id == created.span_id
    assert [one.parent_span_id for one in collector.named("CompleteTask")] == [changed.span_id]
    statements = [one for one in collector.spans if "db.query.text" in attributes(one)]
    texts = {attributes(one)["db.query.text"] for one in statements}
    assert {one.name for one in statements} >= {"read", "search", "statement"}
    assert any(
        one.parent_span_id == use_case.span_id for one in collector.named("write") + collector.named("transaction")
    )
    assert [text for text in texts if "owner_id" not in text] == []
    [get] = collector.named("GetTask")
    assert attributes(get) == {"error.type": "TaskNotFound"}
    assert get.status.code == 0
    assert {resource["service.name"] for resource in collector.resources} == {"evo-todo"}
    assert {resource["deployment.environment.name"] for resource in collector.resources} == {"test"}


@pytest.mark.parametrize("address", ["sqlite", "postgresql"], indirect=True)
def test_what_a_security_event_stores_is_below_it(
    traced: Service, collector: Collector, own_issuer: LoopbackIssuer
) -> None:
    events = {
        own_issuer.security_event("Secret-Ann", session="Secret-Session"): ["revocations"],
        own_issuer.security_event("Secret-Ann", session=None, kind=ACCOUNT_PURGED): [
            "revocations",
            "task_lists",
            "tasks",
        ],
    }
    for event in events:
        headers = {"Content-Type": "application/secevent+jwt", "traceparent": f"00-{TRACE}-{PARENT}-01"}
        with traced.client() as client:
            assert client.post("/api/security-events", content=event, headers=headers).status_code == 202
    traced.stop()
    received = collector.named("POST /api/security-events")
    assert {(one.trace_id.hex(), one.parent_span_id.hex()) for one in received} == {(TRACE, PARENT)}
    for one, tables in zip(received, events.values(), strict=True):
        texts = [attributes(span).get("db.query.text", "") for span in below(one, collector)]
        for table in tables:
            assert [text for text in texts if f" {table} " in text], (table, texts)
    assert b"secret" not in collector.raw.lower()


@pytest.mark.parametrize("address", ["sqlite"], indirect=True)
def test_the_fetch_of_the_keys_goes_on_with_the_trace(
    traced: Service, collector: Collector, own_issuer: LoopbackIssuer
) -> None:
    traced.get(TASKS, own_issuer.token("alice"))
    traced.stop()
    fetches = {f"00-{one.trace_id.hex()}-{one.span_id.hex()}" for one in collector.named("fetch keys")}
    assert fetches
    assert fetches == {(context or "").rpartition("-")[0] for context in own_issuer.trace_contexts}


@pytest.mark.parametrize("address", ["sqlite"], indirect=True)
def test_log_lines_name_the_trace(traced: Service, own_issuer: LoopbackIssuer) -> None:
    with traced.client() as client:
        client.get(TASKS, headers={"traceparent": f"00-{TRACE}-{PARENT}-01", "Authorization": "Bearer x"})
        client.get(TASKS, headers={"traceparent": "00-malformed", "Authorization": "Bearer x"})
    wanted = ("request", "audit")

    def lines() -> list[str]:
        return [line["trace_id"] for line in traced.log_lines if line["event"] in wanted and "trace_id" in line]

    eventually(lambda: len(lines()) >= 4)
    assert own_issuer.request_count
    assert set(lines()) >= {TRACE}
    assert len(set(lines())) == 2


@pytest.mark.parametrize("address", ["sqlite"], indirect=True)
def test_nothing_that_a_client_wrote_is_in_a_span(
    traced: Service, collector: Collector, own_issuer: LoopbackIssuer
) -> None:
    token = own_issuer.token(USER)
    forged = own_issuer.forged_token(USER)
    with traced.client(token) as client:
        client.headers["tracestate"] = "vendor=Secret-State"
        client.headers["X-Request-Id"] = "Secret-Request"
        client.headers["traceparent"] = f"00-{TRACE}-{PARENT}-01"
        count = len([*everything_a_client_does(client, token, forged)])
    traced.stop()
    requests = [one for one in collector.spans if "http.route" in attributes(one)]
    assert len(requests) >= count
    for secret in (b"Secret", PASSWORD.encode(), USER.encode(), quote(USER, safe="").encode(), token[-40:].encode()):
        assert secret not in collector.raw
    assert b"Secret".lower() not in collector.raw.lower()


def test_a_collector_that_is_gone_delays_nothing(own_issuer: LoopbackIssuer, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": "sqlite:///tasks.db", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    with running("serve", "--migrate", folder=tmp_path, settings=settings | own_issuer.settings) as service:
        assert service.get(TASKS, own_issuer.token("alice")).status_code == 200
        assert service.stop() in {0, -signal.SIGTERM, 128 + signal.SIGTERM}


@pytest.mark.parametrize(
    ("more", "is_traced"),
    [({"OTEL_SDK_DISABLED": "true"}, False), ({"OTEL_TRACES_EXPORTER": "none"}, False), ({}, True)],
    ids=["disabled", "no exporter", "on"],
)
def test_traces_can_be_turned_off(
    more: dict[str, str], is_traced: bool, collector: Collector, own_issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    settings = {
        "DATABASE_URL": "sqlite:///tasks.db",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.url}/v1/traces",
    }
    with running("serve", "--migrate", folder=tmp_path, settings=settings | own_issuer.settings | more) as service:
        assert service.get("/health").status_code == 200
        service.stop()
    assert bool(collector.spans) == is_traced


def test_another_protocol_stops_the_start(tmp_path: Path) -> None:
    settings = {
        "DATABASE_URL": "sqlite:///tasks.db",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    }
    ended = evo_todo("serve", folder=tmp_path, settings=settings)
    assert ended.returncode == 2
    assert "OTEL_EXPORTER_OTLP_PROTOCOL='grpc': must be http/protobuf" in ended.stderr
