"""The Authorization header that carries a token: R1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.http.auth import bearer_token
from adapters.http.problems import NoCredentials
from domain.errors import InvalidToken
from tests.support.json_cases import unhurried

TOKEN = "eyJh.eyJz.c2ln-_"


def authorization(*values: str) -> list[bytes]:
    return [value.encode("latin-1") for value in values]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_is_read_in_any_case(scheme: str) -> None:
    assert bearer_token(authorization(f"{scheme} {TOKEN}")) == TOKEN


def test_several_spaces_may_separate_scheme_and_token() -> None:
    assert bearer_token(authorization(f"Bearer    {TOKEN}")) == TOKEN


@pytest.mark.parametrize("value", [f" Bearer {TOKEN}", f"Bearer {TOKEN} ", f"\tBearer {TOKEN}\t"])
def test_white_space_around_a_header_value_is_ignored(value: str) -> None:  # RFC 9110 §5.5
    assert bearer_token(authorization(value)) == TOKEN


def test_without_the_header_there_are_no_credentials() -> None:
    with pytest.raises(NoCredentials):
        bearer_token([])


@pytest.mark.parametrize(
    "value",
    [
        "Basic YWxpY2U6c2VjcmV0",
        "Basic",
        "Negotiate ",
        "DPoP " + TOKEN,
        "Bearerer x",
        "Bearer1 x",
        "Digest a=b, c=d",
        "!",
        TOKEN,
    ],
)
def test_another_scheme_is_no_credentials(value: str) -> None:
    with pytest.raises(NoCredentials):
        bearer_token(authorization(value))


@pytest.mark.parametrize(
    "values",
    [
        (f"Bearer {TOKEN}", f"Bearer {TOKEN}"),
        (f"Bearer {TOKEN}", "Bearer other"),
        ("Basic YWxpY2U6c2VjcmV0", f"Bearer {TOKEN}"),
        (f"Bearer {TOKEN}", ""),
        ("Basic a", "Basic b"),
        ("a", "b", "c"),
    ],
)
def test_more_than_one_header_is_refused(values: tuple[str, ...]) -> None:
    with pytest.raises(InvalidToken) as refusal:
        bearer_token(authorization(*values))
    assert refusal.value.reason == "There is more than one Authorization header."


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Bearer  ",
        f"Bearer {TOKEN}\n",
        f"Bearer {TOKEN} {TOKEN}",
        f"Bearer {TOKEN}\t{TOKEN}",
        f"Bearer\t{TOKEN}",
        f"Bearer\n{TOKEN}",
        f"Bearer\u00a0{TOKEN}",
        f"Bearer {TOKEN}\u00a0",
        f"Bearer {TOKEN}\u0085",
        f"Bearer:{TOKEN}",
        f"Bearer={TOKEN}",
        f"Bearer,{TOKEN}",
        f"\u00e9 {TOKEN}",
        f"Basic\t{TOKEN}",
        "Basic a\nb",
    ],
)
def test_a_malformed_header_is_refused(value: str) -> None:
    with pytest.raises(InvalidToken) as refusal:
        bearer_token(authorization(value))
    assert refusal.value.reason.startswith("The Authorization header is malformed")


@unhurried
@given(st.lists(st.binary(max_size=60), max_size=3))
def test_any_header_is_accepted_or_refused(values: list[bytes]) -> None:
    try:
        token = bearer_token(values)
    except (InvalidToken, NoCredentials):
        return
    assert token
    assert not any(character.isspace() for character in token)


@unhurried
@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60))
def test_the_token_is_returned_unchanged(token: str) -> None:
    assert bearer_token(authorization(f"Bearer {token}")) == token
