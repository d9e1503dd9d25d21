from collections.abc import AsyncIterator

import pytest

from tests.integration.conftest import *  # noqa: F403  (databases, as everywhere)
from tests.integration.processes.conftest import issuer, own_issuer, service
from tests.support.api import Api, InMemory, running
from tests.support.own_apps import load, published

__all__ = ["api", "issuer", "load", "own_issuer", "published", "service"]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """The whole application, its lists in memory, without limits in the attacker's way."""
    async with running(InMemory(), EVO_TODO_RATE_LIMIT="off", EVO_TODO_ADDRESS_RATE_LIMIT="off") as api:
        yield api
