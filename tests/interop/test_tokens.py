from collections.abc import Callable
from uuid import UUID

import httpx
import pytest

from tests.support.frontend import Frontend, Person
from tests.support.interop_calls import accepts, ask, claims, header, refusal
from tests.support.service import Service

FIFTEEN_MINUTES = 15 * 60
OUR_CLAIMS = {"iat", "exp", "iss", "aud", "sub", "email", "sid", "jti"}


def test_the_header_has_only_alg_and_kid(alice: Person, web: Frontend) -> None:
    [key] = web.key_ids()

    assert header(alice.token()) == {"alg": "EdDSA", "kid": key}


def test_a_token_has_the_user_issuer_audience_and_session(alice: Person, web: Frontend) -> None:
    payload = claims(alice.token())

    session = alice.session()
    assert session is not None
    assert (payload["sub"], payload["email"], payload["sid"]) == (alice.user_id, alice.email, session["id"])
    assert (payload["iss"], payload["aud"]) == (web.url, web.url)


def test_a_token_has_no_other_claims(alice: Person) -> None:
    assert set(claims(alice.token())) == OUR_CLAIMS


def test_a_token_is_valid_for_fifteen_minutes(alice: Person) -> None:
    payload = claims(alice.token())

    # `exp` is computed first, and a new second may start before `iat` is.
    assert payload["exp"] - payload["iat"] in {FIFTEEN_MINUTES, FIFTEEN_MINUTES - 1}


def test_each_token_has_a_unique_id(alice: Person) -> None:
    ids = [UUID(claims(alice.token())["jti"]) for _ in range(5)]

    assert len(set(ids)) == len(ids)


def test_a_better_auth_token_allows_creating_listing_changing_completing_and_deleting_tasks(
    alice: Person, api: Service
) -> None:
    tasks = f"/api/{alice.user_id}/tasks"
    with api.client(alice.token()) as client:
        made = client.post(tasks, json={"title": "Buy milk"})
        assert made.status_code == 201, made.text
        task = f"{tasks}/{made.json()['id']}"
        assert client.get(tasks).json()["data"] == [made.json()]

        changed = client.put(task, json={"title": "Buy oat milk", "description": "two litres"})
        assert (changed.status_code, changed.json()["title"]) == (200, "Buy oat milk")
        completed = client.patch(f"{task}/complete")
        assert (completed.status_code, completed.json()["completed"]) == (200, True)
        assert client.delete(task).status_code == 204
        assert client.get(tasks).json()["data"] == []


def test_a_token_of_another_browser_gives_access_to_the_same_tasks(alice: Person, api: Service) -> None:
    with api.client(alice.token()) as client:
        client.post(f"/api/{alice.user_id}/tasks", json={"title": "Buy milk"})

    there = ask(api, alice.elsewhere().sign_in().token())

    assert [task["title"] for task in there.json()["data"]] == ["Buy milk"]


def test_a_token_gives_no_access_to_another_users_path(alice: Person, bob: Person, api: Service) -> None:
    assert ask(api, alice.token(), owner=bob.user_id).status_code == 403


def test_two_users_never_see_each_others_tasks(alice: Person, bob: Person, api: Service) -> None:
    with api.client(alice.token()) as client:
        made = client.post(f"/api/{alice.user_id}/tasks", json={"title": "Alice's"}).json()

    with api.client(bob.token()) as client:
        assert client.get(f"/api/{bob.user_id}/tasks").json()["data"] == []
        assert client.get(f"/api/{bob.user_id}/tasks/{made['id']}").status_code == 404
        assert client.get(f"/api/{alice.user_id}/tasks/{made['id']}").status_code == 403


def test_session_cookies_tokens_and_ids_are_not_access_tokens(alice: Person, api: Service) -> None:
    session = alice.session()
    assert session is not None
    [cookie] = alice.http.cookies.values()

    for credential in (cookie, session["token"], session["id"]):
        response = api.get(f"/api/{alice.user_id}/tasks", credential)
        assert response.status_code == 401, response.text


def sign_out(person: Person) -> None:
    person.sign_out()


def revoke_here_from_elsewhere(person: Person) -> None:
    session = person.session()
    assert session is not None
    person.elsewhere().sign_in().revoke(session["token"])


def revoke_others_from_elsewhere(person: Person) -> None:
    person.elsewhere().sign_in().revoke_others()


def change_the_password_elsewhere(person: Person) -> None:
    there = person.elsewhere().sign_in()
    changed = there.post(
        "/change-password", currentPassword=person.password, newPassword="another one", revokeOtherSessions=True
    )
    assert changed.is_success, changed.text


def delete_the_user(person: Person) -> None:
    person.delete_user()


@pytest.fixture(
    params=[
        sign_out,
        revoke_here_from_elsewhere,
        revoke_others_from_elsewhere,
        change_the_password_elsewhere,
        delete_the_user,
    ]
)
def end_the_session(request: pytest.FixtureRequest) -> Callable[[Person], None]:
    end: Callable[[Person], None] = request.param
    return end


def test_no_token_is_issued_once_the_session_has_ended(
    alice: Person, end_the_session: Callable[[Person], None]
) -> None:
    copied = httpx.Cookies(alice.http.cookies)
    assert alice.token()

    end_the_session(alice)

    assert alice.get("/token").status_code == 401
    alice.http.cookies = copied  # nor with a copy of the cookie
    assert alice.get("/token").status_code == 401
    assert alice.session() is None


def test_without_security_events_a_token_outlives_its_session_by_at_most_its_lifetime(
    alice: Person, api: Service, end_the_session: Callable[[Person], None]
) -> None:
    token = alice.token()

    end_the_session(alice)

    assert accepts(api, token)
    assert claims(token)["exp"] - claims(token)["iat"] <= FIFTEEN_MINUTES


def test_a_modified_token_is_rejected(alice: Person, bob: Person, api: Service) -> None:
    head, _, signature = alice.token().split(".")
    _, payload, _ = bob.token().split(".")

    assert "signature" in refusal(api, f"{head}.{payload}.{signature}")
