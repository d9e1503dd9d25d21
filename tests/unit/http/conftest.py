from collections.abc import AsyncIterator

import pytest

from tests.support.api import Api, InMemory, running


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running(InMemory()) as api:
        yield api
