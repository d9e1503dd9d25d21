"""Behind PgBouncer in transaction mode, which gives a client another connection for each transaction."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration.processes.test_faults import TASKS
from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.pgbouncer import FIRST_THAT_PREPARES, VERSION, pgbouncer
from tests.support.postgres import SERVICE, as_role
from tests.support.service import Service, evo_todo, running

OFF = {"EVO_TODO_PREPARED_STATEMENTS": "off"}


@pytest.fixture
def url(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The owner's address of an empty database, behind the pooler."""
    with pgbouncer(postgres_url, tmp_path_factory.mktemp("pooler")) as url:
        yield url


@pytest.fixture
def migrated(url: str, tmp_path: Path) -> str:
    """The service's address of a database that was migrated through the pooler."""
    settings = {"DATABASE_URL": url, "EVO_TODO_SERVICE_ROLE": SERVICE} | OFF
    migration = evo_todo("migrate", folder=tmp_path, settings=settings)
    assert migration.returncode == 0, migration.stderr
    return as_role(url, SERVICE)


def every_call(service: Service, token: str) -> set[int]:
    """The statuses of the calls of many clients side by side."""

    def one_client(number: int) -> set[int]:
        with service.client(token) as client:
            added = client.post(TASKS, json={"title": f"Task {number}"}, headers={"Idempotency-Key": f"k-{number}"})
            path = f"{TASKS}/{added.json().get('id')}"
            answers = [
                added,
                client.get(path),
                client.get(TASKS),
                client.get(f"{TASKS}?completed=false&sort=-updated_at"),
                client.get(f"{TASKS}/changes"),
                client.put(path, json={"title": "Other"}),
                client.patch(f"{path}/complete"),
                client.delete(path),
                client.post(f"{path}/restore"),
                client.get("/readyz"),
            ]
            return {answer.status_code for answer in answers}

    # More than the pooler has connections, and few enough for a busy machine to answer each in time.
    with ThreadPoolExecutor(6) as clients:
        return set().union(*clients.map(one_client, range(24)))


def database_check(url: str, folder: Path, **settings: str) -> dict[str, Any]:
    done = evo_todo("doctor", "--json", folder=folder, settings={"DATABASE_URL": url} | settings)
    [found] = [check for check in json.loads(done.stdout)["checks"] if check["name"] == "database"]
    return dict(found)


def test_without_prepared_statements_every_call_of_two_workers_works(
    migrated: str, issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": migrated, "EVO_TODO_WORKERS": "2"} | OFF | issuer.settings
    with running("serve", folder=tmp_path, settings=settings) as service:
        assert every_call(service, issuer.token("alice")) == {200, 201, 204}
        assert database_check(migrated, tmp_path, **OFF)["status"] == "ok"
        assert "PgBouncer" in database_check(migrated, tmp_path, **OFF)["detail"]


def test_the_doctor_notices_that_no_notification_passes_and_that_a_direct_address_helps(
    migrated: str, postgres_url: str, tmp_path: Path
) -> None:
    def notifications(**settings: str) -> dict[str, Any]:
        done = evo_todo("doctor", "--json", folder=tmp_path, settings={"DATABASE_URL": migrated} | OFF | settings)
        [found] = [check for check in json.loads(done.stdout)["checks"] if check["name"] == "notifications"]
        return dict(found)

    for found in (notifications(), notifications(EVO_TODO_LISTEN_URL=f"{migrated}?pgbouncer=true")):
        assert (found["status"], "15 s late" in found["detail"]) == ("note", True)
        assert "EVO_TODO_LISTEN_URL" in found["advice"]
    direct = as_role(postgres_url, SERVICE)
    assert notifications(EVO_TODO_LISTEN_URL=direct)["status"] == "ok"
    lost = notifications(EVO_TODO_LISTEN_URL="postgresql://nobody:hunter2@127.0.0.1:1/none")
    assert (lost["status"], "refused" in lost["detail"]) == ("note", True)
    assert "DATABASE_URL" not in lost["advice"]
    assert "EVO_TODO_LISTEN_URL" in lost["advice"]
    assert "hunter2" not in str(lost)


def test_with_them_the_doctor_names_the_pooler_and_the_setting(migrated: str, tmp_path: Path) -> None:
    for _ in range(2):  # it leaves nothing behind that would be found the next time
        found = database_check(migrated, tmp_path)
        assert found["status"] == "failed"
        assert "PgBouncer" in found["detail"]
        assert "EVO_TODO_PREPARED_STATEMENTS=off" in found["advice"]


def test_prismas_parameter_in_the_address_says_the_same_as_the_setting(
    migrated: str, issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    url = f"{migrated}?pgbouncer=true&connection_limit=1&schema=public"
    with running("serve", folder=tmp_path, settings={"DATABASE_URL": url} | issuer.settings) as service:
        assert every_call(service, issuer.token("alice")) == {200, 201, 204}


def test_what_a_pooler_refuses_is_a_503_that_names_the_setting(
    migrated: str, issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": migrated} | issuer.settings
    with running("serve", folder=tmp_path, settings=settings) as service:
        assert every_call(service, issuer.token("alice")) <= {200, 201, 204, 401, 404, 405, 422, 503}


if VERSION >= FIRST_THAT_PREPARES:  # an older one can't; the summary of the test run says so

    @pytest.mark.usefixtures("migrated")
    def test_a_pooler_that_keeps_account_of_prepared_statements_needs_no_setting(
        postgres_url: str, issuer: LoopbackIssuer, tmp_path: Path
    ) -> None:
        with pgbouncer(postgres_url, tmp_path / "preparing", prepares=True) as owners:
            url = as_role(owners, SERVICE)
            settings = {"DATABASE_URL": url, "EVO_TODO_WORKERS": "2"} | issuer.settings
            with running("serve", folder=tmp_path, settings=settings) as service:
                assert every_call(service, issuer.token("alice")) == {200, 201, 204}
                assert database_check(url, tmp_path)["status"] == "ok"
