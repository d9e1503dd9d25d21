from collections.abc import Mapping
from http.cookies import SimpleCookie
from pathlib import Path
from secrets import token_urlsafe

from tests.support.frontend import Frontend, Person, frontend

SESSION = "session_token"


def session_cookie(web: Frontend, name: str) -> Mapping[str, str]:
    """The only cookie that a sign-up sets."""
    person: Person = web.person()
    response = person.post("/sign-up/email", name="Somebody", email=person.email, password=person.password)
    assert response.is_success, response.text
    cookies: SimpleCookie = SimpleCookie()
    for line in response.headers.get_list("Set-Cookie"):
        cookies.load(line)
    assert list(cookies) == [name]
    return dict[str, str](cookies[name])


def test_the_session_cookie_is_inaccessible_to_scripts_and_other_sites(web: Frontend) -> None:
    cookie = session_cookie(web, f"better-auth-{web.port}.{SESSION}")

    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", "")
    assert int(cookie["max-age"]) == 7 * 24 * 3600
    assert not cookie["secure"]  # the base URL is http, on this machine


def test_with_https_the_session_cookie_is_secure(tmp_path: Path) -> None:
    settings = {"BETTER_AUTH_BASE_URL": "https://todo.example.com", "BETTER_AUTH_SECRETS": f"1:{token_urlsafe(32)}"}
    with frontend(folder=tmp_path, settings=settings) as web:
        cookie = session_cookie(web, f"__Secure-better-auth.{SESSION}")

    assert cookie["secure"]
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", "")


def test_two_copies_on_one_host_do_not_sign_each_others_people_out(embedded: Frontend, alice: Person) -> None:
    there = embedded.person()
    there.http.cookies = alice.http.cookies  # one browser, which sends a host's cookies to each of its ports
    there.sign_up()
    assert there.token()
    alice.http.cookies = there.http.cookies
    assert alice.token()

    there.sign_out()

    alice.http.cookies = there.http.cookies
    assert alice.token()


def test_another_prefix_can_be_set(tmp_path: Path) -> None:
    with frontend(folder=tmp_path, settings={"EVO_TODO_COOKIE_PREFIX": "todo"}) as web:
        assert session_cookie(web, f"todo.{SESSION}")


def test_a_page_of_another_origin_cannot_change_anything(alice: Person) -> None:
    response = alice.http.post("/sign-out", json={}, headers={"Origin": "https://evil.example.com"})

    assert response.status_code == 403
    assert alice.token()


def test_a_page_of_another_origin_cannot_read_a_token(alice: Person) -> None:
    response = alice.http.get("/token", headers={"Origin": "https://evil.example.com"})

    assert "Access-Control-Allow-Origin" not in response.headers
