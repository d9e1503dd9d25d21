"""Function calls and source files of a request: counts are exact where times on a busy machine are not.

The application is the real one, on PostgreSQL, called in this process.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

from attrs import field, frozen
from litestar.types import ASGIApp

from benchmarks.servers import migrate, ours
from benchmarks.world import World, world
from entrypoints.asgi import create_app
from entrypoints.settings import Settings
from tests.support.api import lifespan

KEPT: Final = Path(__file__).with_name("steps.json")
SOURCES: Final = Path(__file__).parents[1] / "src"
MARGIN: Final = 1.1
"""How many times its kept number of calls a request may take."""
REPEATED: Final = 30
"""Each request; the fewest calls count, because what the database sends arrives in a varying number of pieces."""
USER: Final = "u0"
TASKS: Final = f"/api/{USER}/tasks"
CHANGED: Final = "list 20, changed since"
FILE_GOALS: Final = {"get a task": 22, "complete": 26}
"""At most so many files of src."""


@frozen
class Passed:
    """A response, and the calls that it took."""

    status: int
    body: bytes
    calls: int = 0
    """Calls of functions in Python and in C."""
    files: Counter[str] = field(factory=Counter)
    """Calls of Python functions by their file, below src."""


@frozen
class Served:
    """The running application, and a token for it."""

    app: ASGIApp
    token: str

    async def request(self, method: str, path: str, body: bytes = b"") -> Passed:
        """Send a request and count."""
        sent: list[Any] = []
        calls = 0
        files: Counter[str] = Counter()

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        def count(frame: FrameType, event: str, _: object) -> None:
            nonlocal calls
            if event in {"call", "c_call"}:
                calls += 1
            if event == "call":
                files[frame.f_code.co_filename] += 1

        scope = _scope(method, path, body, self.token)
        sys.setprofile(count)
        try:
            await self.app(scope, receive, send)
        finally:
            sys.setprofile(None)
        ours = {name: number for name, number in files.items() if Path(name).is_relative_to(SOURCES)}
        named = Counter({f"{Path(name).relative_to(SOURCES)}": number for name, number in ours.items()})
        return Passed(sent[0]["status"], sent[1]["body"], calls, named)

    async def expect(self, status: int, method: str, path: str, body: bytes = b"") -> Passed:
        """Send a request, and raise SystemExit unless the response has that status."""
        passed = await self.request(method, path, body)
        if passed.status != status:
            raise SystemExit(f"{method} {path}: {passed.status} {passed.body!r}")
        return passed

    async def create(self, title: str) -> str:
        """Create a task and return its id."""
        created = await self.expect(201, "POST", TASKS, json.dumps({"title": title}).encode())
        return str(json.loads(created.body)["id"])


def _scope(method: str, path: str, body: bytes, token: str) -> Any:
    raw, _, query = path.partition("?")
    headers = [(b"host", b"api.test"), (b"authorization", f"Bearer {token}".encode())]
    if body:
        headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return {
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


@asynccontextmanager
async def _serving(made: World) -> AsyncIterator[Served]:
    app = create_app(Settings.from_env(ours(made)))
    async with lifespan(app):
        yield Served(app, made.token(0))


def steps(*, renew: bool = False) -> dict[str, dict[str, int]]:
    """The calls of each request beside the kept number; `renew` keeps the new ones."""
    with world() as made:
        migrate(made)
        counted = asyncio.run(_count_steps(made))
    kept: dict[str, int] = json.loads(KEPT.read_text())
    if renew:
        KEPT.write_text(json.dumps(counted, indent=1) + "\n")
    return {name: {"calls": calls, "kept": kept.get(name, 0)} for name, calls in counted.items()}


def exceeded(found: dict[str, dict[str, int]]) -> list[str]:
    """The requests that take more calls than they may."""
    return [name for name, one in found.items() if one["calls"] > one["kept"] * MARGIN]


async def _count_steps(made: World) -> dict[str, int]:
    async with _serving(made) as served:
        first, *_ = [await served.create(f"Task {number}") for number in range(20)]
        requests = {
            "get a task": (200, "GET", f"{TASKS}/{first}", b""),
            "list 20": (200, "GET", f"{TASKS}?limit=20", b""),
            CHANGED: (200, "GET", f"{TASKS}?limit=20", b""),
            "create": (201, "POST", TASKS, b'{"title":"Buy milk","description":"Two bottles"}'),
        }
        counted: dict[str, int] = {}
        for name, request in requests.items():
            results = []
            for _ in range(REPEATED):
                if name == CHANGED:
                    await served.create("One more")
                results.append(await served.expect(*request))
            counted[name] = min(passed.calls for passed in results)
        return counted


def files() -> dict[str, Passed]:
    """What a GET of a task and a PATCH …/complete pass: the repetition with the fewest files, then calls, of each.

    Background work may run while a request waits; what it calls is not the request's.
    """
    with world() as made:
        migrate(made)
        return asyncio.run(_count_files(made))


async def _count_files(made: World) -> dict[str, Passed]:
    async with _serving(made) as served:
        task = await served.create("Buy milk")
        requests = {
            "get a task": (200, "GET", f"{TASKS}/{task}", b""),
            "complete": (200, "PATCH", f"{TASKS}/{task}/complete", b""),
        }
        return {
            name: min(
                [await served.expect(*request) for _ in range(REPEATED)],
                key=lambda passed: (len(passed.files), passed.calls),
            )
            for name, request in requests.items()
        }


def files_report(found: dict[str, Passed]) -> str:
    """How many files and calls, and each file with the calls of its functions."""
    lines = []
    for name, passed in found.items():
        lines.append(f"{name}: {len(passed.files)} files (goal: {FILE_GOALS[name]}), {passed.calls} calls")
        lines += [f"  {number:4} {file}" for file, number in sorted(passed.files.items())]
    return "\n".join(lines)
