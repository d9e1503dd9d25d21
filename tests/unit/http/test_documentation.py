import html
import json
import re
import shlex
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from adapters.http.app import ROUTES
from adapters.http.openapi.document import document, document_json
from adapters.http.problem_types import PROBLEM_TYPES
from adapters.http.schemas import EXAMPLE_TASK_ID
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
    actual = {
        (int(status[len("Problem") :]), content["example"]["type"], content["example"]["title"])
        for status, answer in document(ROUTES)["components"]["responses"].items()
        for content in answer["content"].values()
    }
    known = {(int(kind.status), kind.uri, kind.title) for kind in PROBLEM_TYPES.values()}
    assert {entry for entry in actual if entry[1] != "about:blank"} <= known


async def test_the_document_and_its_page_are_served_without_anything_from_elsewhere(api: Api) -> None:
    served = await api.http.get("/openapi.json")
    assert (served.headers["Content-Type"], served.json()) == ("application/json", json.loads(KEPT.read_bytes()))
    page = await api.http.get("/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    targets = re.findall(r'(?:src|href|action)="([^"]+)"', page.text)
    assert [target for target in targets if not target.startswith("#")] == ["data:,", "/openapi.json"]
    places = set(re.findall(r' id="([^"]+)"', page.text))
    assert {target[1:] for target in targets if target.startswith("#")} <= places
    assert all(path in page.text for path in document(ROUTES)["paths"])
    assert (await api.http.get("/")).headers["Location"] == "/docs"


async def test_the_policy_of_the_page_allows_its_own_script_and_style_by_their_hashes_and_nothing_inline(
    api: Api,
) -> None:
    page = await api.http.get("/docs")
    rules = dict(rule.strip().split(" ", 1) for rule in page.headers["Content-Security-Policy"].split(";"))
    for rule, element in (("script-src", "script"), ("style-src", "style")):
        [text] = re.findall(rf"<{element}>(.*?)</{element}>", page.text, re.DOTALL)
        assert rules[rule] == f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["connect-src"] == "'self'"
    assert not re.findall(r"<[^>]+ (?:on[a-z]+|style)=", page.text)


async def test_the_page_has_types_ranges_defaults_and_examples(api: Api) -> None:
    text = (await api.http.get("/docs")).text
    page = re.sub(r"<style>.*?</style>|<script>.*?</script>", "", text, flags=re.DOTALL)
    assert "`" not in re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL), "code is marked up"
    assert "integer, 1 to 1000, default <code>1000</code>" in page
    assert "boolean, default <code>false</code>" in page
    assert "string or null, at most 2000 characters" in page
    assert "string (uuid)" in page
    assert 'array of <a href="#shape-TaskView">TaskView</a>' in page
    for operation in (one for item in document(ROUTES)["paths"].values() for one in item.values()):
        [article] = re.findall(rf'<article id="{operation["operationId"]}">.*?</article>', page, re.DOTALL)
        assert "<form " in article
        assert "curl " in article
        assert ("curl -N " in article) == (operation["operationId"] == "watchTasks"), "a stream is shown as it comes"
        for parameter in operation["parameters"]:
            assert f"<code>{parameter['name']}</code>" in article
        assert all(f"<code>{status}</code>" in article for status in operation["responses"])


async def test_the_curl_of_each_call_works(api: Api) -> None:
    token = api.issuer.token("alice")
    page = (await api.http.get("/docs")).text
    commands = [
        html.unescape(re.sub(r"<[^>]+>", "", found)) for found in re.findall(r"<pre>(curl .*?)</pre>", page, re.DOTALL)
    ]
    assert len(commands) == sum(len(item) for item in document(ROUTES)["paths"].values())
    for command in commands:
        if "/events" in command or "/security-events" in command:
            continue  # a stream does not end, and no example is a token that the issuer has signed
        task = await api.task()  # another call may have deleted the one before
        text = command.replace("$TOKEN", token).replace("$(uuidgen)", "a-key").replace(EXAMPLE_TASK_ID, task["id"])
        _, *words = shlex.split(text.replace("\\\n", ""))
        [url] = [word for word in words if word.startswith("http://localhost:8000/")]
        options = dict(zip(*[iter(word for word in words if word != url)] * 2, strict=True))
        fields = [words[place + 1].split(": ", 1) for place, word in enumerate(words) if word == "-H"]
        answer = await api.http.request(
            options.get("-X", "GET"),
            url.removeprefix("http://localhost:8000"),
            headers=[(name, value) for name, value in fields],
            content=options.get("-d"),
        )
        assert answer.is_success, (command, answer.text)


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
async def test_an_unchanged_document_is_not_sent_again(api: Api, path: str) -> None:
    first = await api.http.get(path)
    tag = first.headers["ETag"]
    assert re.fullmatch(r'"[0-9a-f]{32}"', tag)
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await api.http.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag), known
        for name in ("Cache-Control", "Content-Security-Policy", "Vary"):
            assert again.headers[name] == first.headers[name], "the client's copy gets the headers of a 304"
    for other in ('"other"', tag.strip('"'), "", '"'):
        assert (await api.http.get(path, headers={"If-None-Match": other})).content == first.content
    assert (await api.http.head(path, headers={"If-None-Match": tag})).status_code == 304
