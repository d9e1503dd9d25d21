"""A cache of list pages that is validated at each use (RFC 9111 §4.3)."""

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
"""Of all cached pages of a worker; beyond, the least recently used are evicted."""

MAX_PAGE_BYTES: Final = MAX_BYTES_TOTAL // 16
"""A larger page is not cached; some 3000 tasks of usual length fit."""

LIFETIME: Final = 540.0
"""Seconds until a page expires, used or not."""

EVICTION_INTERVAL: Final = 30.0
"""Seconds between two evictions of expired pages: erased tasks are out of memory within ten minutes."""

_OVERHEAD: Final = 1024
"""Bytes, about, of the objects around a cached page."""


@frozen
class CachedPage:
    """A response, and the list's revision that it shows."""

    revision: Revision
    response: Response
    size: int
    """Bytes, about, including the query string and the headers, which clients can make long."""

    def known_revisions(self, by_client: Revisions | None) -> Revisions:
        """This page's revision and those that the client has."""
        if by_client is None:
            return Revisions(frozenset((self.revision,)))
        return by_client if by_client.known is None else Revisions(by_client.known | {self.revision})


@define
class PageCache:
    """Pages by owner and query string.

    A cached page is used only after the statement that would read the page has found the list at its revision. No
    revision occurs twice for one owner, not even after an account was erased.
    """

    _now: Callable[[], float] = time.monotonic
    _pages: "TTLCache[tuple[UserId, bytes], CachedPage]" = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._pages = TTLCache(MAX_BYTES_TOTAL, LIFETIME, timer=self._now, getsizeof=lambda page: page.size)

    def find(self, owner: UserId, query_string: bytes) -> CachedPage | None:
        """The last response to this query; may be stale."""
        return self._pages.get((owner, query_string))

    def store(self, owner: UserId, query_string: bytes, revision: Revision, response: Response) -> None:
        """Cache a page, unless it is very large."""
        size = len(response.body) + len(query_string) + sum(map(len, chain.from_iterable(response.headers))) + _OVERHEAD
        if size <= MAX_PAGE_BYTES:
            self._pages[owner, query_string] = CachedPage(revision, response, size)

    async def run_eviction(self) -> None:
        """Evict expired pages periodically, until cancelled."""
        while True:
            await asyncio.sleep(EVICTION_INTERVAL)
            self.evict_expired()

    def evict_expired(self) -> None:
        """Evict the pages that have expired."""
        self._pages.expire()
