"""What the frontend refuses, and what its answers and its log look like when it does."""

import json

import httpx
import pytest

from tests.support.frontend import Frontend

MOST = 64 * 1024


@pytest.mark.parametrize("path", ["/delete-user", "/verify-password"])
def test_a_password_is_tried_three_times_wherever_it_is_asked_for(web: Frontend, path: str) -> None:
    person = web.person().sign_up()
    tries = [person.post(path, password="a wrong pass phrase").status_code for _ in range(4)]
    assert 429 not in tries[:3]
    assert tries[3] == 429


@pytest.mark.parametrize("excess", [1, 200 * 1024])
def test_a_body_that_is_too_large_is_refused(web: Frontend, excess: int) -> None:
    answer = web.person().http.post("/sign-in/email", content=b"x" * (MOST + excess))
    assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")


def test_a_body_of_unknown_length_is_refused(web: Frontend) -> None:
    answer = web.person().http.post("/sign-in/email", content=iter([b"{}"]))
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/login", "/nowhere", "/icon.svgx", "/icon.svg/x", "/api/auth/ok"])
def test_every_answer_that_could_be_a_page_has_the_policy(web: Frontend, path: str) -> None:
    answer = httpx.get(web.address + path, trust_env=False)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_what_better_auth_logs_is_json_and_quotes_nobody(web: Frontend) -> None:
    person = web.person().sign_up()
    person.http.post("/sign-in/email", content=b'{"email": ', headers={"Content-Type": "application/json"})
    person.elsewhere().post("/sign-in/email", email=person.email, password="a wrong pass phrase")
    person.elsewhere().post("/sign-up/email", name="Ada", email=person.email, password="a wrong pass phrase")
    assert person.email not in web.log
    lines = [line for line in web.log.splitlines() if "better-auth" in line or "Better Auth" in line]
    assert all(json.loads(line)["logger"] == "better-auth" for line in lines)
    assert any("Invalid password" in line for line in lines)
