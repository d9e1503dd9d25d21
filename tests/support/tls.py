"""A certificate for this machine, the authority that issued it, which nobody else trusts, and TLS for PostgreSQL."""

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

from attrs import define, field, frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.postgres_local import free_port

SSL_REQUEST = bytes.fromhex("0000000804d2162f")
"""How a client asks PostgreSQL for TLS (PostgreSQL, §54.7)."""


@frozen
class Certificates:
    """Files in PEM."""

    authority: Path
    certificate: Path
    key: Path


def make_certificates(folder: Path) -> Certificates:
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in ("Tests", "localhost")]
    now = dt.datetime.now(dt.UTC)

    def issued(subject: int) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(names[subject])
            .issuer_name(names[0])
            .public_key(keys[subject].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=subject == 0, path_length=None), critical=True)
        )

    here = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    authority = issued(0).sign(keys[0], SHA256())
    certificate = issued(1).add_extension(x509.SubjectAlternativeName(here), critical=False).sign(keys[0], SHA256())
    files = Certificates(folder / "authority.pem", folder / "server.pem", folder / "server.key")
    files.authority.write_bytes(authority.public_bytes(Encoding.PEM))
    files.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    files.key.write_bytes(keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


@define
class TlsServer:
    """What lets people in with or without TLS, in front of a PostgreSQL server that knows none."""

    port: int
    secured: list[bool] = field(factory=list)
    """Whether each connection so far used TLS."""


@asynccontextmanager
async def tls_in_front(server_port: int, certificates: Certificates) -> AsyncIterator[TlsServer]:
    """Listen on a free port, offer TLS as PostgreSQL does (its SSLRequest), and forward to the server's port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    forwarding: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):  # the client does not like the certificate
            await forward(reader, writer)
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begin = await reader.read(8)
        if is_secure := begin == SSL_REQUEST:
            writer.write(b"S")
            await writer.start_tls(context)
        its_reader, its_writer = await asyncio.open_connection("127.0.0.1", server_port)
        if not is_secure:
            its_writer.write(begin)
        front.secured.append(is_secure)
        await asyncio.gather(_forward(reader, its_writer), _forward(its_reader, writer))

    def serving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        forwarding.add(task)
        task.add_done_callback(forwarding.discard)

    listener = await asyncio.start_server(serving, "127.0.0.1", free_port())
    front = TlsServer(listener.sockets[0].getsockname()[1])
    try:
        yield front
    finally:
        listener.close()
        for task in forwarding:
            task.cancel()
        await asyncio.gather(*forwarding, return_exceptions=True)


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
