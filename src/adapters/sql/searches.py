"""Searches read whole lists: a user has one of them at a time, and no number of them delays another user's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
from attrs import Factory, define
from sqlalchemy import Executable

from adapters.sql.compiled_statements import Parameters, Rows
from adapters.sql.errors import ACQUIRE_TIMEOUT
from adapters.sql.executors import Executor
from domain.errors import SearchUnavailable, StorageUnavailable, TooManySearches
from domain.identity import UserId

MAX_WAITING: Final = 8
"""Searches of a user that run or wait."""
RETRY_AFTER: Final = 3
"""Seconds: a search that runs has ended by then."""


@define
class _Turns:
    lock: asyncio.Lock = Factory(asyncio.Lock)
    wanted: int = 0


@define
class Searches:
    """Runs searches, one at a time for each user; the others of the same user wait, at most `patience` seconds."""

    _executor: Executor
    patience: float = ACQUIRE_TIMEOUT
    _turns: dict[UserId, _Turns] = Factory(dict)

    async def read(self, owner: UserId, statement: Executable, parameters: Parameters) -> Rows:
        """Run an owner's search and return its rows.

        Raises:
            TooManySearches: others of this user run and wait.
            SearchUnavailable: it takes too long, or too many of other users run.
            StorageUnavailable: the database does not respond.
        """
        async with self._turn(owner):
            try:
                return await self._executor.search(statement, parameters)
            except StorageUnavailable as error:
                if isinstance(error.__cause__, TimeoutError | asyncpg.QueryCanceledError):
                    raise SearchUnavailable(RETRY_AFTER) from error
                raise

    @asynccontextmanager
    async def _turn(self, owner: UserId) -> AsyncIterator[None]:
        turns = self._turns.setdefault(owner, _Turns())
        if turns.wanted >= MAX_WAITING:
            raise TooManySearches(RETRY_AFTER)
        turns.wanted += 1
        try:
            try:
                async with asyncio.timeout(self.patience):
                    await turns.lock.acquire()
            except TimeoutError as error:
                raise TooManySearches(RETRY_AFTER) from error
            try:
                yield
            finally:
                turns.lock.release()
        finally:
            turns.wanted -= 1
            if not turns.wanted:
                del self._turns[owner]
