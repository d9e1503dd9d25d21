import pytest

from adapters.memory.audit import MemoryAuditLog
from tests.contracts.audit_logs import AuditContract, Settling


class TestMemoryAudit(AuditContract):
    @pytest.fixture
    def log(self) -> MemoryAuditLog:
        return MemoryAuditLog()

    @pytest.fixture
    def trail(self, log: MemoryAuditLog) -> MemoryAuditLog:
        return log

    @pytest.fixture
    def settle(self) -> Settling:
        async def nothing() -> None:
            pass

        return nothing
