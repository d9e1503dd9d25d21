"""One request for the key set, to a server that may be hostile: K7, K8, R8."""

import asyncio
import gzip
import zlib

import pytest

from adapters.tokens.jwks import MAX_BYTES, HttpJwks, JwksFetchError, key_set_client
from tests.support.json_cases import NOT_ONE_OBJECT, short
from tests.support.jwks_fetch import DOCUMENT, KEYS, failure, failure_at, fetched, success
from tests.support.loopback_server import Loopback, Responder, chunked, loopback, response, sending

COMPRESSED = "the response is compressed although identity was requested"
UNUSABLE = "the response is not a usable key set"


class TestRequest:
    async def test_the_key_set_is_fetched(self) -> None:
        async with loopback(sending(response(DOCUMENT))) as site:
            assert await fetched(site.url) == KEYS
        (request,) = site.requests
        assert request.startswith(b"GET /api/auth/jwks HTTP/1.1\r\n")

    async def test_it_requests_plain_json_without_credentials(self) -> None:
        async with loopback(sending(response(DOCUMENT))) as site:
            await fetched(site.url)
        headers = site.requests[0].lower().split(b"\r\n")
        assert b"accept: application/json" in headers
        assert b"accept-encoding: identity" in headers
        assert not [line for line in headers if line.startswith((b"authorization", b"cookie", b"proxy"))]

    async def test_one_client_serves_several_fetches(self) -> None:
        async with loopback(sending(response(DOCUMENT, "Connection: close"))) as site, key_set_client() as client:
            fetch = HttpJwks(client, site.url)
            assert await fetch() == await fetch() == KEYS
        assert len(site.requests) == 2


class TestResponse:
    """K8: 200 only, no redirect, not compressed, bounded, one strict JSON object with a list of keys."""

    @pytest.mark.parametrize(
        "status",
        [*range(201, 204), *range(205, 209), 226, 299, 300, 304, 400, 401, 403, 404, 410, 429, 500, 502, 503, 504, 599],
    )
    async def test_any_other_status_is_a_failure(self, status: int) -> None:
        assert await failure(response(DOCUMENT, status=f"{status} Other")) == f"the response status is {status}"

    async def test_a_response_without_content_is_a_failure(self) -> None:
        assert await failure(b"HTTP/1.1 204 No Content\r\n\r\n") == "the response status is 204"

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_no_redirect_is_followed(self, status: int) -> None:  # R8
        async with loopback(sending(response(DOCUMENT))) as other, loopback(redirecting(status, other)) as site:
            assert await failure_at(site.url) == f"the response status is {status}"
        assert len(site.requests) == 1
        assert other.requests == []

    @pytest.mark.parametrize(
        "location",
        [
            *("", "/", "//", "?", "a:b", "http://", "http://[::1", "http://a:99999/", "http://a:b/", "http://a b/"),
            *(
                "file:///etc/passwd",
                "data:,",
                "\u00e9",
                "http://\u00e9/",
                "http://xn--/",
                "x" * 5000,
                "http://" + "x" * 70_000,
            ),
        ],
        ids=short,
    )
    async def test_any_redirect_is_a_failure(self, location: str) -> None:
        await failure(response(DOCUMENT, f"Location: {location}", status="302 Found"))

    @pytest.mark.parametrize(
        ("coding", "body"), [("gzip", gzip.compress(DOCUMENT)), ("deflate", zlib.compress(DOCUMENT))]
    )
    async def test_a_compressed_response_is_refused(self, coding: str, body: bytes) -> None:
        assert await failure(response(body, f"Content-Encoding: {coding}")) == COMPRESSED

    @pytest.mark.parametrize("coding", ["br", "zstd", "x-gzip", "identity, gzip", "unknown", ""])
    async def test_any_content_coding_is_refused_even_when_unused(self, coding: str) -> None:
        assert await failure(response(DOCUMENT, f"Content-Encoding: {coding}")) == COMPRESSED

    async def test_identity_is_accepted(self) -> None:
        await success(response(DOCUMENT, "Content-Encoding: identity"))

    async def test_the_longest_response_is_read(self) -> None:
        assert MAX_BYTES == 262_144
        await success(response(DOCUMENT.ljust(MAX_BYTES)))
        await success(chunked(DOCUMENT, b" " * (MAX_BYTES - len(DOCUMENT))))

    async def test_a_longer_response_is_refused(self) -> None:
        too_long = f"the response is longer than {MAX_BYTES} bytes"
        assert await failure(response(DOCUMENT.ljust(MAX_BYTES + 1))) == too_long
        assert await failure(chunked(DOCUMENT, b" " * (MAX_BYTES - len(DOCUMENT) + 1))) == too_long

    async def test_the_limit_is_a_setting(self) -> None:
        async with loopback(sending(response(DOCUMENT, "Connection: close"))) as site, key_set_client() as client:
            assert await HttpJwks(client, site.url, max_bytes=len(DOCUMENT))() == KEYS
            with pytest.raises(JwksFetchError, match="longer than"):
                await HttpJwks(client, site.url, max_bytes=len(DOCUMENT) - 1)()

    async def test_an_endless_response_is_refused(self) -> None:
        async def endless(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                writer.write(b"1000\r\n" + b" " * 4096 + b"\r\n")
                await writer.drain()

        assert await failure(endless) == f"the response is longer than {MAX_BYTES} bytes"

    @pytest.mark.parametrize(
        "content_type", ["application/json", "application/jwk-set+json", "text/html; charset=utf-16"]
    )
    async def test_the_media_type_is_ignored(self, content_type: str) -> None:
        await success(response(DOCUMENT, f"Content-Type: {content_type}"))

    async def test_a_chunked_response_is_read_completely(self) -> None:
        await success(chunked(*(bytes([byte]) for byte in DOCUMENT)))

    @pytest.mark.parametrize(
        "body",
        [
            *NOT_ONE_OBJECT,
            *(b"<html></html>", b"{}", b'{"keys":{}}', b'{"keys":[{}]}', DOCUMENT[:-1], b"[" * 200_000),
            b'{"keys":[],"x":' + b"9" * 5000 + b"}",
        ],
        ids=short,
    )
    async def test_a_document_that_is_not_a_key_set_is_refused(self, body: bytes) -> None:
        assert await failure(response(body)) == UNUSABLE

    async def test_an_empty_key_set_is_accepted(self) -> None:
        async with loopback(sending(response(b'{"keys":[]}'))) as site:
            assert await fetched(site.url) == {}


def redirecting(status: int, target: Loopback) -> Responder:
    return sending(response(b"", f"Location: {target.url}", status=f"{status} Elsewhere"))
