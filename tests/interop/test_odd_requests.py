"""Whatever is sent to the frontend's sign-in service is answered with a 4xx, and by what the pages use only (V11)."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any, Final

import httpx
import pytest

from tests.support.frontend import Frontend, Person, frontend

_ADDRESSES = count(1)

BODIES: Final[dict[str, dict[str, Any]]] = {
    "/sign-up/email": {"name": "Ada", "email": "ada@example.com", "password": "a long enough pass phrase"},
    "/sign-in/email": {"email": "ada@example.com", "password": "a long enough pass phrase"},
    "/update-user": {"name": "Ada"},
    "/change-email": {"newEmail": "ada@example.com", "password": "a guess"},
    "/change-password": {"currentPassword": "a guess", "newPassword": "another pass phrase"},
    "/delete-user": {"password": "a guess"},
    "/revoke-session": {"token": "x"},
    "/request-password-reset": {"email": "ada@example.com"},
    "/reset-password": {"newPassword": "another pass phrase", "token": "x"},
    "/send-verification-email": {"email": "ada@example.com"},
    "/two-factor/enable": {"password": "a guess"},
    "/two-factor/disable": {"password": "a guess"},
    "/two-factor/generate-backup-codes": {"password": "a guess"},
    "/two-factor/verify-totp": {"code": "000000"},
    "/two-factor/verify-backup-code": {"code": "aaaaa-bbbbb"},
}
"""A well-formed body for each endpoint that takes one."""

ODD: Final[tuple[Any, ...]] = (
    None,
    [],
    ["a"],
    {},
    {"a": 1},
    1,
    1.5,
    -1e308,
    True,
    "",
    "\0",
    "a\0b",
    "\ud800",
    "\x1b[2J",
    "x" * 40_000,
)
"""Values that no member of a body may have."""

NOT_OBJECTS: Final = (
    b"null",
    b"[]",
    b'"text"',
    b"1",
    b"{",
    b'{"name":',
    b"\xff\xfe",
    b"[" * 30_000,
    b'{"__proto__":{}}',
)

UNUSED: Final = (
    ("POST", "/sign-in/social"),
    ("GET", "/callback/github"),
    ("POST", "/link-social"),
    ("GET", "/list-accounts"),
    ("POST", "/unlink-account"),
    ("POST", "/refresh-token"),
    ("POST", "/get-access-token"),
    ("GET", "/account-info"),
    ("POST", "/update-session"),
    ("POST", "/verify-password"),
    ("GET", "/delete-user/callback?token=x"),
    ("GET", "/reset-password/x?callbackURL=/tasks"),
    ("POST", "/two-factor/send-otp"),
    ("POST", "/two-factor/verify-otp"),
    ("POST", "/two-factor/get-totp-uri"),
    ("GET", "/error"),
    ("GET", "/nowhere"),
)
"""Endpoints of Better Auth that no page uses."""


@pytest.fixture(scope="module", params=["embedded", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    """A frontend on each kind of database."""
    if request.param == "postgresql":
        yield request.getfixturevalue("web")
        return
    with frontend(folder=tmp_path_factory.mktemp("odd"), settings={}) as web:
        yield web


@pytest.fixture(scope="module")
def ada(site: Frontend) -> Person:
    return site.person().sign_up()


def send(person: Person, path: str, content: bytes, **headers: str) -> httpx.Response:
    """Send a body from an address that has no count against a rate limit yet."""
    number = next(_ADDRESSES)
    ours = {"Content-Type": "application/json", "X-Forwarded-For": f"2001:db8:{number:x}::1"}
    return person.http.post(path, content=content, headers=ours | headers)


def is_refused(response: httpx.Response) -> bool:
    """Whether it is a readable 4xx, and not because of a rate limit."""
    refused = 400 <= response.status_code < 500 and response.status_code != 429
    return refused and bool(response.json()["message"])


@pytest.mark.parametrize("path", BODIES)
def test_v11_odd_members_are_refused(site: Frontend, ada: Person, path: str) -> None:
    for member in BODIES[path]:
        for value in ODD:
            response = send(ada, path, json.dumps(BODIES[path] | {member: value}).encode())
            assert is_refused(response), (path, member, repr(value)[:40], response.status_code, response.text)
        missing = {name: value for name, value in BODIES[path].items() if name != member}
        assert is_refused(send(ada, path, json.dumps(missing).encode())), (path, member)
    assert site.process.poll() is None
    assert ada.session() is not None


@pytest.mark.parametrize("path", [*BODIES, "/sign-out", "/revoke-sessions", "/revoke-other-sessions"])
def test_v11_bodies_that_are_no_objects_or_have_other_members_are_refused(
    site: Frontend, ada: Person, path: str
) -> None:
    good = BODIES.get(path, {})
    more = ("trustDevice", "image", "callbackURL", "redirectTo", "token2", "emailVerified", "twoFactorEnabled")
    extended = [json.dumps(good | {name: True}).encode() for name in more]
    for content in (*NOT_OBJECTS, *extended):
        response = send(ada, path, content)
        assert is_refused(response), (path, content[:60], response.status_code, response.text)
    assert send(ada, path, b"name=Ada", **{"Content-Type": "text/plain"}).status_code == 415
    assert send(ada, path, b"a=b", **{"Content-Type": "application/x-www-form-urlencoded"}).status_code == 415
    assert site.process.poll() is None
    assert ada.session() is not None


@pytest.mark.parametrize(
    "name", ["", "  ", "\u200b", "\u2800", "a\nb", "a\u2028b", "x" * 101, "\U0001f600" * 101, "\u202e"]
)
def test_v11_a_name_is_one_line_of_at_most_100_characters_that_can_be_seen(ada: Person, name: str) -> None:
    assert is_refused(send(ada, "/update-user", json.dumps({"name": name}).encode()))


@pytest.mark.parametrize("name", ["\U0001f600" * 100, "\u0627", "O'Neil <b>", "  Ada  "])
def test_v11_names_of_every_script_are_accepted(ada: Person, name: str) -> None:
    assert send(ada, "/update-user", json.dumps({"name": name}).encode()).is_success
    assert ada.get("/get-session").json()["user"]["name"] == name.strip()


@pytest.mark.parametrize("path", ["/sign-up/email", "/change-password"])
def test_v11_the_limits_of_a_password_are_in_characters(site: Frontend, path: str) -> None:
    person = site.person(password="\U0001f600" * 128)
    if path == "/sign-up/email":
        person.sign_up()
    else:
        person = site.person().sign_up()
        body = {"currentPassword": person.password, "newPassword": "\U0001f600" * 128}
        assert person.post(path, **body).is_success
        person.password = body["newPassword"]
    assert person.elsewhere().sign_in().session() is not None
    for password in ("\U0001f600" * 129, "\U0001f600" * 7):
        odd = {"name": "Ada", "email": "a@example.com", "password": password}
        if path == "/change-password":
            odd = {"currentPassword": person.password, "newPassword": password}
        response = send(person, path, json.dumps(odd).encode())
        assert is_refused(response)
        assert "characters" in response.json()["message"]


@pytest.mark.parametrize("path", ["%ff", "%00", "%c3%28", "%ed%a0%80", "token%00", "ok%ff", "reset-password/%ff", "%"])
def test_v11_paths_that_are_no_text_are_refused(site: Frontend, path: str) -> None:
    for start in ("/api/auth/", "/", "/tasks/", "/login/"):
        response = httpx.get(site.address + start + path, trust_env=False)
        assert 400 <= response.status_code < 500, (start, response.status_code)


@pytest.mark.parametrize("query", ["token=%00", "token=%ff", "token=", "", "token=x&callbackURL=//evil.example"])
def test_v11_odd_query_parameters_are_refused(ada: Person, query: str) -> None:
    response = ada.get(f"/verify-email?{query}")
    assert is_refused(response), response.text


@pytest.mark.parametrize("value", ["%ff", "%00", "a.b", "%", "x" * 3000, '"', "a.%E0%A4%A"])
def test_v11_odd_cookies_are_no_session(site: Frontend, value: str) -> None:
    names = ("session_token", "two_factor", "trust_device", "dont_remember", "session_data")
    prefixes = ("better-auth", f"better-auth-{site.port}")
    cookies = "; ".join(f"{prefix}.{name}={value[:1200]}" for prefix in prefixes for name in names)
    with httpx.Client(base_url=f"{site.address}/api/auth", headers={"Cookie": cookies}, trust_env=False) as client:
        assert client.get("/get-session").json() is None
        assert client.get("/token").status_code == 401
        assert client.get(f"{site.url}/tasks").status_code == 307
        answer = client.post("/two-factor/verify-totp", json={"code": "000000"}, headers={"Origin": site.url})
        assert 400 <= answer.status_code < 500


@pytest.mark.parametrize(("method", "path"), UNUSED)
def test_v11_what_no_page_uses_is_not_there(ada: Person, method: str, path: str) -> None:
    response = ada.get(path) if method == "GET" else send(ada, path, b"{}")
    assert response.status_code == 404


@pytest.mark.parametrize("url", ["/icon.svg", "/api/auth/ok", "/login", "http://127.0.0.1/"])
def test_v11_the_server_fetches_no_image_for_anybody(site: Frontend, url: str) -> None:
    response = httpx.get(f"{site.url}/_next/image", params={"url": url, "w": 64, "q": 75}, trust_env=False)
    assert response.status_code == 404


@pytest.mark.parametrize("path", ["/sign-out", "/delete-user", "/sign-up/email"])
def test_v11_another_method_is_refused(ada: Person, path: str) -> None:
    response = ada.get(path)
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert ada.session() is not None


def test_v11_a_long_user_agent_is_not_stored(site: Frontend) -> None:
    person = site.person()
    person.http.headers["User-Agent"] = "a" * 8000
    found = person.sign_up().session()
    assert found is not None
    assert len(found["userAgent"]) == 512
