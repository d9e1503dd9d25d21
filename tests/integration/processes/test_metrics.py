"""The metrics of a running service: those that the documents, the alert rules and the dashboard name."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.monitoring import documented_metrics, expressions, metrics_in
from tests.support.service import Service, eventually, running

TASKS = "/api/alice/tasks"


@pytest.fixture
def service(postgres_url: str, issuer: LoopbackIssuer, tmp_path: Path) -> Iterator[Service]:
    settings = {"DATABASE_URL": postgres_url, "EVO_TODO_READ_URL": postgres_url} | issuer.settings
    with running("serve", "--migrate", folder=tmp_path, settings=settings) as service:
        yield service


def scraped(service: Service) -> dict[str, float]:
    """Each sample by its name and labels, without the worker."""
    lines = [line for line in service.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {
        re.sub(r',?worker="\d+"', "", name): float(value) for name, _, value in (one.rpartition(" ") for one in lines)
    }


def families(service: Service) -> set[str]:
    """The names of all metrics, and of their samples."""
    text = service.get("/metrics").text
    of_samples = {re.split(r"[{ ]", line)[0] for line in text.splitlines() if not line.startswith("#")}
    return of_samples | set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))


def test_every_metric_that_is_named_anywhere_exists_and_every_one_is_documented(
    service: Service, issuer: LoopbackIssuer
) -> None:
    service.get(TASKS, issuer.token("alice"))
    present = families(service)
    assert {name for text in expressions() for name in metrics_in(text)} - present == set()
    assert documented_metrics() - present == set()
    declared = set(re.findall(r"^# TYPE (\S+)", service.get("/metrics").text, re.MULTILINE))
    assert declared - documented_metrics() == set()


def test_the_numbers_are_those_of_the_service(service: Service, issuer: LoopbackIssuer) -> None:
    with service.client(issuer.token("alice")) as client:
        client.post(TASKS, json={"title": "Buy milk"})
        client.get(TASKS)
    event = issuer.security_event("bob", session=None)
    with service.client() as client:
        client.post(
            "/api/security-events", content=event, headers={"Content-Type": "application/secevent+jwt"}
        ).raise_for_status()
    now = scraped(service)
    assert now['evo_todo_pool_size{pool="writes"}'] == 6
    assert now['evo_todo_pool_waiting{pool="shared reads"}'] == 0
    assert now['evo_todo_pool_in_use{pool="reads"}'] == 0
    assert now['evo_todo_statement_timeouts_total{pool="writes"}'] == 0
    assert now["evo_todo_keys{}"] == 1
    assert 0 <= now["evo_todo_keys_age_seconds{}"] < 600
    assert 0 <= now["evo_todo_revocations_age_seconds{}"] < 30
    assert now["evo_todo_revocations{}"] == 1
    assert now["evo_todo_replica_in_use{}"] == 0
    assert now['evo_todo_purged_rows_total{what="deleted tasks"}'] == 0
    assert now['evo_todo_purge_finished_timestamp_seconds{what="audit events"}'] > 1_700_000_000
    eventually(lambda: scraped(service)["evo_todo_audit_waiting{}"] == 0)


def test_no_scrape_shows_anything_of_a_person(service: Service, issuer: LoopbackIssuer) -> None:
    with service.client(issuer.token("alice")) as client:
        client.post(TASKS, json={"title": "Secret-Title"})
    text = service.get("/metrics").text
    assert "alice" not in text
    assert "Secret" not in text
