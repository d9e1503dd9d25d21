"""Sessions and accounts that end at Better Auth end at the service, by signed events that the frontend pushes."""

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pyotp
import pytest
from attrs import define, field, frozen
from joserfc import jws

from adapters.tokens.jwks import parse_key_set
from adapters.tokens.jws import ED25519
from tests.support.frontend import Frontend, Person, frontend
from tests.support.postgres import fresh_database
from tests.support.postgres_local import free_port
from tests.support.service import HOST, Service, eventually, running

SESSION_REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
ACCOUNT_PURGED = "https://schemas.openid.net/secevent/risc/event-type/account-purged"


@define
class Receiver:
    """An endpoint that records pushed events, with a configurable response."""

    port: int = field(factory=free_port)
    status: int = 202
    received: list[tuple[dict[str, str], str]] = field(factory=list)
    _server: ThreadingHTTPServer | None = None

    @property
    def settings(self) -> dict[str, str]:
        return {"EVO_TODO_SECURITY_EVENTS_URL": f"http://{HOST}:{self.port}/api/security-events"}

    def start(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                receiver.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((HOST, self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def events(self, web: Frontend) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """The header and claims of each event, after verifying its signature with the published keys."""
        with httpx.Client(base_url=web.address, trust_env=False) as client:
            keys = parse_key_set(client.get("/api/auth/jwks").content)
        found = []
        for _, event in self.received:
            signed = jws.extract_compact(event.encode())
            header = dict(signed.headers())
            jws.deserialize_compact(event, keys[header["kid"]].jose, registry=ED25519)
            found.append((header, json.loads(signed.payload)))
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.start()
    yield receiver
    receiver.stop()


@pytest.fixture
def settings(receiver: Receiver) -> dict[str, str]:
    """With a fixed port, so that the frontend has the same URL after a restart."""
    return receiver.settings | {"EVO_TODO_WEB_PORT": str(free_port())}


def test_a_sign_out_pushes_an_event_in_the_form_that_the_service_accepts(
    receiver: Receiver, settings: dict[str, str], tmp_path: Path
) -> None:
    with frontend(folder=tmp_path, settings=settings) as web:
        alice = web.person().sign_up()
        session = alice.session()
        assert session
        alice.sign_out()
        eventually(lambda: receiver.received)

        [(fields, _)] = receiver.received
        [(header, claims)] = receiver.events(web)
        assert fields["content-type"] == "application/secevent+jwt"
        assert header["typ"] == "secevent+jwt"
        assert header["alg"] == "EdDSA"
        assert (claims["iss"], claims["aud"]) == (web.url, web.url)
        assert claims["sub_id"] == {
            "format": "complex",
            "user": {"format": "iss_sub", "iss": web.url, "sub": alice.user_id},
            "session": {"format": "opaque", "id": session["id"]},
        }
        assert claims["events"].keys() == {SESSION_REVOKED}
        assert claims["events"][SESSION_REVOKED]["event_timestamp"] <= claims["iat"] + 1
        assert claims["jti"]
        assert alice.email not in json.dumps(claims)


def test_a_sign_out_does_not_wait_for_the_service_and_its_event_is_delivered_later_also_after_a_restart(
    receiver: Receiver, settings: dict[str, str], tmp_path: Path
) -> None:
    receiver.status = 503
    with frontend(folder=tmp_path, settings=settings) as web:
        alice = web.person().sign_up()
        alice.sign_out()
        eventually(lambda: len(receiver.received) >= 2)
        receiver.stop()
        bob = web.person().sign_up()
        bob.sign_out()
        eventually(lambda: "security event not delivered, will retry" in web.log)
        assert alice.user_id not in web.log
        assert bob.user_id not in web.log

    receiver.status = 202
    receiver.received.clear()
    receiver.start()
    with frontend(folder=tmp_path, settings=settings) as web:
        eventually(lambda: len({claims["jti"] for _, claims in receiver.events(web)}) == 2)
        subjects = {claims["sub_id"]["user"]["sub"] for _, claims in receiver.events(web)}
        assert subjects == {alice.user_id, bob.user_id}


def test_each_of_many_sessions_that_end_at_once_has_its_event(
    receiver: Receiver, settings: dict[str, str], tmp_path: Path
) -> None:
    with frontend(folder=tmp_path, settings=settings) as web:
        alice = web.person().sign_up()
        [path] = tmp_path.rglob("auth.db")
        with closing(sqlite3.connect(path, timeout=30)) as database, database:
            database.execute(
                "WITH RECURSIVE more (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more WHERE n < 120) "
                "INSERT INTO session (id, token, userId, expiresAt, createdAt, updatedAt) "
                "SELECT 's' || n, 't' || n, userId, expiresAt, createdAt, updatedAt FROM session, more "
                "WHERE userId = ?",
                (alice.user_id,),
            )
        sign_out_everywhere(alice)
        eventually(lambda: len({claims["sub_id"]["session"]["id"] for _, claims in receiver.events(web)}) == 121)


@frozen
class Together:
    """A frontend and a service that are connected, on one PostgreSQL database."""

    web: Frontend
    service: Service
    database: str


@pytest.fixture(scope="module")
def together(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Together]:
    port, web_port = free_port(), free_port()
    with ExitStack() as stack:
        url = stack.enter_context(fresh_database(postgres_server))
        web = stack.enter_context(
            frontend(
                folder=tmp_path_factory.mktemp("web"),
                settings={
                    "DATABASE_URL": url,
                    "BETTER_AUTH_SECRETS": "1:" + "x1" * 20,
                    "EVO_TODO_WEB_PORT": str(web_port),
                    "EVO_TODO_SECURITY_EVENTS_URL": f"http://{HOST}:{port}/api/security-events",
                },
            )
        )
        service = stack.enter_context(
            running(
                "serve",
                "--migrate",
                folder=tmp_path_factory.mktemp("api"),
                settings={"DATABASE_URL": url, "BETTER_AUTH_BASE_URL": web.url, "EVO_TODO_PORT": str(port)},
            )
        )
        yield Together(web, service, as_administrator(postgres_server, url))


def as_administrator(server: str, url: str) -> str:
    """The same database as a superuser, who bypasses row security."""
    return urlsplit(server)._replace(path=urlsplit(url).path).geturl()


def status(service: Service, person: Person, token: str) -> int:
    return service.get(f"/api/{person.user_id}/tasks", token).status_code


def sign_out(person: Person) -> None:
    person.sign_out()


def sign_out_everywhere(person: Person) -> None:
    assert person.post("/revoke-sessions").is_success


def change_the_password(person: Person) -> None:
    changed = person.post(
        "/change-password",
        currentPassword=person.password,
        newPassword="another long pass phrase",
        revokeOtherSessions=True,
    )
    assert changed.is_success, changed.text


def turn_the_second_factor_on_and_off(person: Person) -> None:
    enabled = person.post("/two-factor/enable", password=person.password).json()
    authenticator = pyotp.parse_uri(enabled["totpURI"])
    assert isinstance(authenticator, pyotp.TOTP)
    verified = person.post("/two-factor/verify-totp", code=authenticator.now())
    assert verified.is_success, verified.text
    disabled = person.post("/two-factor/disable", password=person.password)
    assert disabled.is_success, disabled.text


def delete_the_account(person: Person) -> None:
    person.delete_user()


@pytest.mark.parametrize(
    "ending",
    [sign_out, sign_out_everywhere, change_the_password, turn_the_second_factor_on_and_off, delete_the_account],
    ids=lambda ending: ending.__name__,
)
def test_ending_a_session_revokes_its_token(ending: Callable[[Person], None], together: Together) -> None:
    web, service = together.web, together.service
    alice, bob = web.person().sign_up(), web.person().sign_up()
    token, other_token = alice.token(), bob.token()
    assert status(service, alice, token) == status(service, bob, other_token) == 200

    ending(alice)

    eventually(lambda: status(service, alice, token) == 401)
    assert status(service, bob, other_token) == 200


def test_signing_out_other_sessions_revokes_their_tokens_only(together: Together) -> None:
    web, service = together.web, together.service
    here = web.person().sign_up()
    there = here.elsewhere().sign_in()
    mine, theirs = here.token(), there.token()
    here.revoke_others()
    eventually(lambda: status(service, there, theirs) == 401)
    assert status(service, here, mine) == 200
    assert status(service, here, here.token()) == 200


def rows_of(url: str, user: str) -> int:
    """The number of this user's rows in the table of tasks, tombstones included."""

    async def count() -> int:
        connection = await asyncpg.connect(url, timeout=30)
        try:
            return int(await connection.fetchval("SELECT count(*) FROM public.tasks WHERE owner_id = $1", user))
        finally:
            await connection.close(timeout=30)

    return asyncio.run(count())


def test_deleting_an_account_deletes_its_tasks(together: Together) -> None:
    web, service, url = together.web, together.service, together.database
    alice, bob = web.person().sign_up(), web.person().sign_up()
    for person in (alice, bob):
        with service.client(person.token()) as client:
            response = client.post(f"/api/{person.user_id}/tasks", json={"title": "Buy milk"})
            assert response.status_code == 201

    alice.delete_user()

    eventually(lambda: rows_of(url, alice.user_id) == 0)
    assert rows_of(url, bob.user_id) == 1
