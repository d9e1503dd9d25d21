"""V9: tokens that a real Better Auth issues to applications, by its OAuth provider."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from tests.interop.conftest import StartApi
from tests.support.frontend import FRONTEND, command
from tests.support.interop_calls import accepts, ask, claims, header, refusal
from tests.support.postgres_local import free_port
from tests.support.service import Service, end, environment

SCRIPT = Path(__file__).with_name("oauth_provider.mjs")


@frozen
class Provider:
    """A Better Auth with an OAuth provider, and the tokens that it has issued for one person."""

    url: str
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    node, *_ = command()
    port, folder = free_port(), tmp_path_factory.mktemp("oauth")
    log = folder / "log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [node, str(SCRIPT), str(port)],
            env=environment({}, folder),
            cwd=FRONTEND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, log.read_text()
            yield Provider(f"http://localhost:{port}", json.loads(line))
        finally:
            end(process)


@pytest.fixture(scope="module")
def closed(provider: Provider, start_api: StartApi) -> Iterator[Service]:
    """A service that no application may use."""
    with start_api({"BETTER_AUTH_BASE_URL": provider.url}) as it:
        yield it


@pytest.fixture(scope="module")
def scoped(provider: Provider, start_api: StartApi) -> Iterator[Service]:
    """A service that applications with the scope `tasks` may use."""
    with start_api({"BETTER_AUTH_BASE_URL": provider.url, "EVO_TODO_SCOPE": "tasks"}) as it:
        yield it


def challenge(api: Service, token: str, owner: str) -> Any:
    """The challenge of a 403; the same for the token's second request, which is answered from the cache."""
    first, second = (ask(api, token, owner) for _ in range(2))
    assert (first.status_code, second.status_code) == (403, 403), first.text
    assert first.headers["WWW-Authenticate"] == second.headers["WWW-Authenticate"]
    return first.headers["WWW-Authenticate"]


def test_the_provider_signs_what_is_described_here(provider: Provider) -> None:
    tokens = provider.tokens
    for kind in ("wrong", "right", "several", "bound"):
        assert header(tokens[kind])["kid"] == header(tokens["own"])["kid"]
        assert header(tokens[kind])["typ"] == "at+jwt"
        assert claims(tokens[kind]).keys() >= {"client_id", "azp", "scope", "sid"}
        assert ("cnf" in claims(tokens[kind])) == (kind == "bound")
    assert not claims(tokens["own"]).keys() & {"client_id", "azp", "scope", "cnf"}


def test_a_persons_own_token_is_accepted(provider: Provider, closed: Service, scoped: Service) -> None:
    assert accepts(closed, provider.tokens["own"])
    assert accepts(scoped, provider.tokens["own"])


@pytest.mark.parametrize("kind", ["wrong", "right", "several"])
def test_without_a_scope_in_the_settings_no_application_is_served(
    kind: str, provider: Provider, closed: Service
) -> None:
    found = challenge(closed, provider.tokens[kind], provider.tokens["user"])
    assert found.startswith('Bearer error="insufficient_scope"')
    assert "scope=" not in found


def test_an_application_with_another_scope_is_not_served(provider: Provider, scoped: Service) -> None:
    found = challenge(scoped, provider.tokens["wrong"], provider.tokens["user"])
    assert found.startswith('Bearer error="insufficient_scope"')
    assert found.endswith('scope="tasks"')


@pytest.mark.parametrize("kind", ["right", "several"])
def test_an_application_with_the_scope_is_served(kind: str, provider: Provider, scoped: Service) -> None:
    for _ in range(2):
        assert accepts(scoped, provider.tokens[kind])
    assert ask(scoped, provider.tokens[kind], "somebody-else").json()["type"].endswith("access-denied")


def test_a_token_that_is_bound_by_dpop_is_refused(provider: Provider, closed: Service, scoped: Service) -> None:
    for api in (closed, scoped):
        assert "bound to a key" in refusal(api, provider.tokens["bound"])


def test_an_id_token_is_refused(provider: Provider, scoped: Service) -> None:
    assert "another audience" in refusal(scoped, provider.tokens["id"], provider.tokens["user"])
