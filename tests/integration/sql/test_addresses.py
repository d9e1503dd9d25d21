"""Every address in the table of docs/operations.md leads to a database, or is refused as the table says."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import text

from adapters.sql.address import DatabaseAddress
from adapters.sql.database import connect
from entrypoints.settings import SettingError, Settings
from tests.support.postgres import OWNER, Installation, PostgresServer, as_role, make_roles
from tests.support.tls import Certificates, TlsServer, make_certificates, tls_in_front

DOCUMENT = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
TABLE = re.findall(r"^\| `((?:postgres|jdbc)\S+)` \| [^|]+ \| ([^|]+) \|$", DOCUMENT, re.MULTILINE)
WORKING = [address for address, outcome in TABLE if not outcome.startswith("refused")]
REFUSED = [(address, outcome) for address, outcome in TABLE if outcome.startswith("refused")]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def server(postgres_programs: Installation) -> Iterator[PostgresServer]:
    with postgres_programs.server(durable=False) as server:
        make_roles(server.url)
        yield server


@pytest.fixture
async def front(server: PostgresServer, certificates: Certificates) -> AsyncIterator[TlsServer]:
    """TLS in front of the server, with a certificate of an authority of its own."""
    async with tls_in_front(server.port, certificates) as front:
        yield front


def there(address: str, server: PostgresServer, front: TlsServer, certificates: Certificates) -> str:
    """The address with the names of this server in place of the table's."""
    login, _, _ = as_role(server.url, OWNER).removeprefix("postgresql://").partition("@")
    user, _, password = login.partition(":")
    for name, here in (
        ("user:password", login),
        ("user=user&password=password", f"user={user}&password={password}"),
        ("host:5432", f"localhost:{front.port}"),
        ("/name", "/postgres"),
        ("host=/run/postgresql&port=5432", f"host={server.folder}&port={server.port}"),
        ("%2Frun%2Fpostgresql:5432", f"{quote(str(server.folder), safe='')}:{server.port}"),
        ("/etc/ssl/server-ca.pem", str(certificates.authority)),
    ):
        address = address.replace(name, here)
    return address


def test_the_table_has_addresses_of_both_kinds() -> None:
    assert len(WORKING) > 15
    assert len(REFUSED) > 10


@pytest.mark.parametrize("address", WORKING)
async def test_an_address_of_the_table_leads_to_the_database(
    address: str,
    server: PostgresServer,
    front: TlsServer,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))  # what the machine trusts
    url = there(address, server, front, certificates)
    assert Settings.from_env({"DATABASE_URL": url}).database_url == url
    database = connect(url)
    try:
        assert (await database.read(text("SELECT 42"))).scalar_one() == 42
        assert (await database.executor.read(text("SELECT 42"), {}))[0][0] == 42
    finally:
        await database.dispose()
    is_socket = "%2F" in address or "host=/" in address
    assert set(front.secured) == (set() if is_socket else {"sslmode=disable" not in address})


@pytest.mark.parametrize(("address", "outcome"), REFUSED)
def test_another_is_refused_in_one_line_that_names_the_parameter_and_what_to_write(address: str, outcome: str) -> None:
    with pytest.raises(SettingError) as refused:
        Settings.from_env({"DATABASE_URL": address})
    message = str(refused.value)
    assert message.startswith("DATABASE_URL=")
    assert "\n" not in message
    assert [word for word in re.findall(r"`([^`]+)`", outcome) if word not in message] == []


@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("postgresql://a,b:5433/name", ("a", "b:5433")),
        ("postgresql://a,b/name?port=5433", ("a:5433", "b:5433")),
        ("postgresql:///name?host=a,b&port=1,2", ("a:1", "b:2")),
        ("postgresql:///name?host=2001:db8::1", ("[2001:db8::1]",)),
        ("postgresql://[2001:db8::1]:5433/name", ("[2001:db8::1]:5433",)),
        ("postgresql:///name?host=/tmp", ("%2Ftmp",)),
        ("postgresql:///name", ("",)),
    ],
)
def test_the_servers_of_an_address(url: str, servers: tuple[str, ...]) -> None:
    assert DatabaseAddress.parse(url).servers == servers


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("port=0", "port"),
        ("host=a,b,c&port=1,2", "port"),
        ("sslMode=require", "sslmode"),
        ("channelbinding=require", "channel_binding"),
        ("sslrootcert=system&sslmode=require", "sslmode=verify-full"),
    ],
)
def test_a_misspelt_parameter_is_named_as_it_is_spelt(parameters: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DatabaseAddress.parse(f"postgresql:///name?{parameters}")


def test_a_part_of_a_password_that_looks_like_a_parameter_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="sslmode") as refused:
        DatabaseAddress.parse("postgresql://host/name?password=se&sslmod=cret")
    assert "sslmod " not in str(refused.value)
    assert "cret" not in str(refused.value)
