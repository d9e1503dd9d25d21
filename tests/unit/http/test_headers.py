"""A header field is found by its name and no other, however often it occurs."""

import pytest

from adapters.http.context import Headers, RequestContext
from domain.audit import AuditContext

TWICE = [(b"host", b"api.test"), (b"authorization", b"one"), (b"accept", b"a"), (b"authorization", b"two")]


def test_both_lines_of_a_repeated_field_are_found_and_the_headers_are_not_unique() -> None:
    headers = Headers.parse(TWICE)
    assert headers.unique is None
    assert headers.getlist(b"authorization") == [b"one", b"two"]
    assert headers.getlist(b"accept") == [b"a"]
    assert headers.get(b"authorization") == "one, two"
    assert headers.get(b"cookie") is None


def test_first_is_the_first_of_two_lines() -> None:
    assert Headers.parse(TWICE).first(b"authorization") == b"one"
    assert Headers.parse(TWICE).first(b"cookie") is None


def test_headers_without_repetition_are_unique() -> None:
    headers = Headers.parse(TWICE[:3])
    assert headers.unique == dict(TWICE[:3])
    assert headers.getlist(b"authorization") == [b"one"]
    assert headers.getlist(b"cookie") == []


@pytest.mark.parametrize("name", [b"cookie", b"proxy-authorization", b"x-authorization", b"authorization-info"])
@pytest.mark.parametrize("more", [[], [(b"accept", b"a"), (b"accept", b"b")]])
def test_another_name_is_another_field(name: bytes, more: list[tuple[bytes, bytes]]) -> None:
    assert Headers.parse([(name, b"Bearer x"), *more]).getlist(b"authorization") == []


def test_a_request_without_authentication_has_no_principal() -> None:
    context = RequestContext("r", Headers.parse([]), "/health", "/health", b"", AuditContext("r"))
    with pytest.raises(AttributeError):
        _ = context.principal
