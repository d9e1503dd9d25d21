"""The key that signs access tokens also signs Better Auth's other tokens (RFC 8725 §3.11-3.12)."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.frontend import FRONTEND, Frontend, command
from tests.support.interop_calls import accepts, header, refusal
from tests.support.service import TIMEOUT, Service, environment

SCRIPT = Path(__file__).with_name("other_tokens.mjs")


@pytest.fixture(scope="module")
def tokens(web: Frontend, shared: dict[str, str]) -> dict[str, str]:
    """Tokens of every kind for one person, created by Better Auth's own code."""
    person = web.person().sign_up()
    arguments = {
        "databaseURL": shared["DATABASE_URL"],
        "secret": shared["BETTER_AUTH_SECRETS"].partition(":")[2],
        "baseURL": web.url,
        "cookie": "; ".join(f"{name}={value}" for name, value in person.http.cookies.items()),
        "user": person.user_id,
    }
    node, *_ = command()
    completed = subprocess.run(
        [node, str(SCRIPT)],
        input=json.dumps(arguments),
        env=environment({}, web.folder),
        cwd=FRONTEND,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    found: dict[str, str] = json.loads(completed.stdout)
    return found | {"user": person.user_id}


def test_an_access_token_created_by_the_same_code_is_accepted(tokens: dict[str, str], api: Service) -> None:
    assert accepts(api, tokens["access"])


@pytest.mark.parametrize(
    ("kind", "typ"),
    [
        ("logout", "logout+jwt"),
        ("logout, by its type only", "logout+jwt"),
        ("logout, by its claims only", None),
        ("session cache", "better-auth.session-cache+jwt"),
        ("session cache, by its type only", "better-auth.session-cache+jwt"),
    ],
)
def test_a_token_of_another_kind_signed_with_the_same_key_is_rejected(
    kind: str, typ: str | None, tokens: dict[str, str], api: Service
) -> None:
    token = tokens[kind]

    assert header(token)["kid"] == header(tokens["access"])["kid"]
    assert header(token).get("typ") == typ
    assert "not an access token" in refusal(api, token, owner=tokens["user"])
