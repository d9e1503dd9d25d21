from tests.contracts.idempotency_over_http import IdempotencyOverHttpContract


class TestIdempotencyInMemory(IdempotencyOverHttpContract):
    """With the `api` fixture of this folder."""

    api = None  # type: ignore[assignment]  # takes the contract's own out of the way
