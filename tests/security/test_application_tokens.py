"""V9: a token that an application has does not speak for the person on all paths; nor does one bound to a key."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from dishka import Provider, Scope, provide

from adapters.memory.access import MemoryAuditLog
from application.ports import AuditLog
from domain.audit import AuditKind
from tests.support.api import Api, InMemory, running
from tests.support.attacks import TASKS, assert_refused, send
from tests.support.json_cases import short

CHALLENGE = 'Bearer error="insufficient_scope"'
ODD: list[Any] = [None, "", " ", 0, 5, True, False, [], ["tasks"], {}, {"tasks": True}]
APPLICATIONS: list[dict[str, Any]] = [
    *({name: value} for name in ("client_id", "azp") for value in [*ODD, "tasks"]),
    *({"scope": value} for value in ODD),
    {"client_id": "app", "azp": "app", "scope": "openid profile"},
]
WRONG_SCOPES = [
    *("task", "Tasks", "tasks:read", "xtasks", "tasks2", "TASKS", "openid profile email", "tasks,openid"),
    *("tasks\topenid", "tasks\nopenid", "\u00a0tasks", '"tasks"', "tasks\0", "openid\u2003tasks"),
]


@pytest.fixture
async def scoped() -> AsyncIterator[Api]:
    async with running(InMemory(), EVO_TODO_SCOPE="tasks") as api:
        yield api


def assert_insufficient(response: httpx.Response, scope: str | None) -> None:
    assert response.status_code == 403, response.text
    assert response.json()["type"] == "urn:problem-type:evo-todo:insufficient-scope"
    challenge = response.headers["WWW-Authenticate"]
    assert challenge.startswith(CHALLENGE)
    assert challenge.endswith('scope="tasks"') == (scope is not None)


@pytest.mark.parametrize("claims", [*APPLICATIONS, {"scope": "tasks"}], ids=short)
async def test_v09_without_a_scope_in_the_settings_no_application_is_served(api: Api, claims: dict[str, Any]) -> None:
    token = api.issuer.token("alice", **claims)
    for _ in range(2):  # the second time from the cache
        assert_insufficient(await send(api, token), None)


@pytest.mark.parametrize("claims", [*APPLICATIONS, *({"scope": one} for one in WRONG_SCOPES)], ids=short)
async def test_v09_an_application_without_the_scope_is_not_served(scoped: Api, claims: dict[str, Any]) -> None:
    token = scoped.issuer.token("alice", **claims)
    for _ in range(2):
        assert_insufficient(await send(scoped, token), "tasks")


@pytest.mark.parametrize("scope", ["tasks", "openid tasks", "tasks profile", "a tasks b", "tasks tasks", " tasks "])
async def test_v09_an_application_with_the_scope_is_served_like_the_person(scoped: Api, scope: str) -> None:
    token = scoped.issuer.token("alice", client_id="app", azp="app", scope=scope)
    for _ in range(2):
        assert (await send(scoped, token)).status_code == 200
        assert (await send(scoped, token, "/api/bob/tasks")).json()["type"].endswith("access-denied")
    assert (await send(scoped, scoped.issuer.token("alice"))).status_code == 200, "a person's own needs no scope"


@pytest.mark.parametrize("path", [TASKS, "/api/bob/tasks", "/nowhere", "/api", "//api/alice/tasks", f"{TASKS}/x"])
async def test_v09_the_scope_comes_before_everything_else_about_the_path(api: Api, path: str) -> None:
    assert_insufficient(await send(api, api.issuer.token("alice", azp="app"), path), None)
    expired = api.issuer.token("alice", azp="app", exp=1, iat=0)
    assert (await send(api, expired, path)).status_code == 401, "but after whether the token is valid"


async def test_v09_a_revoked_token_of_an_application_is_401(api: Api) -> None:
    token = api.issuer.token("alice", azp="app", sid="s-1")
    assert_insufficient(await send(api, token), None)
    event = api.issuer.security_event(session="s-1")
    headers = {"Content-Type": "application/secevent+jwt"}
    assert (await api.http.post("/api/security-events", content=event, headers=headers)).status_code == 202
    await assert_refused(api, [token])


@pytest.mark.parametrize("cnf", [{"jkt": "x"}, {"x5t#S256": "x"}, {}, None, "", [], 5, False], ids=short)
async def test_v09_a_token_that_is_bound_to_a_key_is_refused(scoped: Api, cnf: object) -> None:
    await assert_refused(scoped, [scoped.issuer.token("alice", cnf=cnf)] * 2)
    await assert_refused(scoped, [scoped.issuer.token("alice", cnf=cnf, client_id="app", scope="tasks")] * 2)


class Watched(Provider):
    scope = Scope.APP

    def __init__(self) -> None:
        super().__init__()
        self.log = MemoryAuditLog()

    @provide
    def audit(self) -> AuditLog:
        return self.log


async def test_v09_each_such_request_is_recorded_and_counts_against_the_users_limit() -> None:
    watched = Watched()
    async with running(InMemory(), watched, EVO_TODO_RATE_LIMIT="2/minute") as api:
        token = api.issuer.token("alice", azp="app", sid="s-1")
        assert [(await send(api, token)).status_code for _ in range(3)] == [403, 403, 429]
    denied = [event for event in watched.log.events if event.kind == AuditKind.ACCESS_DENIED]
    assert [(event.user_id, event.session_id, event.reason) for event in denied] == [
        ("alice", "s-1", "The token was issued to an application without the required scope.")
    ] * 2
