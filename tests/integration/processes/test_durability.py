from pathlib import Path

import pytest

from tests.support.load import Load, assert_kept
from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.postgres import OWNER, PostgresServer, as_role
from tests.support.service import eventually, running


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return "sqlite:///tasks.db"
    server: PostgresServer = request.getfixturevalue("own_postgres")
    return as_role(server.url, OWNER)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_what_was_acknowledged_outlives_a_service_that_is_killed(
    database: str, issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    token = issuer.token("alice")
    settings = {"DATABASE_URL": database} | issuer.settings
    with running("serve", "--migrate", folder=tmp_path, settings=settings) as service:
        load = Load(service, token)
        with load.running():
            load.wait_for(100)
            service.kill()

    with running("serve", folder=tmp_path, settings=settings) as service:
        assert load.other_responses == []
        assert_kept(load.acknowledged, service, token)


def test_what_was_acknowledged_outlives_a_database_that_crashes_and_the_service_goes_on_by_itself(
    own_postgres: PostgresServer, issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    token = issuer.token("alice")
    settings = {"DATABASE_URL": as_role(own_postgres.url, OWNER)} | issuer.settings
    with running("serve", "--migrate", folder=tmp_path, settings=settings) as service:
        load = Load(service, token)
        with load.running():
            load.wait_for(100)
            own_postgres.crash()
            eventually(lambda: load.other_responses)
            own_postgres.start()
            load.wait_for(100)

        assert {answer.status_code for answer in load.other_responses} == {503}
        assert all("Retry-After" in answer.headers for answer in load.other_responses)
        assert_kept(load.acknowledged, service, token)
