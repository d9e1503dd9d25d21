"""A close look at the key set, against a server that may answer anything."""

import asyncio
import os
import socket
import ssl
from pathlib import Path

import httpx
import pytest

from adapters.tokens import jwks as fetching_module
from adapters.tokens.doctor.issuer_check import CLOCK, KEY_SET, KEYS, IssuerCheck, check_issuer
from adapters.tokens.jwks import HttpJwks, key_set_client
from application.health import Finding, Status
from tests.support.jwks_fetch import DOCUMENT, ISSUER
from tests.support.jwks_fetch import KEYS as PUBLISHED
from tests.support.loopback_server import Answer, loopback, response, sending
from tests.support.tokens import Issuer, compact_json
from tests.unit.tokens.test_jwks_fetch_surroundings import https

DATE = "Date: Fri, 15 Jan 2027 08:00:00 GMT"
NOW = 1_800_000_000.0


async def probed_at(url: str) -> IssuerCheck:
    async with key_set_client() as client:
        return await check_issuer(HttpJwks(client, url), leeway=30, now=lambda: NOW)


async def probed(answer: bytes | Answer) -> dict[str, Finding]:
    async with loopback(sending(answer) if isinstance(answer, bytes) else answer) as site:
        found = await probed_at(site.url)
        assert site.url in found.findings[0].detail
    return named(found)


def named(found: IssuerCheck) -> dict[str, Finding]:
    assert [finding.name for finding in found.findings] == [KEY_SET, KEYS, CLOCK]
    return {finding.name: finding for finding in found.findings}


def told(finding: Finding) -> str:
    return f"{finding.status}: {finding.detail} -> {finding.advice}"


def is_told(finding: Finding, what: str, advice: str) -> None:
    assert finding.status is Status.FAILED
    assert what in finding.detail
    assert advice in str(finding.advice)


async def test_a_key_set_is_told_with_its_address_its_keys_and_its_clock() -> None:
    found = await probed(response(DOCUMENT, DATE))
    assert {finding.status for finding in found.values()} == {Status.OK}
    assert found[KEYS].detail == '1 usable: "key-1"'


async def test_the_keys_that_are_found_are_handed_on() -> None:
    async with loopback(sending(response(DOCUMENT))) as site:
        assert (await probed_at(site.url)).keys == PUBLISHED
    async with loopback(sending(response(b'{"keys":[]}'))) as site:
        assert (await probed_at(site.url)).keys is None


async def test_a_refused_connection_means_that_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        found = named(await probed_at(f"http://127.0.0.1:{taken.getsockname()[1]}/jwks"))
    is_told(found[KEY_SET], "nobody listens", "start Better Auth, or set EVO_TODO_JWKS_URL")
    assert told(found[KEYS]) == "skipped: not checked: there is no usable key set -> None"
    assert told(found[CLOCK]) == "skipped: not checked: the issuer did not answer -> None"


@pytest.mark.parametrize(
    ("cause", "what", "advice"),
    [
        (socket.gaierror(-2, "Name or service not known"), "a host that can't be found", "correct the host's name"),
        (ssl.SSLError(1, "wrong version number"), "does not speak TLS", "http:// instead of https://"),
        (OSError(113, "No route to host"), "can't be connected to", "see whether this machine can reach it"),
        (
            ExceptionGroup("all attempts", [OSError(101, "x"), ConnectionRefusedError(111, "x")]),
            "nobody listens",
            "start Better Auth",
        ),
    ],
)
async def test_each_way_to_miss_a_connection_has_its_own_words(cause: Exception, what: str, advice: str) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no connection") from cause

    async with httpx.AsyncClient(transport=httpx.MockTransport(fail)) as client:
        found = await check_issuer(HttpJwks(client, "https://auth.example.com/jwks"), leeway=30)
    is_told(found.findings[0], what, advice)


async def test_a_certificate_that_nobody_vouches_for_is_told(tmp_path: Path) -> None:
    async with https(tmp_path) as site:
        found = named(await probed_at(site.url))
    is_told(found[KEY_SET], "a certificate that this machine does not trust", os.fspath("SSL_CERT_FILE"))


@pytest.mark.parametrize(
    ("status", "what", "advice"),
    [
        (404, "answers with status 404", "add jwt() to Better Auth's plugins"),
        (403, "answers with status 403", "without a login"),
        (500, "answers with status 500", "jwks table"),
        (204, "answers with status 204", "200 was expected"),
        (300, "answers with status 300", "200 was expected"),
    ],
)
async def test_each_kind_of_status_has_its_own_advice(status: int, what: str, advice: str) -> None:
    is_told((await probed(response(DOCUMENT, status=f"{status} Other")))[KEY_SET], what, advice)


async def test_a_redirect_is_told_with_where_it_leads_and_without_what_a_terminal_obeys() -> None:
    found = await probed(response(b"", "Location: https://elsewhere.example.com/\x9b31m", status="308 Elsewhere"))
    is_told(found[KEY_SET], r'redirects to "https://elsewhere.example.com/\x9b31m"', "set EVO_TODO_JWKS_URL")


@pytest.mark.parametrize(
    ("document", "what", "advice"),
    [
        (b" <html>Sign in</html>", "a page, not with JSON", "open that address in a browser"),
        (b"\xff", "no JSON object", "open that address in a browser"),
        (b"[" * 200_000, "no JSON object", "open that address in a browser"),
        (b'{"message": "hello"}', "no list `keys`", "open that address in a browser"),
        (compact_json({"keys": [{"kty": "RSA"}, 5]}), "publishes 2 keys, none of them usable", '"EdDSA"'),
        (b'{"keys": []}', "an empty list of keys", "sign in once"),
    ],
    ids=["page", "bytes", "depth", "no keys", "none usable", "empty"],
)
async def test_what_is_no_usable_key_set_is_told_and_the_clock_is_judged_all_the_same(
    document: bytes, what: str, advice: str
) -> None:
    found = await probed(response(document, DATE))
    is_told(found[KEY_SET], what, advice)
    assert found[KEYS].status is Status.SKIPPED
    assert found[CLOCK].status is Status.OK


@pytest.mark.parametrize("data", [b"SSH-2.0-OpenSSH_9.2\r\n", response(DOCUMENT, length=len(DOCUMENT) + 1)])
async def test_what_is_no_whole_http_answer_is_told(data: bytes) -> None:
    is_told((await probed(data))[KEY_SET], "no HTTP, or breaks off", "see what listens there")


async def test_another_fault_of_the_answer_is_told_in_the_words_of_the_fetch() -> None:
    found = await probed(response(DOCUMENT, "Content-Encoding: gzip"))
    is_told(found[KEY_SET], "is no key set: the answer is compressed, unasked", "set EVO_TODO_JWKS_URL")


async def test_an_issuer_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching_module, "DEADLINE", 0.3)

    async def hang(_: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    is_told((await probed(hang))[KEY_SET], "no whole answer within 5 s", "see whether Better Auth is stuck")


async def test_keys_that_are_passed_over_are_counted() -> None:
    document = {"keys": [ISSUER.jwk(), {"kty": "RSA", "kid": "old"}, Issuer.new().jwk(kid="key-2", use="enc")]}
    found = (await probed(response(compact_json(document))))[KEYS]
    assert found.status is Status.NOTE
    assert found.detail == '1 usable: "key-1"; 2 unusable, passed over'


async def test_a_private_key_that_is_published_is_wrong() -> None:
    document = {"keys": [ISSUER.jwk(), Issuer.new().jwk(kid="key-2", d="secret")]}
    found = (await probed(response(compact_json(document))))[KEYS]
    is_told(found, "a private key is published", "replace that key pair at once")
    assert '"secret"' not in found.detail


async def test_of_many_keys_some_are_listed_and_each_without_what_a_terminal_obeys() -> None:
    keys = [Issuer.new(f"\x1b{number:02}").jwk() for number in range(10)]
    found = (await probed(response(compact_json({"keys": keys}))))[KEYS]
    assert found.detail.startswith(r'10 usable: "\x1b00", "\x1b01"')
    assert found.detail.endswith(r'"\x1b07" and 2 more')
    found = (await probed(response(compact_json({"keys": keys[:8]}))))[KEYS]
    assert found.detail.endswith(r'"\x1b07"')
