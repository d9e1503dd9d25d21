"""A field is found by its name and no other, as often stands there."""

from typing import Any

import pytest

from adapters.http.request import field, lines_of, note_fields, plain_fields

TWICE = [(b"host", b"api.test"), (b"authorization", b"one"), (b"accept", b"a"), (b"authorization", b"two")]


def noted(headers: list[tuple[bytes, bytes]]) -> Any:
    scope: Any = {"headers": headers, "state": {}}
    note_fields(scope, headers)
    return scope


def test_of_one_that_stands_twice_both_lines_are_found_and_nothing_is_plain() -> None:
    scope = noted(TWICE)
    assert plain_fields(scope) is None
    assert lines_of(scope, b"authorization") == [b"one", b"two"]
    assert lines_of(scope, b"accept") == [b"a"]
    assert field(scope, b"authorization") == "one, two"
    assert field(scope, b"cookie") is None


def test_the_first_of_two_is_told() -> None:
    assert note_fields(noted([]), TWICE)[b"authorization"] == b"one"


def test_where_each_stands_once_they_are_plain() -> None:
    scope = noted(TWICE[:3])
    assert plain_fields(scope) == dict(TWICE[:3])
    assert lines_of(scope, b"authorization") == [b"one"]
    assert lines_of(scope, b"cookie") == []


@pytest.mark.parametrize("name", [b"cookie", b"proxy-authorization", b"x-authorization", b"authorization-info"])
@pytest.mark.parametrize("more", [[], [(b"accept", b"a"), (b"accept", b"b")]])
def test_another_name_is_another_field(name: bytes, more: list[tuple[bytes, bytes]]) -> None:
    assert lines_of(noted([(name, b"Bearer x"), *more]), b"authorization") == []
