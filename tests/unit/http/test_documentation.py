import json
import re
from pathlib import Path

from openapi_spec_validator import validate

from adapters.http.app import ROUTES
from adapters.http.openapi.document import document, document_json
from adapters.http.problems import PROBLEM_TYPES
from tests.support.api import Api

KEPT = Path(__file__).parents[3] / "contracts" / "api-contract.openapi.json"


def test_the_document_is_openapi() -> None:
    validate(document(ROUTES))


def test_the_kept_document_is_the_one_that_is_served() -> None:
    assert KEPT.read_bytes() == document_json(ROUTES), "run `make openapi` and look at what has changed"


def test_every_route_is_in_the_document_and_nothing_else() -> None:
    undocumented = {"/", "/docs", "/openapi.json", "/metrics"}
    routes = {(route.path, route.method.lower()) for route in ROUTES if route.path not in undocumented}
    documented = {(path, method) for path, item in document(ROUTES)["paths"].items() for method in item}
    assert documented == routes


def test_every_call_has_a_name_an_example_and_its_answers() -> None:
    names = []
    for item in document(ROUTES)["paths"].values():
        for operation in item.values():
            names.append(operation["operationId"])
            success = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
            if operation["operationId"] not in {"deleteTask", "receiveSecurityEvent"}:  # which answer with no body
                [content] = success["content"].values()
                assert "example" in content
            if operation["tags"] == ["tasks"]:
                assert operation["security"] == [{"betterAuth": []}]
                assert {"401", "403", "503"} <= set(operation["responses"])
    assert len(set(names)) == len(names)


def test_the_documents_problems_are_those_that_are_answered() -> None:
    told = {
        (int(status[len("Problem") :]), content["example"]["type"], content["example"]["title"])
        for status, answer in document(ROUTES)["components"]["responses"].items()
        for content in answer["content"].values()
    }
    known = {(int(kind.status), kind.uri, kind.title) for kind in PROBLEM_TYPES.values()}
    assert {entry for entry in told if entry[1] != "about:blank"} <= known


async def test_the_document_and_its_page_are_served_without_anything_from_elsewhere(api: Api) -> None:
    served = await api.http.get("/openapi.json")
    assert (served.headers["Content-Type"], served.json()) == ("application/json", json.loads(KEPT.read_bytes()))
    page = await api.http.get("/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    assert re.findall(r'(?:src|href)="([^"]+)"', page.text) == ["data:,", "/openapi.json"]
    assert "<script" not in page.text
    assert all(path in page.text for path in document(ROUTES)["paths"])
    assert (await api.http.get("/")).headers["Location"] == "/docs"
