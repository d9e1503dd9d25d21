"""One of several workers, or what they all stand on, is taken away in the middle of their work."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest

from tests.support import impatient_service as impatient_service_program
from tests.support.load import Load, assert_kept
from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.postgres import OWNER, PostgresServer, as_role
from tests.support.service import Service, eventually, evo_todo, running

WORKERS = 3
BLOWS = 5


def workers(service: Service) -> set[int]:
    """The processes that serve: the living children that Python's multiprocessing has spawned."""
    found = set()
    for child in psutil.Process(service.process.pid).children():
        with suppress(psutil.NoSuchProcess):  # which a zombie counts as
            if any("spawn_main" in word for word in child.cmdline()):
                found.add(child.pid)
    return found


def has_started(service: Service, times: int) -> bool:
    return service.log.count("Application startup complete") == times


@pytest.fixture
def service(own_postgres: PostgresServer, issuer: LoopbackIssuer, tmp_path: Path) -> Iterator[Service]:
    settings = {"DATABASE_URL": as_role(own_postgres.url, OWNER), "EVO_TODO_WORKERS": str(WORKERS)}
    settings["EVO_TODO_RATE_LIMIT"] = "off"
    with running("serve", "--migrate", folder=tmp_path, settings=settings | issuer.settings) as it:
        eventually(lambda: has_started(it, WORKERS))
        yield it


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM], ids=lambda blow: blow.name)
def test_a_worker_that_ends_takes_no_promise_along_and_is_replaced(
    blow: signal.Signals, service: Service, issuer: LoopbackIssuer
) -> None:
    token = issuer.token("alice")
    load = Load(service, token)
    before = workers(service)
    victim = min(before)
    with load.running():
        load.wait_for(100)
        os.kill(victim, blow)
        load.wait_for(50)
        eventually(lambda: has_started(service, WORKERS + 1))
        load.wait_for(50)

    assert {answer.status_code for answer in load.other_responses} <= {503}
    assert len(workers(service) - before) == 1, "one came in its place, the others stayed"
    assert len(workers(service)) == WORKERS
    assert_kept(load.acknowledged, service, token)


async def test_connections_that_are_cut_cost_no_promise_and_no_failure_of_ours(
    service: Service, own_postgres: PostgresServer, issuer: LoopbackIssuer
) -> None:
    token = issuer.token("alice")
    load = Load(service, token)
    cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'evo-todo'"
    database = await asyncpg.connect(own_postgres.url)
    with load.running():
        for _ in range(BLOWS):
            load.wait_for(50)
            assert await database.fetchval(cut) > 0
        load.wait_for(50)
    await database.close()

    assert {answer.status_code for answer in load.other_responses} <= {503}
    assert_kept(load.acknowledged, service, token)


def test_a_database_that_is_restarted_again_and_again_needs_no_hand(
    service: Service, own_postgres: PostgresServer, issuer: LoopbackIssuer
) -> None:
    token = issuer.token("alice")
    load = Load(service, token)
    with load.running():
        for _ in range(3):
            load.wait_for(50)
            own_postgres.stop()
            own_postgres.start()
        load.wait_for(50)

    assert {answer.status_code for answer in load.other_responses} <= {503}
    assert_kept(load.acknowledged, service, token)


@pytest.fixture
def impatient_service(issuer: LoopbackIssuer, tmp_path: Path) -> Iterator[Service]:
    settings = {"DATABASE_URL": "sqlite:///tasks.db", "EVO_TODO_WORKERS": "2"} | issuer.settings
    evo_todo("migrate", folder=tmp_path, settings=settings)
    with running(folder=tmp_path, settings=settings, program=impatient_service_program.__name__) as it:
        eventually(lambda: has_started(it, 2))
        yield it


def test_a_worker_that_is_only_slow_stays_and_one_that_is_stuck_is_replaced(impatient_service: Service) -> None:
    """A busy machine gives a process no processor time for a while."""
    before = workers(impatient_service)
    victim = psutil.Process(min(before))
    victim.suspend()
    time.sleep(impatient_service_program.WORKER_TIMEOUT / 2)  # how long it is slow
    victim.resume()
    assert impatient_service.get("/livez").is_success
    assert workers(impatient_service) == before

    victim.suspend()

    eventually(lambda: has_started(impatient_service, 3))
    assert len(workers(impatient_service) - before) == 1
    assert victim.pid not in workers(impatient_service)


def test_a_worker_whose_event_loop_is_blocked_for_good_is_replaced(impatient_service: Service) -> None:
    before = workers(impatient_service)

    os.kill(min(before), signal.SIGUSR1)

    eventually(lambda: has_started(impatient_service, 3))
    assert len(workers(impatient_service) - before) == 1
    assert min(before) not in workers(impatient_service)
    [line] = [line for line in impatient_service.log_lines if line["level"] == "critical"]
    assert any("impatient_service.py" in place for place in line["stack"])
