from tests.contracts.changes_over_http import ChangesOverHttpContract


class TestChangesInMemory(ChangesOverHttpContract):
    """With the `api` fixture of this folder."""

    api = None  # type: ignore[assignment]  # takes the contract's own out of the way
