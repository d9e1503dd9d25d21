"""The key that signs access tokens signs Better Auth's other tokens, too (RFC 8725 §3.11-3.12)."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.frontend import FRONTEND, Frontend, command
from tests.support.interop_calls import accepts, header, refusal
from tests.support.service import PATIENCE, Service, environment

SCRIPT = Path(__file__).with_name("other_tokens.mjs")


@pytest.fixture(scope="module")
def tokens(web: Frontend, shared: dict[str, str]) -> dict[str, str]:
    """Tokens of every kind for one person, made by Better Auth's own code."""
    person = web.person().sign_up()
    asked = {
        "databaseURL": shared["DATABASE_URL"],
        "secret": shared["BETTER_AUTH_SECRETS"].partition(":")[2],
        "baseURL": web.url,
        "cookie": "; ".join(f"{name}={value}" for name, value in person.http.cookies.items()),
        "user": person.user_id,
    }
    node, *_ = command()
    made = subprocess.run(
        [node, str(SCRIPT)],
        input=json.dumps(asked),
        env=environment({}, web.folder),
        cwd=FRONTEND,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    found: dict[str, str] = json.loads(made.stdout)
    return found | {"user": person.user_id}


def test_an_access_token_that_is_made_in_the_same_way_is_taken(tokens: dict[str, str], api: Service) -> None:
    assert accepts(api, tokens["access"])


@pytest.mark.parametrize(
    ("kind", "typ"),
    [
        ("logout", "logout+jwt"),
        ("logout, by its type alone", "logout+jwt"),
        ("logout, by its claims alone", None),
        ("session cache", "better-auth.session-cache+jwt"),
        ("session cache, by its type alone", "better-auth.session-cache+jwt"),
    ],
)
def test_a_token_of_another_kind_is_refused_although_the_same_key_has_signed_it(
    kind: str, typ: str | None, tokens: dict[str, str], api: Service
) -> None:
    token = tokens[kind]

    assert header(token)["kid"] == header(tokens["access"])["kid"]
    assert header(token).get("typ") == typ
    assert "not an access token" in refusal(api, token, owner=tokens["user"])
