"""Pages as they were last sent: a cache that asks each time whether what it holds is still so (RFC 9111 §4.3)."""

import asyncio
import time
from collections.abc import Callable
from itertools import chain
from typing import Final

from attrs import define, field, frozen
from cachetools import TTLCache

from adapters.http.responses import Response
from domain.identity import UserId
from domain.task import Revision, Revisions

MAX_BYTES_TOTAL: Final = 14 * 2**20
"""What all of a worker's stored pages come to; then those that were not asked for longest make room."""

MAX_PAGE_BYTES: Final = MAX_BYTES_TOTAL // 16
"""Bytes of a page that is still stored: some 3000 tasks as people write them."""

LIFETIME: Final = 540.0
"""Seconds until a page is forgotten, used or not."""

EVICTION_INTERVAL: Final = 30.0
"""Seconds between two looks for pages whose time is up: nothing that was erased is in memory ten minutes later."""

_OVERHEAD: Final = 1024
"""Bytes, about, of the objects around what is kept."""


@frozen
class CachedPage:
    """An answer, and the list's revision that it tells of."""

    revision: Revision
    answer: Response
    size: int
    """Bytes, about, with the query and the header fields, which clients can make long."""

    def known_revisions(self, by_client: Revisions | None) -> Revisions:
        """This page's revision beside those that the client has."""
        if by_client is None:
            return Revisions(frozenset((self.revision,)))
        return by_client if by_client.known is None else Revisions(by_client.known | {self.revision})


@define
class PageCache:
    """Pages by their owner and query string.

    Whoever uses one sees first, in the same statement that would read the page, that the list is still at that
    revision. A revision is never used twice for one owner, not even after everything of theirs was erased.
    """

    _now: Callable[[], float] = time.monotonic
    _pages: "TTLCache[tuple[UserId, bytes], CachedPage]" = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._pages = TTLCache(MAX_BYTES_TOTAL, LIFETIME, timer=self._now, getsizeof=lambda page: page.size)

    def find(self, owner: UserId, query_string: bytes) -> CachedPage | None:
        """The page that was last sent in answer to this query, whether or not it is still so."""
        return self._pages.get((owner, query_string))

    def store(self, owner: UserId, query_string: bytes, revision: Revision, answer: Response) -> None:
        """Keep a page for the next time; one that is very large is not worth it."""
        size = len(answer.body) + len(query_string) + sum(map(len, chain.from_iterable(answer.headers))) + _OVERHEAD
        if size <= MAX_PAGE_BYTES:
            self._pages[owner, query_string] = CachedPage(revision, answer, size)

    async def run_eviction(self) -> None:
        """Let go of what is forgotten, again and again, until this is cancelled."""
        while True:
            await asyncio.sleep(EVICTION_INTERVAL)
            self.evict_expired()

    def evict_expired(self) -> None:
        """Let go of pages whose time is up."""
        self._pages.expire()
