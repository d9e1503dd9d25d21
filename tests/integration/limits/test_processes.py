"""Rate limits of the running service: which address it counts, and how workers share counters."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.loopback_issuer import LoopbackIssuer, an_issuer
from tests.support.redis import RedisServer
from tests.support.service import Service, eventually, running

PATH = "/api/alice/tasks"
SETTINGS = {"DATABASE_URL": "sqlite:///tasks.db", "EVO_TODO_LOG_FORMAT": "json"}

AWAY = "the limits' store is away"
BACK = "the limits' store is back"


@pytest.fixture(scope="module")
def issuer() -> Iterator[LoopbackIssuer]:
    with an_issuer() as issuer:
        yield issuer


def serving(folder: Path, issuer: LoopbackIssuer, **settings: str) -> AbstractContextManager[Service]:
    return running("serve", "--migrate", folder=folder, settings=SETTINGS | issuer.settings | settings)


def statuses(service: Service, forwarded_for: list[str]) -> list[int]:
    with service.client() as client:
        return [client.get(PATH, headers={"X-Forwarded-For": value}).status_code for value in forwarded_for]


FORGED = [f"192.0.2.{number}" for number in range(4)]


def test_a_forged_address_is_ignored(issuer: LoopbackIssuer, tmp_path: Path) -> None:
    with serving(tmp_path, issuer, EVO_TODO_ADDRESS_RATE_LIMIT="2/day") as service:
        known = issuer.token("alice", session="known")
        assert service.get(PATH, known).status_code == 200
        assert statuses(service, FORGED) == [401, 401, 429, 429]
        assert service.get(PATH, known).status_code == 200
        assert service.get(PATH, issuer.token("alice")).status_code == 429, "a new token is not verified"


def test_behind_a_trusted_proxy_each_client_is_counted_alone(issuer: LoopbackIssuer, tmp_path: Path) -> None:
    limits = {"EVO_TODO_ADDRESS_RATE_LIMIT": "2/day", "EVO_TODO_TRUSTED_PROXIES": "127.0.0.0/8"}
    with serving(tmp_path, issuer, **limits) as service:
        assert statuses(service, FORGED) == [401] * 4
        forged_in_front = [f"{address}, 203.0.113.9" for address in FORGED]
        assert statuses(service, forged_in_front) == [401, 401, 429, 429]


def send_many(service: Service, user: str, issuer: LoopbackIssuer, times: int) -> Counter[int]:
    path, token = f"/api/{user}/tasks", issuer.token(user)
    with ThreadPoolExecutor(8) as clients:
        return Counter(
            response.status_code for response in clients.map(lambda _: service.get(path, token), range(times))
        )


def test_two_workers_with_a_shared_store_allow_what_one_would(
    issuer: LoopbackIssuer, redis: RedisServer, tmp_path: Path
) -> None:
    limits = {"EVO_TODO_RATE_LIMIT": "20/day", "EVO_TODO_LIMITS_STORE": redis.url, "EVO_TODO_WORKERS": "2"}
    with serving(tmp_path, issuer, **limits) as service:
        eventually(lambda: service.log.count("Application startup complete") == 2)
        users = iter(f"user-{number}" for number in range(100))

        def is_counted_together() -> bool:
            """Count a new user's requests; the result is void if a busy machine was too slow for the store."""
            away, counted = service.log.count(AWAY), send_many(service, next(users), issuer, 80)
            if service.log.count(AWAY) > away or service.log.count(AWAY) > service.log.count(BACK):
                return False
            assert counted == {200: 20, 429: 60}
            return True

        eventually(is_counted_together)


def test_while_the_store_is_unavailable_requests_are_served(
    issuer: LoopbackIssuer, own_redis: RedisServer, tmp_path: Path
) -> None:
    limits = {"EVO_TODO_RATE_LIMIT": "600/day", "EVO_TODO_LIMITS_STORE": own_redis.url}
    with serving(tmp_path, issuer, **limits) as service:
        token = issuer.token("alice")
        assert service.get(PATH, token).headers["RateLimit"].startswith('"default";r=599;')
        own_redis.stop()
        assert send_many(service, "alice", issuer, 40) == {200: 40}
        own_redis.start()
        eventually(lambda: service.get(PATH, token).status_code == 200 and BACK in service.log)
