import pytest

from adapters.memory.access import MemoryAuditLog
from tests.contracts.audit_logs import AuditContract, Flush


class TestMemoryAudit(AuditContract):
    @pytest.fixture
    def log(self) -> MemoryAuditLog:
        return MemoryAuditLog()

    @pytest.fixture
    def trail(self, log: MemoryAuditLog) -> MemoryAuditLog:
        return log

    @pytest.fixture
    def flush(self) -> Flush:
        async def nothing() -> None:
            pass

        return nothing
