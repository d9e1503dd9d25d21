import pytest

from adapters.http.app import ROUTES
from adapters.http.metrics import RequestMetrics
from adapters.http.routing import Services
from tests.contracts.tasks_over_http import LIST
from tests.support.api import Api


async def scraped(api: Api) -> list[str]:
    answer = await api.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return answer.text.splitlines()


def counted(lines: list[str], **labels: str) -> float:
    """How many requests with these labels were answered."""
    return sum(
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("evo_todo_request_seconds_count{")
        and all(f'{name}="{value}"' in line for name, value in labels.items())
    )


async def test_requests_are_counted_by_route_method_and_status(api: Api) -> None:
    await api.task()
    for _ in range(3):
        await api("GET", LIST)
    await api("GET", "/api/bob/tasks")
    await api.http.get(LIST)
    lines = await scraped(api)
    route = "/api/{user_id}/tasks"
    assert counted(lines, route=route, method="POST", status="201") == 1
    assert counted(lines, route=route, method="GET", status="200") == 3
    assert counted(lines, route="/api/{user_id}", method="GET", status="403") == 1
    assert counted(lines, route="-", status="401") == 1
    assert counted(lines) == 6
    assert counted(await scraped(api), route="/metrics") == 1


async def test_nothing_that_a_client_chose_is_in_a_label(api: Api) -> None:
    await api("GET", "/api/alice@example.org/tasks?q=secret")
    await api.http.request("SECRET", LIST)
    await api.http.get("/secret", headers={"X-Request-Id": "secret", "User-Agent": "secret"})
    text = "\n".join(await scraped(api))
    assert "example.org" not in text
    assert "secret" not in text.lower()
    assert 'method="other"' in text


def test_a_time_is_counted_in_its_bucket_and_all_above() -> None:
    metrics = RequestMetrics()
    for seconds in (0.001, 0.005, 0.006, 0.3, 99.0):
        metrics.count("/x", "GET", 200, seconds)
    (family,) = metrics.registry.collect()
    samples = {sample.labels.get("le", sample.name): sample.value for sample in family.samples}
    assert [samples[le] for le in ("0.005", "0.025", "0.1", "0.5", "2.5", "+Inf")] == [2, 3, 3, 4, 4, 5]
    assert samples["evo_todo_request_seconds_sum"] == pytest.approx(99.312)


def test_each_application_has_numbers_of_its_own() -> None:
    assert Services(ROUTES).metrics is not Services(ROUTES).metrics
