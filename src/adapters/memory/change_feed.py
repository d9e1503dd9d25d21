"""The change feed of a single process."""

from contextlib import AbstractContextManager

from attrs import Factory, frozen

from application.notices import Notice, Subscriptions
from domain.identity import UserId


@frozen
class MemoryChangeFeed:
    """The port's ChangeFeed, within this process."""

    _subscriptions: Subscriptions = Factory(Subscriptions)

    def notify(self, owner: UserId) -> None:
        """See the port."""
        self._subscriptions.wake(owner)

    def subscribe(self, owner: UserId) -> AbstractContextManager[Notice]:
        """See the port."""
        return self._subscriptions.subscribe(owner)
