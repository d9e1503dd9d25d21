from pathlib import Path

import pytest

from benchmarks.capacity import Assumptions, Need, table

SCALING = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()


def test_the_table_in_the_documents_is_the_computed_one() -> None:
    assert table() in SCALING


@pytest.mark.parametrize(("users", "step"), [(1_000, "one machine"), (10_000_000, "pooler"), (50_000_000, "shards")])
def test_more_users_need_a_later_step(users: int, step: str) -> None:
    assert Need(users).step.startswith(step)


def test_requests_are_spread_over_the_day() -> None:
    need = Need(86_400, Assumptions(active=1, reads=8, writes=2, peak=3))
    assert (need.per_second, need.writes_per_second) == (30, 6)
