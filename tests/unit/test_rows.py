"""Rows of the table of tasks: what is stored is judged by the same rules as what is new."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from attrs import fields
from hypothesis import given

from adapters.sql.tables import TASK_COLUMNS, row_to_task
from domain.errors import InvalidField
from domain.identity import UserId
from domain.task import Task
from tests.support.strategies import tasks

ALICE = UserId("alice")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = [column.name for column in TASK_COLUMNS]


def test_the_columns_are_the_members_in_their_order() -> None:
    assert [member.name for member in fields(Task)] == ["owner", *COLUMNS]


@given(tasks)
def test_a_row_is_its_task(task: Task) -> None:
    assert row_to_task(ALICE, [getattr(task, name) for name in COLUMNS]) == task


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("title", "", "must not be blank"),
        ("title", " \t\u3000", "must not be blank"),
        ("title", "x" * 256, "must have at most 255 characters"),
        ("title", "a\0b", "must not contain NUL or lone surrogates"),
        ("title", "\ud800", "must not contain NUL or lone surrogates"),
        ("description", "x" * 2001, "must have at most 2000 characters"),
        ("description", "é\0", "must not contain NUL or lone surrogates"),
        ("description", "\udfff", "must not contain NUL or lone surrogates"),
        *(
            (column, instant, "must be an instant in UTC")
            for column in ("created_at", "updated_at", "deleted_at")
            for instant in (NOW.replace(tzinfo=None), NOW.astimezone(timezone(timedelta(hours=-1))))
        ),
    ],
)
def test_a_row_that_breaks_a_rule_is_no_task(column: str, value: Any, rule: str) -> None:
    row = [UUID(int=7), "Buy milk", None, False, NOW, NOW, None, 1]
    assert row_to_task(ALICE, row).title == "Buy milk"
    row[COLUMNS.index(column)] = value
    with pytest.raises(InvalidField) as refused:
        row_to_task(ALICE, row)
    assert (refused.value.field, refused.value.rule) == (column, rule)
