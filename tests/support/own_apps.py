"""The code of docs/how-to/your-own-app.md and leave-hs256.md, imported as the pages have it, and its issuer."""

import asyncio
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import define, field

from tests.support.code_blocks import titled_blocks
from tests.support.tokens import Issuer

PAGES = ("how-to/your-own-app.md", "how-to/leave-hs256.md")
BASE_URL = "https://auth.example.com"


@define
class Published(httpx.AsyncBaseTransport):
    """The issuer, as the app's HTTP client reaches it."""

    issuer: Issuer = field(factory=lambda: Issuer.new(name=BASE_URL, audience=BASE_URL))
    members: dict[str, Any] = field(factory=dict)
    fails: bool = False
    fetches: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.fetches += 1
        await asyncio.sleep(0)
        assert str(request.url) == f"{BASE_URL}/api/auth/jwks"
        document = json.dumps({"keys": [self.issuer.jwk(**self.members)]}).encode()
        return httpx.Response(500 if self.fails else 200, stream=httpx.ByteStream(document))


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, published: Published) -> Callable[[str], Any]:
    """Import an app as the page writes it; only its way to the issuer is replaced."""
    for name, text in {name: text for page in PAGES for name, text in titled_blocks(page).items()}.items():
        (tmp_path / name).write_text(text)
        monkeypatch.delitem(sys.modules, name.removesuffix(".py"), raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("BETTER_AUTH_BASE_URL", BASE_URL)

    def load_app(name: str) -> Any:
        module: Any = importlib.import_module(name)
        module.better_auth = importlib.import_module("better_auth").BetterAuth(BASE_URL, transport=published)
        return module.app

    return load_app
