"""The check of the issuer's key set, against a server that may send any response."""

import asyncio
import os
import socket
import ssl
from pathlib import Path

import httpx
import pytest

from adapters.tokens.doctor.issuer_check import CLOCK, KEY_SET, KEYS, IssuerCheck, check_issuer
from adapters.tokens.jwks import FETCH_TIMEOUT, HttpJwks, key_set_client
from application.health import Finding, Status
from tests.support.jwks_fetch import DOCUMENT, ISSUER
from tests.support.jwks_fetch import KEYS as PUBLISHED
from tests.support.loopback_server import Responder, loopback, response, sending
from tests.support.tokens import Issuer, compact_json
from tests.unit.tokens.test_jwks_fetch_surroundings import https

DATE = "Date: Fri, 15 Jan 2027 08:00:00 GMT"
NOW = 1_800_000_000.0


async def checked_at(url: str, *, deadline: float = FETCH_TIMEOUT) -> IssuerCheck:
    async with key_set_client() as client:
        return await check_issuer(HttpJwks(client, url, timeout=deadline), leeway=30, now=lambda: NOW)


async def checked(reply: bytes | Responder, *, deadline: float = FETCH_TIMEOUT) -> dict[str, Finding]:
    async with loopback(sending(reply) if isinstance(reply, bytes) else reply) as site:
        found = await checked_at(site.url, deadline=deadline)
        assert site.url in found.findings[0].detail
    return named(found)


def named(found: IssuerCheck) -> dict[str, Finding]:
    assert [finding.name for finding in found.findings] == [KEY_SET, KEYS, CLOCK]
    return {finding.name: finding for finding in found.findings}


def is_failed(finding: Finding, what: str, advice: str) -> None:
    assert finding.status is Status.FAILED
    assert what in finding.detail
    assert advice in str(finding.advice)


async def test_a_key_set_is_reported_with_its_url_its_keys_and_its_clock() -> None:
    found = await checked(response(DOCUMENT, DATE))
    assert {finding.status for finding in found.values()} == {Status.OK}
    assert found[KEYS].detail == '1 usable: "key-1"'


async def test_the_usable_keys_are_returned() -> None:
    async with loopback(sending(response(DOCUMENT))) as site:
        assert (await checked_at(site.url)).keys == PUBLISHED
    async with loopback(sending(response(b'{"keys":[]}'))) as site:
        assert (await checked_at(site.url)).keys is None


async def test_a_refused_connection_means_that_no_server_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        found = named(await checked_at(f"http://127.0.0.1:{taken.getsockname()[1]}/jwks"))
    is_failed(found[KEY_SET], "no server listens", "start Better Auth, or set EVO_TODO_JWKS_URL")
    assert found[KEYS] == Finding.skipped(KEYS, "there is no usable key set")
    assert found[CLOCK] == Finding.skipped(CLOCK, "the issuer did not respond")


@pytest.mark.parametrize(
    ("cause", "what", "advice"),
    [
        (
            socket.gaierror(-2, "Name or service not known"),
            "a host name that can't be resolved",
            "correct the host name",
        ),
        (ssl.SSLError(1, "wrong version number"), "does not speak TLS", "http:// instead of https://"),
        (OSError(113, "No route to host"), "can't be connected to", "check whether this machine can reach it"),
        (
            ExceptionGroup("all attempts", [OSError(101, "x"), ConnectionRefusedError(111, "x")]),
            "no server listens",
            "start Better Auth",
        ),
    ],
)
async def test_each_kind_of_connection_failure_has_its_own_explanation(
    cause: Exception, what: str, advice: str
) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no connection") from cause

    async with httpx.AsyncClient(transport=httpx.MockTransport(fail)) as client:
        found = await check_issuer(HttpJwks(client, "https://auth.example.com/jwks"), leeway=30)
    is_failed(found.findings[0], what, advice)


async def test_an_untrusted_certificate_is_reported(tmp_path: Path) -> None:
    async with https(tmp_path) as site:
        found = named(await checked_at(site.url))
    is_failed(found[KEY_SET], "a certificate that this machine does not trust", os.fspath("SSL_CERT_FILE"))


@pytest.mark.parametrize(
    ("status", "what", "advice"),
    [
        (404, "responds with status 404", "add jwt() to Better Auth's plugins"),
        (403, "responds with status 403", "without a login"),
        (500, "responds with status 500", "jwks table"),
        (204, "responds with status 204", "200 was expected"),
        (300, "responds with status 300", "200 was expected"),
    ],
)
async def test_each_kind_of_status_has_its_own_advice(status: int, what: str, advice: str) -> None:
    is_failed((await checked(response(DOCUMENT, status=f"{status} Other")))[KEY_SET], what, advice)


async def test_a_redirect_is_reported_with_its_target_and_without_control_characters() -> None:
    found = await checked(response(b"", "Location: https://elsewhere.example.com/\x9b31m", status="308 Elsewhere"))
    is_failed(found[KEY_SET], r'redirects to "https://elsewhere.example.com/\x9b31m"', "set EVO_TODO_JWKS_URL")


@pytest.mark.parametrize(
    ("document", "what", "advice"),
    [
        (b" <html>Sign in</html>", "a page, not with JSON", "open that URL in a browser"),
        (b"\xff", "not a JSON object", "open that URL in a browser"),
        (b"[" * 200_000, "not a JSON object", "open that URL in a browser"),
        (b'{"message": "hello"}', "no list `keys`", "open that URL in a browser"),
        (compact_json({"keys": [{"kty": "RSA"}, 5]}), "publishes 2 keys, none of them usable", '"EdDSA"'),
        (b'{"keys": []}', "an empty list of keys", "sign in once"),
    ],
    ids=["page", "bytes", "depth", "no keys", "none usable", "empty"],
)
async def test_an_unusable_key_set_is_reported_and_the_clock_is_still_checked(
    document: bytes, what: str, advice: str
) -> None:
    found = await checked(response(document, DATE))
    is_failed(found[KEY_SET], what, advice)
    assert found[KEYS].status is Status.SKIPPED
    assert found[CLOCK].status is Status.OK


@pytest.mark.parametrize("data", [b"SSH-2.0-OpenSSH_9.2\r\n", response(DOCUMENT, length=len(DOCUMENT) + 1)])
async def test_an_incomplete_http_response_is_reported(data: bytes) -> None:
    is_failed((await checked(data))[KEY_SET], "other than HTTP, or breaks off", "check what listens there")


async def test_another_fault_of_the_response_is_reported_as_the_fetch_says_it() -> None:
    found = await checked(response(DOCUMENT, "Content-Encoding: gzip"))
    is_failed(found[KEY_SET], "is not a key set: the response is compressed", "set EVO_TODO_JWKS_URL")


async def test_an_issuer_that_hangs_is_reported() -> None:
    async def hang(_: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    found = await checked(hang, deadline=0.3)
    is_failed(found[KEY_SET], "no complete response within 0.3 s", "check whether Better Auth hangs")


async def test_unusable_keys_are_counted() -> None:
    document = {"keys": [ISSUER.jwk(), {"kty": "RSA", "kid": "old"}, Issuer.new().jwk(kid="key-2", use="enc")]}
    found = (await checked(response(compact_json(document))))[KEYS]
    assert found.status is Status.NOTE
    assert found.detail == '1 usable: "key-1"; 2 unusable and ignored'


async def test_a_published_private_key_is_a_failure() -> None:
    document = {"keys": [ISSUER.jwk(), Issuer.new().jwk(kid="key-2", d="secret")]}
    found = (await checked(response(compact_json(document))))[KEYS]
    is_failed(found, "a private key is published", "replace that key pair at once")
    assert '"secret"' not in found.detail


async def test_of_many_keys_some_are_listed_without_control_characters() -> None:
    keys = [Issuer.new(f"\x1b{number:02}").jwk() for number in range(10)]
    found = (await checked(response(compact_json({"keys": keys}))))[KEYS]
    assert found.detail.startswith(r'10 usable: "\x1b00", "\x1b01"')
    assert found.detail.endswith(r'"\x1b07" and 2 more')
    found = (await checked(response(compact_json({"keys": keys[:8]}))))[KEYS]
    assert found.detail.endswith(r'"\x1b07"')
