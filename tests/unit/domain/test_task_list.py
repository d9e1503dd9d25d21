from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidField
from domain.identity import UserId
from domain.task import ANY_REVISION, Revision, Revisions, Task, TaskId
from domain.task_list import Order, PageKey, TaskPage, TaskQuery

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def task(number: int) -> Task:
    made = Task.new(id=TaskId(UUID(int=number)), owner=UserId("alice"), title=f"{number}", description=None, at=NOW)
    return evolve(made, updated_at=NOW + timedelta(seconds=number))


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_page_holds_one_to_a_thousand_tasks(limit: int) -> None:
    with pytest.raises(InvalidField) as refused:
        TaskQuery(limit=limit)
    assert (refused.value.field, refused.value.rule) == ("limit", "must be a whole number from 1 to 1000")
    assert [TaskQuery(limit=fine).limit for fine in (1, 1000)] == [1, 1000]


@pytest.mark.parametrize(
    ("text", "rule"),
    [("x" * 256, "must have at most 255 characters")]
    + [(text, "must not contain control characters") for text in ("a\0", "a\n", "\ud800")],
)
def test_a_search_text_is_one_line(text: str, rule: str) -> None:
    with pytest.raises(InvalidField) as refused:
        TaskQuery(text=text)
    assert (refused.value.field, refused.value.rule) == ("q", rule)
    assert TaskQuery(text="x" * 255).text == "x" * 255


def test_by_default_a_query_matches_everything_oldest_first() -> None:
    query = TaskQuery()
    assert (query.completed, query.text, query.order, query.limit, query.after) == (
        None,
        "",
        Order.CREATED,
        1000,
        None,
    )


def test_orders_say_what_sorts_and_which_way() -> None:
    assert {order.value: (order.by_update, order.descending) for order in Order} == {
        "created_at": (False, False),
        "-created_at": (False, True),
        "updated_at": (True, False),
        "-updated_at": (True, True),
    }


def test_a_page_key_is_the_sorting_instant_and_the_id() -> None:
    one = task(1)
    assert PageKey.of(one, Order.CREATED) == PageKey(one.created_at, one.id)
    assert PageKey.of(one, Order.UPDATED_LAST_FIRST) == PageKey(one.updated_at, one.id)
    assert PageKey.of(one, Order.UPDATED).key() == (one.updated_at, 1)


@given(st.integers(0, 6), st.integers(1, 5), st.sampled_from(Order))
def test_a_page_is_cut_at_its_limit_and_has_the_key_of_the_next(found: int, limit: int, order: Order) -> None:
    tasks = tuple(task(number) for number in range(1, found + 1))
    page = TaskPage.from_rows(tasks, TaskQuery(limit=limit, order=order), Revision(9))
    assert page.tasks == tasks[:limit]
    assert page.revision == 9
    assert page.next == (PageKey.of(tasks[limit - 1], order) if found > limit else None)


def test_any_revision_matches_and_an_empty_set_matches_none() -> None:
    assert Revision(0) in ANY_REVISION
    assert Revision(3) in Revisions(frozenset({Revision(3)}))
    assert Revision(3) not in Revisions(frozenset())


@pytest.mark.parametrize("completed", [None, True, False])
@pytest.mark.parametrize("order", Order)
def test_a_page_is_indexed_unless_it_is_a_search_or_filtered_by_change(order: Order, completed: bool | None) -> None:
    query = TaskQuery(completed=completed, order=order)
    assert query.is_indexed == (completed is None or order in {Order.CREATED, Order.CREATED_LAST_FIRST})
    assert not evolve(query, text="milk").is_indexed
