"""Use cases of clients that keep a copy of a list."""

from attrs import frozen

from application.ports import TaskLists
from domain.changes import Changes, ChangesQuery
from domain.identity import Principal, UserId


@frozen
class ReadChanges:
    """Read one page of what has changed in a list since a client last read it."""

    lists: TaskLists

    async def __call__(self, actor: Principal, owner: UserId, query: ChangesQuery) -> Changes:
        """Raise AccessDenied before the list is opened, SyncTokenExpired, or StorageUnavailable."""
        actor.ensure_owns(owner)
        return await self.lists.open(owner).changes(query)
