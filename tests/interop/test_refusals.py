"""Requests that the frontend rejects, and what it responds and logs."""

import json

import httpx
import pytest

from tests.support.frontend import Frontend

MAX_BODY = 64 * 1024


@pytest.mark.parametrize("path", ["/delete-user", "/change-email"])
def test_password_attempts_are_limited_to_three_at_every_endpoint(web: Frontend, path: str) -> None:
    person = web.person().sign_up()
    body = {"password": "a wrong pass phrase"} | ({"newEmail": "a@example.com"} if path == "/change-email" else {})
    statuses = [person.post(path, **body).status_code for _ in range(4)]
    assert 429 not in statuses[:3]
    assert statuses[3] == 429


@pytest.mark.parametrize("excess", [1, 200 * 1024])
def test_a_body_that_is_too_large_is_rejected(web: Frontend, excess: int) -> None:
    response = web.person().http.post("/sign-in/email", content=b"x" * (MAX_BODY + excess))
    assert (response.status_code, response.json()["code"]) == (413, "BODY_TOO_LARGE")


def test_a_body_of_unknown_length_is_rejected(web: Frontend) -> None:
    response = web.person().http.post("/sign-in/email", content=iter([b"{}"]))
    assert response.status_code == 413


@pytest.mark.parametrize("path", ["/login", "/nowhere", "/icon.svgx", "/icon.svg/x", "/api/auth/ok"])
def test_every_response_that_could_be_a_page_has_the_content_security_policy(web: Frontend, path: str) -> None:
    response = httpx.get(web.address + path, trust_env=False)
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_better_auth_logs_json_without_email_addresses(web: Frontend) -> None:
    person = web.person().sign_up()
    person.http.post("/sign-in/email", content=b'{"email": ', headers={"Content-Type": "application/json"})
    person.elsewhere().post("/sign-in/email", email=person.email, password="a wrong pass phrase")
    person.elsewhere().post("/sign-up/email", name="Ada", email=person.email, password="a wrong pass phrase")
    assert person.email not in web.log
    lines = [line for line in web.log.splitlines() if "better-auth" in line or "Better Auth" in line]
    assert all(json.loads(line)["logger"] == "better-auth" for line in lines)
    assert any("Invalid password" in line for line in lines)
