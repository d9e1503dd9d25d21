from attrs import frozen

from application.health import CheckReadiness


@frozen
class Check:
    name: str
    missing: str | None

    async def problem(self) -> str | None:
        return self.missing


async def test_each_check_is_named_with_its_problem() -> None:
    check_readiness = CheckReadiness((Check("database", None), Check("keys", "none yet")))
    assert await check_readiness() == {"database": None, "keys": "none yet"}
