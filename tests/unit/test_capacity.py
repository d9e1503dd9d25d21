from pathlib import Path

import pytest

from benchmarks import capacity_streams
from benchmarks.capacity import Assumptions, Need, table
from benchmarks.capacity_streams import one_stops

SCALING = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()


def test_the_table_in_the_documents_is_the_computed_one() -> None:
    assert table() in SCALING


@pytest.mark.parametrize(("users", "step"), [(1_000, "one machine"), (10_000_000, "pooler"), (50_000_000, "shards")])
def test_more_users_need_a_later_step(users: int, step: str) -> None:
    assert Need(users).step.startswith(step)


def test_requests_are_spread_over_the_day() -> None:
    need = Need(86_400, Assumptions(active=1, reads=8, writes=2, peak=3))
    assert (need.per_second, need.writes_per_second) == (30, 6)


def test_the_simulated_table_in_the_documents_is_the_computed_one() -> None:
    assert capacity_streams.table() in SCALING


@pytest.mark.parametrize("seed", range(5))
def test_with_a_worker_to_spare_every_stream_opens_again(seed: int) -> None:
    need = Need(1_000_000)
    spared = one_stops(need, need.workers, counts=True, seed=seed)
    assert spared.slowest < 10
    assert spared.refused == 0
    assert one_stops(need, need.workers - 1, counts=True, seed=seed).slowest == float("inf")
