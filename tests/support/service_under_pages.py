"""The Python service that the pages use, and direct access to a person's tasks in it."""

import subprocess
import sys
from pathlib import Path
from subprocess import DEVNULL
from typing import Any, Self

import httpx
from attrs import define, field, frozen

from tests.support.frontend import Person
from tests.support.service import TIMEOUT, end, environment, eventually


@define
class Api:
    """The service on a fixed port, so that it can be stopped and started again."""

    port: int
    _folder: Path
    _settings: dict[str, str]
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def origin(self) -> str:
        """The origin that pages use."""
        return f"http://localhost:{self.port}"

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.origin, headers=headers, timeout=TIMEOUT, trust_env=False, verify=False)

    def ask(self, method: str, path: str, token: str | None = None, **options: Any) -> httpx.Response:
        with self.client(token) as client:
            return client.request(method, path, **options)

    def start(self) -> Self:
        if self._process is None:
            with (self._folder / "log").open("ab") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "entrypoints.cli", "serve", "--migrate"],
                    env=environment(self._settings | {"EVO_TODO_PORT": str(self.port)}, self._folder),
                    cwd=self._folder,
                    stdin=DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # a process group of its own, so that all its processes can be stopped
                )
            self._process = process
            eventually(lambda: process.poll() is not None or self.ask("GET", "/health").is_success)
            assert process.poll() is None, self.log
        return self

    def stop(self) -> None:
        """Stop the process at once, without a graceful shutdown."""
        if self._process:
            end(self._process)
            self._process = None


@frozen
class Tasks:
    """A person's tasks in the service."""

    _api: Api
    _person: Person
    _token: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_token", self._person.token())

    @property
    def path(self) -> str:
        return f"/api/{self._person.user_id}/tasks"

    def add(self, *titles: str, description: str | None = None) -> list[dict[str, Any]]:
        """Add tasks in this order; pages show the newest at the top."""
        with self._api.client(self._token) as client:
            answers = [client.post(self.path, json={"title": title, "description": description}) for title in titles]
        return [_ok(answer) for answer in answers]

    def change(self, task: dict[str, Any], **members: object) -> None:
        self._ask("PATCH", f"/{task['id']}", members)

    def delete(self, task: dict[str, Any]) -> None:
        answer = self._api.ask("DELETE", f"{self.path}/{task['id']}", self._token)
        assert answer.status_code == 204, answer.text

    def search(self, text: str) -> list[str]:
        """The titles that the service finds, newest first."""
        answer = self._api.ask("GET", self.path, self._token, params={"q": text, "sort": "-created_at"})
        return [task["title"] for task in _ok(answer)["data"]]

    def all(self) -> list[dict[str, Any]]:
        """Newest first."""
        page = self._ask("GET", "?sort=-created_at&limit=1000")
        return list(page["data"])

    def titles(self) -> list[str]:
        return [task["title"] for task in self.all()]

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        return _ok(self._api.ask(method, self.path + path, self._token, json=body))


def _ok(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()
