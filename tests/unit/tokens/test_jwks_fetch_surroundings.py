"""One request for the key set: broken exchanges, the time-out, the environment and certificates: K7, K8, R18."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters.tokens.jwks import FETCH_TIMEOUT
from tests.support.certificates import self_signed
from tests.support.json_cases import short
from tests.support.jwks_fetch import DOCUMENT, KEYS, failure, failure_at, fetched
from tests.support.loopback_server import Loopback, chunked, loopback, response, sending


class TestBrokenExchanges:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\0" * 100,
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 ",
            b"HTTP/1.1 abc\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 200 OK\r\n: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
            response(DOCUMENT, length=len(DOCUMENT) + 1),
            chunked(DOCUMENT)[:-8],
        ],
        ids=short,
    )
    async def test_an_incomplete_http_response_is_a_failed_request(self, data: bytes) -> None:
        assert (await failure(data)).startswith("the request failed: ")

    async def test_an_issuer_that_does_not_run_is_a_failed_request(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # and does not listen
            assert (
                await failure_at(f"http://127.0.0.1:{taken.getsockname()[1]}/jwks")
                == "the request failed: ConnectError"
            )

    @pytest.mark.parametrize("url", ["http://127.0.0.1:x/", "ftp://127.0.0.1/", "http://", "jwks", ""])
    async def test_an_invalid_url_is_a_failed_fetch(self, url: str) -> None:  # R17
        await failure_at(url)


class TestDeadline:
    """K7: one time-out for the whole exchange, because httpx's own restart with every byte."""

    def test_it_is_five_seconds(self) -> None:
        assert FETCH_TIMEOUT == 5

    async def test_a_response_that_drips_in_is_cut_off(self) -> None:
        whole = response(DOCUMENT.ljust(600))

        async def drip(writer: asyncio.StreamWriter) -> None:
            for byte in whole:  # some 7 s in all, never a pause that exceeds httpx's own time-out
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.01)

        assert await failure(drip, deadline=0.3) == "no complete response within 0.3 s"

    @pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\n", response(DOCUMENT)[:-1]], ids=short)
    async def test_a_response_that_stalls_is_cut_off(self, sent: bytes) -> None:
        async def stall(writer: asyncio.StreamWriter) -> None:
            writer.write(sent)
            await asyncio.Event().wait()

        assert await failure(stall, deadline=0.3) == "no complete response within 0.3 s"

    async def test_a_fetch_can_be_cancelled(self) -> None:
        requested = asyncio.Event()

        async def stall(_: asyncio.StreamWriter) -> None:
            requested.set()
            await asyncio.Event().wait()

        async with loopback(stall) as site:
            fetching = asyncio.create_task(fetched(site.url))
            await requested.wait()
            fetching.cancel()
            with pytest.raises(asyncio.CancelledError):
                await fetching


class TestEnvironment:
    """K8: no setting of the environment comes between the service and the issuer."""

    async def test_no_proxy_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with loopback(sending(response(b'{"keys":[]}'))) as proxy, loopback(sending(response(DOCUMENT))) as site:
            for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, proxy.url)
            for name in ("NO_PROXY", "no_proxy"):
                monkeypatch.delenv(name, raising=False)
            assert await fetched(site.url) == KEYS
        assert proxy.requests == []

    async def test_no_password_file_is_read(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login alice password secret\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", os.fspath(netrc))
        async with loopback(sending(response(DOCUMENT))) as site:
            await fetched(site.url)
        assert b"authorization" not in site.requests[0].lower()


class TestCertificates:
    """R18: over https, the issuer has a certificate of a trusted authority."""

    async def test_an_untrusted_certificate_is_refused(self, tmp_path: Path) -> None:
        async with https(tmp_path) as site:
            assert await failure_at(site.url) == "the request failed: ConnectError"
        assert site.requests == []

    async def test_a_certificate_that_the_system_trusts_is_accepted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with https(tmp_path) as site:
            monkeypatch.setenv("SSL_CERT_FILE", os.fspath(tmp_path / "certificate.pem"))
            assert await fetched(site.url) == KEYS
            assert await failure_at(site.url.replace("127.0.0.1", "localhost")) == "the request failed: ConnectError"


@asynccontextmanager
async def https(folder: Path) -> AsyncIterator[Loopback]:
    """A server with a new self-signed certificate for 127.0.0.1, stored in the folder."""
    async with loopback(sending(response(DOCUMENT)), self_signed(folder)) as site:
        yield site
