"""A standby is known as one, and after a failover the service writes again without a restart."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from adapters.sql.database import READERS
from tests.integration.processes.test_faults import TASKS, assert_serves, assert_try_later, is_back
from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.moving_address import MovingAddress, moving_address
from tests.support.postgres import OWNER, Installation, PostgresServer, as_role
from tests.support.service import Service, eventually, evo_todo, running


@pytest.fixture
def primary(own_postgres: PostgresServer, tmp_path: Path) -> PostgresServer:
    """A migrated primary server."""
    migrated = evo_todo("migrate", folder=tmp_path, settings={"DATABASE_URL": as_role(own_postgres.url, OWNER)})
    assert migrated.returncode == 0, migrated.stderr
    return own_postgres


@pytest.fixture
def standby(primary: PostgresServer, postgres_programs: Installation) -> Iterator[PostgresServer]:
    """A standby that follows the primary."""
    with postgres_programs.server(durable=True, primary=primary) as server:
        yield server


def at(port: int, *others: int) -> str:
    """The owner's address of the database at these ports."""
    url = urlsplit(as_role(f"postgresql://postgres@127.0.0.1:{port}/postgres", OWNER))
    return url._replace(netloc=",".join([url.netloc, *(f"127.0.0.1:{other}" for other in others)])).geturl()


@pytest.fixture
def address(standby: PostgresServer) -> Iterator[MovingAddress]:
    with moving_address(standby.port) as address:
        yield address


@pytest.fixture
def at_the_standby(address: MovingAddress, issuer: LoopbackIssuer, tmp_path: Path) -> Iterator[Service]:
    """A service whose address leads to the standby."""
    with running("serve", folder=tmp_path, settings={"DATABASE_URL": at(address.port)} | issuer.settings) as service:
        yield service


def test_connections_made_to_a_standby_are_given_up_when_the_address_leads_to_the_primary(
    at_the_standby: Service, address: MovingAddress, primary: PostgresServer, issuer: LoopbackIssuer
) -> None:
    service, token = at_the_standby, issuer.token("alice")
    with service.client(token) as client:
        assert [client.get(TASKS).status_code for _ in range(20)] == [200] * 20
        for _ in range(3):
            assert_try_later(client.post(TASKS, json={"title": "Buy milk"}))
    not_ready = service.get("/readyz")
    assert not_ready.status_code == 503
    assert "standby" in not_ready.text

    address.target = primary.port

    eventually(lambda: is_back(service, token))
    eventually(lambda: service.get("/readyz").status_code == 200)
    assert_serves(service, token)


@pytest.mark.parametrize("fail", [PostgresServer.crash, PostgresServer.pause], ids=["crashes", "does-not-respond"])
def test_with_several_hosts_writes_go_on_at_the_standby_that_was_promoted(
    primary: PostgresServer,
    standby: PostgresServer,
    issuer: LoopbackIssuer,
    tmp_path: Path,
    fail: Callable[[PostgresServer], None],
) -> None:
    token, settings = issuer.token("alice"), {"DATABASE_URL": at(standby.port, primary.port)} | issuer.settings
    with running("serve", folder=tmp_path, settings=settings) as service:
        assert_serves(service, token)
        assert service.get("/readyz").status_code == 200

        fail(primary)
        standby.promote()

        eventually(lambda: is_back(service, token))
        eventually(lambda: service.get("/readyz").status_code == 200)
        # Open connections to a server that does not respond are noticed when they are used.
        eventually(lambda: [service.get(TASKS, token).status_code for _ in range(2 * READERS)] == [200] * 2 * READERS)
        assert_serves(service, token)


def test_the_doctor_and_a_migration_name_the_standby(standby: PostgresServer, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": at(standby.port)}
    [database] = [
        check
        for check in json.loads(evo_todo("doctor", "--json", folder=tmp_path, settings=settings).stdout)["checks"]
        if check["name"] == "database"
    ]
    assert database["status"] == "failed"
    assert "standby" in database["detail"]
    assert "primary" in database["advice"]

    refused = evo_todo("migrate", folder=tmp_path, settings=settings)
    assert refused.returncode == 1
    assert "standby" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
