"""How many steps a request takes: calls of Python functions, which say what a clock can't on a busy machine.

More than a tenth above what is kept in steps.json is a step back. After a change that is worth it, and after one that
saves some: `RENEW_STEPS=1 make test ARGS="tests/integration/http/test_steps.py"`.
"""

import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest
from attrs import frozen
from litestar.types import ASGIApp

from entrypoints.asgi import create_app
from tests.support.api import KeysOf, lifespan, settings
from tests.support.postgres import SERVICE, as_role
from tests.support.tokens import Issuer

KEPT: Final = Path(__file__).with_name("steps.json")
MARGIN: Final = 1.1
REPEATED: Final = 30
"""The least of so many counts: how bytes come in from the database differs from one time to the next."""
TASKS: Final = "/api/alice/tasks"
CHANGED: Final = "list 20, changed since"


@frozen
class Served:
    """The application, and a token for it."""

    app: ASGIApp
    token: str

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes, int]:
        """Status, body, and the number of calls that they took."""
        raw, _, query = path.partition("?")
        headers = [(b"host", b"api.test"), (b"authorization", f"Bearer {self.token}".encode())]
        if body:
            headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        scope: Any = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": raw,
            "raw_path": raw.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": headers,
            "client": ("192.0.2.1", 1234),
            "server": ("api.test", 80),
        }
        sent: list[Any] = []
        calls = 0

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        def count(_: FrameType, event: str, __: object) -> None:
            nonlocal calls
            calls += event in {"call", "c_call"}

        sys.setprofile(count)
        try:
            await self.app(scope, receive, send)
        finally:
            sys.setprofile(None)
        return sent[0]["status"], sent[1]["body"], calls


@pytest.fixture
async def served(migrated_postgres_url: str) -> AsyncIterator[Served]:
    issuer = Issuer.new()
    app = create_app(settings(DATABASE_URL=as_role(migrated_postgres_url, SERVICE)), KeysOf(issuer))
    async with lifespan(app):
        yield Served(app, issuer.token("alice", sid="s-1"))


async def test_no_call_takes_more_steps_than_it_did(served: Served) -> None:
    ids = []
    for number in range(20):
        status, body, _ = await served.ask("POST", TASKS, b'{"title":"Task %d"}' % number)
        assert status == 201
        ids.append(json.loads(body)["id"])
    calls = {
        "get a task": ("GET", f"{TASKS}/{ids[0]}", b"", 200),
        "list 20": ("GET", f"{TASKS}?limit=20", b"", 200),
        CHANGED: ("GET", f"{TASKS}?limit=20", b"", 200),
        "create": ("POST", TASKS, b'{"title":"Buy milk","description":"Two bottles"}', 201),
    }
    counted: dict[str, int] = {}
    for name, (method, path, body, expected) in calls.items():
        results = []
        for _ in range(REPEATED):
            if name == CHANGED:
                await served.ask("POST", TASKS, b'{"title":"One more"}')
            results.append(await served.ask(method, path, body))
        assert {status for status, _, _ in results} == {expected}
        counted[name] = min(steps for _, _, steps in results)

    if os.environ.get("RENEW_STEPS"):
        KEPT.write_text(json.dumps(counted, indent=1) + "\n")
    kept: dict[str, int] = json.loads(KEPT.read_text())
    assert counted.keys() == kept.keys()
    assert {name: steps for name, steps in counted.items() if steps > kept[name] * MARGIN} == {}, kept
