from attrs import frozen

from application.health import CheckReadiness


@frozen
class Check:
    name: str
    answer: str | None

    async def problem(self) -> str | None:
        return self.answer


async def test_each_check_is_named_with_its_problem() -> None:
    ask = CheckReadiness((Check("database", None), Check("keys", "none yet")))
    assert await ask() == {"database": None, "keys": "none yet"}
