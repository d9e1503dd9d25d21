from collections.abc import Iterator

import pytest

from tests.support.redis import ABSENT, PROGRAM, RedisServer, redis_server


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """A server for all tests; tests that stop it use `own_redis`."""
    if PROGRAM is None:
        pytest.skip(ABSENT)
    with redis_server() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    if PROGRAM is None:
        pytest.skip(ABSENT)
    with redis_server() as server:
        yield server
