"""The rate limit of password attempts: three in ten seconds per client address."""

import sqlite3
from contextlib import closing

import httpx
import pytest

from tests.support.frontend import Frontend

GENERAL_LIMIT = 100  # of other requests in ten seconds


def guess(web: Frontend, **headers: str) -> httpx.Response:
    client = web.client(Origin=web.url, **headers)
    return client.post("/sign-in/email", json={"email": "somebody@example.com", "password": "a guess"})


def test_a_forged_x_forwarded_for_does_not_avoid_the_limit(embedded: Frontend) -> None:
    guesses = [guess(embedded, **{"X-Forwarded-For": f"198.51.100.{n}"}) for n in range(4)]

    assert [response.status_code for response in guesses] == [401, 401, 401, 429]
    assert int(guesses[-1].headers["X-Retry-After"]) >= 1
    with closing(sqlite3.connect(embedded.folder / "data/auth.db")) as database:
        counted = database.execute("SELECT key FROM rateLimit WHERE key LIKE '%sign-in%'").fetchall()
    assert counted == [("127.0.0.1|/sign-in/email",)]


@pytest.mark.parametrize("name", ["X-Real-IP", "Forwarded", "X-Client-IP", "CF-Connecting-IP", "True-Client-IP"])
def test_no_other_header_avoids_the_limit(name: str, embedded: Frontend) -> None:
    guesses = [guess(embedded, **{name: f"198.51.100.{n}"}).status_code for n in range(4)]

    assert guesses[-1] == 429


def test_behind_a_proxy_the_last_untrusted_address_counts(web: Frontend) -> None:
    claimed = [f"198.51.100.{n}, 203.0.113.1" for n in range(4)]

    guesses = [guess(web, **{"X-Forwarded-For": chain}).status_code for chain in claimed]

    assert guesses == [401, 401, 401, 429]


def test_behind_a_proxy_each_address_has_its_own_limit(web: Frontend) -> None:
    for _ in range(4):
        guess(web, **{"X-Forwarded-For": "203.0.113.2"})

    assert guess(web, **{"X-Forwarded-For": "203.0.113.2"}).status_code == 429
    assert guess(web, **{"X-Forwarded-For": "203.0.113.3"}).status_code == 401


@pytest.mark.parametrize(
    "entry", ["203.0.113.{}:51234", "[2001:db8:0:{}::1]", "[2001:db8:1:{}::1]:443", '"192.0.2.{}:1"']
)
def test_behind_a_proxy_that_writes_ports_the_fourth_person_need_not_wait(entry: str, web: Frontend) -> None:
    people = [guess(web, **{"X-Forwarded-For": entry.format(n)}).status_code for n in range(10, 15)]

    assert people == [401] * 5


def test_a_network_of_ipv6_has_one_limit(web: Frontend) -> None:
    forms = ["2001:db8:2:2::1", "[2001:db8:2:2::2]", "[2001:db8:2:2:ffff::]:443", "2001:db8:2:2::3", "2001:db8:2:3::1"]

    assert [guess(web, **{"X-Forwarded-For": one}).status_code for one in forms] == [401, 401, 401, 429, 401]


def test_a_correct_password_is_rejected_too_once_the_limit_is_reached(web: Frontend) -> None:
    known, guesser = web.person().sign_up(), web.person()
    for _ in range(3):
        guesser.post("/sign-in/email", email=known.email, password="a guess")

    assert guesser.post("/sign-in/email", email=known.email, password=known.password).status_code == 429
    assert known.elsewhere().sign_in().token()


def test_the_key_set_has_no_rate_limit(web: Frontend) -> None:
    person = web.person()

    assert all(person.get("/jwks").status_code == 200 for _ in range(GENERAL_LIMIT + 1))
    assert [person.get("/get-session").status_code for _ in range(GENERAL_LIMIT + 1)][-1] == 429
    assert person.get("/jwks").status_code == 200
