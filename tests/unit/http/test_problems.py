import pytest

from adapters.http.context import Headers, RequestContext
from adapters.http.error_mapping import problem_of
from adapters.http.problem_types import PROBLEM_TYPES
from adapters.http.problems import FieldProblem, InvalidBody, InvalidParameter
from adapters.http.responses import error_response
from domain import errors
from domain.audit import AuditContext
from domain.errors import DomainError, InvalidField, InvalidToken, KeysUnavailable, Unavailable


def leaves(kind: type[DomainError]) -> set[type[DomainError]]:
    below = kind.__subclasses__()
    return set().union(*(leaves(one) for one in below)) if below else {kind}


def test_every_domain_error_has_its_problem() -> None:
    # A security event's refusal has a form of its own (RFC 8935 §2.3).
    assert leaves(DomainError) - {errors.InvalidSecurityEvent} <= set(PROBLEM_TYPES)
    assert leaves(Unavailable) == {
        errors.KeysUnavailable,
        errors.Overloaded,
        errors.RevocationsUnavailable,
        errors.SearchUnavailable,
        errors.StorageUnavailable,
        errors.StreamsExhausted,
    }


def test_every_kind_of_problem_has_a_name_of_its_own_or_none() -> None:
    names = [(kind.name, kind.title, kind.status) for kind in PROBLEM_TYPES.values()]
    assert all(title and 400 <= status < 600 for _, title, status in names)
    assert len({name for name, _, _ in names if name}) == len({entry for entry in names if entry[0]})


CONTEXT = RequestContext("r", Headers.parse([]), "/x", "/x", b"", AuditContext("r"))


def test_an_unavailable_part_says_when_to_try_again() -> None:
    problem, headers = problem_of(KeysUnavailable(retry_after=7), CONTEXT)
    assert (problem.status, headers) == (503, {"Retry-After": "7"})


def test_a_challenge_says_why_in_the_terms_of_rfc_6750() -> None:
    _, headers = problem_of(InvalidToken("The token has expired."), CONTEXT)
    assert headers == {"WWW-Authenticate": 'Bearer error="invalid_token", error_description="The token has expired."'}


def test_a_member_of_the_body_has_a_pointer_and_a_parameter_its_name() -> None:
    for error, expected in (
        (InvalidField("title", "is odd"), FieldProblem("is odd", pointer="/title")),
        (InvalidBody("/title", "is odd"), FieldProblem("is odd", pointer="/title")),
        (InvalidParameter("title", "is odd"), FieldProblem("is odd", parameter="title")),
    ):
        problem, _ = problem_of(error, CONTEXT)
        assert (problem.detail, problem.errors) == ("title: is odd.", [expected])


def test_an_unexpected_error_is_logged_without_its_message(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match="person") as raised:
        int("what a person wrote")
    assert error_response(raised.value, CONTEXT).status == 500
    line = caplog.records[0].__dict__
    assert "person" not in str(line)
    assert line["error"] == ["ValueError"]
    assert len(line["where"]) == 1
