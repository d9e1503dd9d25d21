"""The built frontend as a process on its own port, as users run it, and people who sign in there.

    with frontend(folder=tmp_path, settings={}) as web:
        alice = web.person().sign_up()
        alice.token()                               # a JWT for the API; alice.user_id is its subject
        alice.elsewhere().sign_in()                 # the same person in another browser

`web.url` is the URL for a browser. TEST_FRONTEND sets another folder for the built frontend.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from subprocess import DEVNULL
from typing import Any, Final, Self
from uuid import uuid4

import httpx
from attrs import define, field, frozen

from tests.support.postgres_local import free_port
from tests.support.service import HOST, TIMEOUT, end, environment, eventually

FRONTEND: Final = Path(os.environ.get("TEST_FRONTEND", Path(__file__).parents[2] / "frontend"))
PASSWORD: Final = "a long enough pass phrase"
OURS: Final = "127.0.0.1,::1"
"""The tests act as a trusted proxy, so that each person has a client address of their own for rate limits."""

_ADDRESSES = count(int(ip_address("198.18.0.1")))  # reserved for tests (RFC 2544)


@define
class Person:
    """A user with a browser: a cookie jar and a client address of their own. Requests go to /api/auth."""

    email: str
    _frontend: "Frontend"
    http: httpx.Client
    password: str = PASSWORD
    user_id: str = ""
    """Set by `sign_up` and `sign_in`."""

    def get(self, path: str) -> httpx.Response:
        return self.http.get(path)

    def post(self, path: str, **body: object) -> httpx.Response:
        return self.http.post(path, json=body)

    def sign_up(self) -> Self:
        return self._known(self.post("/sign-up/email", name="Somebody", email=self.email, password=self.password))

    def sign_in(self) -> Self:
        return self._known(self.post("/sign-in/email", email=self.email, password=self.password))

    def sign_out(self) -> None:
        _ok(self.post("/sign-out"))

    def token(self) -> str:
        """A fresh JWT for the API. Use `get("/token")` where an error is expected."""
        return str(_ok(self.get("/token"))["token"])

    def session(self) -> dict[str, Any] | None:
        """The session with id, token, userId, expiresAt and more; None if there is none."""
        answer = _ok(self.get("/get-session"))
        return answer["session"] if answer else None

    def revoke(self, session_token: str) -> None:
        """Revoke the session with this session token."""
        _ok(self.post("/revoke-session", token=session_token))

    def revoke_others(self) -> None:
        """Revoke all other sessions of this person."""
        _ok(self.post("/revoke-other-sessions"))

    def delete_user(self) -> None:
        _ok(self.post("/delete-user", password=self.password))

    def elsewhere(self) -> "Person":
        """The same person in another browser with another client address, not signed in."""
        return self._frontend.person(self.email, password=self.password)

    def _known(self, answer: httpx.Response) -> Self:
        self.user_id = _ok(answer)["user"]["id"]
        return self


@frozen
class Frontend:
    """A running frontend. Its folder holds its data, unless they are in PostgreSQL."""

    process: "subprocess.Popen[bytes]"
    url: str
    """Its public URL (BETTER_AUTH_BASE_URL), which is also its issuer, audience and origin."""
    port: int
    folder: Path
    _log: Path
    _stack: ExitStack = field(factory=ExitStack)

    @property
    def address(self) -> str:
        """The URL that it listens on, which may differ from its public URL."""
        return f"http://{HOST}:{self.port}"

    @property
    def log(self) -> str:
        """Its output."""
        return self._log.read_text()

    def client(self, **headers: str) -> httpx.Client:
        """A client of /api/auth with these headers only; closed when the frontend stops."""
        return self._stack.enter_context(self._client(headers))

    def _client(self, headers: dict[str, str] | None = None) -> httpx.Client:
        # Loading certificates takes longer than most requests here, and none is needed.
        return httpx.Client(
            base_url=f"{self.address}/api/auth", headers=headers, timeout=TIMEOUT, trust_env=False, verify=False
        )

    def answers(self) -> bool:
        """Whether it responds. Unlike a request for the key set, this does not create a key."""
        with self._client() as client:
            return client.get("/ok").is_success

    def person(self, email: str | None = None, *, password: str = PASSWORD) -> Person:
        """A person who has not signed up or in yet, by default with a new email address."""
        sender = str(ip_address(next(_ADDRESSES)))
        http = self.client(**{"Origin": self.url, "X-Forwarded-For": sender})
        return Person(email or f"{uuid4().hex}@example.com", self, http, password)

    def key_ids(self) -> list[str]:
        """The ids (`kid`) of the published keys."""
        with self._client() as client:
            return [key["kid"] for key in _ok(client.get("/jwks"))["keys"]]


def _ok(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.request.url.path}: {answer.status_code} {answer.text}"
    return answer.json()


def printed_link(web: Frontend, address: str, before: int = 0) -> str:
    """The link in a mail that the frontend has printed, after this many characters of its output."""

    def mails() -> list[str]:
        return re.findall(rf"Mail to {re.escape(address)}.*?(https?://\S+)", web.log[before:], re.DOTALL)

    eventually(lambda: bool(mails()))
    return mails()[-1]


def command() -> list[str]:
    """The command that starts the built frontend. Fails with a hint if it is not built or Node is missing."""
    assert (FRONTEND / ".next/standalone/frontend/server.js").is_file(), "the frontend is not built: run `make e2e`"
    node = shutil.which("node")
    assert node, "node is not on the PATH"
    return [node, str(FRONTEND / "scripts/start.mjs")]


def _environment(folder: Path, settings: dict[str, str], port: str) -> dict[str, str]:
    ours = {
        "BETTER_AUTH_BASE_URL": f"http://localhost:{port}",
        "EVO_TODO_WEB_PORT": port,
        "EVO_TODO_DATA": str(folder),
        "EVO_TODO_TRUSTED_PROXIES": OURS,
        "NEXT_TELEMETRY_DISABLED": "1",
    }
    return environment(ours | settings, folder)


def ended_at_start(*, folder: Path, settings: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run a frontend that cannot start, and wait for its exit."""
    port = free_port()
    with ExitStack() as stack:
        output, log = (stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(2))
        process = subprocess.Popen(
            command(),
            env=_environment(folder, settings, str(port)),
            cwd=folder,
            stdin=DEVNULL,
            stdout=output,
            stderr=log,
            start_new_session=True,
        )
        try:
            code = process.wait(TIMEOUT)
        finally:
            end(process)
        for stream in (output, log):
            stream.seek(0)
        return subprocess.CompletedProcess(process.args, code, output.read(), log.read())


@contextmanager
def frontend(*, folder: Path, settings: dict[str, str]) -> Generator[Frontend]:
    """Start the built frontend, wait until it responds, and stop all its processes on exit.

    `settings` override the defaults: a free port, http://localhost:<port> as its URL, data in `folder`, and the tests
    as a trusted proxy.
    """
    port = settings.get("EVO_TODO_WEB_PORT") or str(free_port())
    environ = _environment(folder, settings, port)
    with ExitStack() as stack:
        log = stack.enter_context(tempfile.NamedTemporaryFile())
        process = subprocess.Popen(
            command(),
            env=environ,
            cwd=folder,
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a process group of its own, so that all its processes can be stopped
        )
        web = Frontend(process, environ["BETTER_AUTH_BASE_URL"], int(port), folder, Path(log.name))
        try:
            eventually(lambda: process.poll() is not None or web.answers())
            assert process.poll() is None, web.log
            with web._stack:
                yield web
        finally:
            end(process)
            sys.stderr.write(web.log)  # pytest shows it where a test fails
