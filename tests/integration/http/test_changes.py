from collections.abc import AsyncIterator

import pytest

from tests.contracts.changes_over_http import ChangesOverHttpContract
from tests.support.api import Api, running


@pytest.fixture
async def sql_api(migrated_url: str) -> AsyncIterator[Api]:
    async with running(DATABASE_URL=migrated_url) as api:
        yield api


class TestChangesInSql(ChangesOverHttpContract):
    """On PostgreSQL and on SQLite."""

    @pytest.fixture
    def api(self, sql_api: Api) -> Api:
        return sql_api
