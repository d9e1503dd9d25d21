from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from adapters.system.clock_and_ids import SystemClock, UuidV7Generator

INSTANTS = st.integers(0, 2**47 * 1000).map(lambda us: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us))


def test_the_clock_is_in_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)


@given(INSTANTS)
def test_an_id_is_a_uuid_of_version_7_with_its_millisecond(at: datetime) -> None:
    task_id = UuidV7Generator().next(at)
    assert (task_id.version, task_id.variant) == (7, "specified in RFC 4122")
    assert task_id.int >> 80 == (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@given(INSTANTS, st.integers(1, 10**12))
def test_ids_sort_by_their_instants_to_the_microsecond(at: datetime, later: int) -> None:
    ids = UuidV7Generator()
    assert ids.next(at) < ids.next(at + timedelta(microseconds=later))


def test_ids_of_one_instant_differ() -> None:
    ids, at = UuidV7Generator(), datetime(2026, 1, 1, tzinfo=UTC)
    assert len({ids.next(at) for _ in range(1000)}) == 1000
