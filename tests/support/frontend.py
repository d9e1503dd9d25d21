"""The frontend as its users run it: the built one, as a process on a port of its own, and people who sign in there.

    with frontend(folder=tmp_path, settings={}) as web:
        alice = web.person().sign_up()
        alice.token()                               # a JWT for the API; alice.user_id is its subject
        alice.elsewhere().sign_in()                 # the same person, with another browser

`web.url` is what a browser opens. TEST_FRONTEND names another folder to take the built frontend from.
"""

import os
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
from tests.support.service import HOST, PATIENCE, end, environment, eventually

FRONTEND: Final = Path(os.environ.get("TEST_FRONTEND", Path(__file__).parents[2] / "frontend"))
PASSWORD: Final = "a long enough pass phrase"
OURS: Final = "127.0.0.1,::1"
"""The tests are the proxy in front, so that each person's address counts for itself."""

_ADDRESSES = count(int(ip_address("198.18.0.1")))  # set aside for tests (RFC 2544)


@define
class Person:
    """Someone with a browser: a cookie jar and an address of their own. Calls go to /api/auth."""

    email: str
    _frontend: "Frontend"
    http: httpx.Client
    password: str = PASSWORD
    user_id: str = ""
    """Known once they have signed up or in."""

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
        """A fresh JWT for the API; `get("/token")` is for whoever expects a refusal."""
        return str(_ok(self.get("/token"))["token"])

    def session(self) -> dict[str, Any] | None:
        """The session: its id, token, userId, expiresAt and more; None without one."""
        answer = _ok(self.get("/get-session"))
        return answer["session"] if answer else None

    def revoke(self, session_token: str) -> None:
        """End one session of this person's, known by its token."""
        _ok(self.post("/revoke-session", token=session_token))

    def revoke_others(self) -> None:
        """End this person's other sessions."""
        _ok(self.post("/revoke-other-sessions"))

    def delete_user(self) -> None:
        _ok(self.post("/delete-user", password=self.password))

    def elsewhere(self) -> "Person":
        """The same person with another browser, at another address, not signed in."""
        return self._frontend.person(self.email, password=self.password)

    def _known(self, answer: httpx.Response) -> Self:
        self.user_id = _ok(answer)["user"]["id"]
        return self


@frozen
class Frontend:
    """A frontend that runs. Its folder holds its data, if they are not in PostgreSQL."""

    process: "subprocess.Popen[bytes]"
    url: str
    """Its address as people know it, BETTER_AUTH_BASE_URL: also its issuer, its audience and its origin."""
    port: int
    folder: Path
    _log: Path
    _stack: ExitStack = field(factory=ExitStack)

    @property
    def address(self) -> str:
        """Where it listens, whatever people know it as."""
        return f"http://{HOST}:{self.port}"

    @property
    def log(self) -> str:
        """What it has written."""
        return self._log.read_text()

    def client(self, **headers: str) -> httpx.Client:
        """A client of /api/auth without any headers but these; closed when the frontend ends."""
        return self._stack.enter_context(self._client(headers))

    def _client(self, headers: dict[str, str] | None = None) -> httpx.Client:
        # Certificates take longer to load than most requests here take, and none is asked for.
        return httpx.Client(
            base_url=f"{self.address}/api/auth", headers=headers, timeout=PATIENCE, trust_env=False, verify=False
        )

    def answers(self) -> bool:
        """Whether it is there. This makes no key, as a look at the published ones would."""
        with self._client() as client:
            return client.get("/ok").is_success

    def person(self, email: str | None = None, *, password: str = PASSWORD) -> Person:
        """Somebody who has not signed up or in yet; without an e-mail address, somebody new."""
        sender = str(ip_address(next(_ADDRESSES)))
        http = self.client(**{"Origin": self.url, "X-Forwarded-For": sender})
        return Person(email or f"{uuid4().hex}@example.com", self, http, password)

    def key_ids(self) -> list[str]:
        """The published keys' names."""
        with self._client() as client:
            return [key["kid"] for key in _ok(client.get("/jwks"))["keys"]]


def _ok(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.request.url.path}: {answer.status_code} {answer.text}"
    return answer.json()


def command() -> list[str]:
    """What starts the built frontend; a failure in words where there is none."""
    assert (FRONTEND / ".next/standalone/server.js").is_file(), "the frontend is not built: make e2e"
    node = shutil.which("node")
    assert node, "there is no node on the PATH"
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
    """Run a frontend that cannot start, to its end."""
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
            code = process.wait(PATIENCE)
        finally:
            end(process)
        for stream in (output, log):
            stream.seek(0)
        return subprocess.CompletedProcess(process.args, code, output.read(), log.read())


@contextmanager
def frontend(*, folder: Path, settings: dict[str, str]) -> Generator[Frontend]:
    """Start the built frontend, wait until it answers, and leave nothing of it behind.

    The settings go before the tests' own: a free port, http://localhost:<port>, data in the folder, and the tests as
    the proxy in front.
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
            start_new_session=True,  # its own process group, so that all of it can be found and ended
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
