import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import AccessDenied, InvalidField
from domain.identity import Principal, SessionId, UserId

IDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=255)


@given(IDS)
def test_a_principal_may_access_their_own_list(user: str) -> None:
    Principal(UserId(user)).ensure_owns(UserId(user))


@given(IDS, IDS)
def test_a_principal_may_access_no_other_list(user: str, other: str) -> None:
    if user != other:
        with pytest.raises(AccessDenied):
            Principal(UserId(user)).ensure_owns(UserId(other))


@pytest.mark.parametrize("other", ["Alice", "alice ", "alic", "alicee", "\u0430lice", ""])
def test_ids_are_compared_exactly(other: str) -> None:
    with pytest.raises(AccessDenied):
        Principal(UserId("alice")).ensure_owns(UserId(other))


@pytest.mark.parametrize(
    ("user", "rule"),
    [(user, "must have 1 to 255 characters") for user in ("", "x" * 256)]
    + [(user, "must not contain control characters") for user in ("a\0", "a\n", "a\x7f", "a\x85", "a\ud800")],
)
def test_an_invalid_identifier_is_refused(user: str, rule: str) -> None:
    with pytest.raises(InvalidField) as refused:
        Principal(UserId(user))
    assert (refused.value.field, refused.value.rule) == ("user_id", rule)


@pytest.mark.parametrize("user", ["x", "x" * 255, "a b", "auth0|42", "ünï@example.org", "a/b"])
def test_an_identifier_may_contain_any_printable_character(user: str) -> None:
    assert Principal(UserId(user)).user_id == user


def test_tokens_of_one_user_make_equal_principals() -> None:
    one, other = (Principal(UserId("alice"), SessionId(session), 1.0) for session in ("s-1", "s-2"))
    assert one == other == Principal(UserId("alice"))
    assert len({one, other}) == 1
