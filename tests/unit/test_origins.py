import pytest

from application.health import Finding, Status
from entrypoints.origins import check_origin

ALLOWED = ("https://app.example.com", "http://localhost:3000")


def checked(origin: str) -> Finding:
    return check_origin(origin, ALLOWED)


@pytest.mark.parametrize("origin", ALLOWED)
def test_requests_from_a_configured_origin_are_allowed(origin: str) -> None:
    assert checked(origin) == Finding.ok("cors", f'requests from "{origin}" are allowed')


def test_another_origin_is_not_allowed_and_the_advice_names_the_setting() -> None:
    finding = checked("https://other.example.com")
    assert finding.status is Status.FAILED
    assert finding.detail == (
        'requests from "https://other.example.com" are not allowed; '
        "allowed: https://app.example.com, http://localhost:3000"
    )
    assert finding.advice == (
        "add it to EVO_TODO_CORS_ORIGINS: https://app.example.com,http://localhost:3000,https://other.example.com"
    )


@pytest.mark.parametrize(
    ("origin", "hint"),
    [
        ("http://127.0.0.1:3000", '(browsers treat "http://localhost:3000" as another origin)'),
        ("http://[::1]:3000", '(browsers treat "http://localhost:3000" as another origin)'),
        ("http://app.example.com", "(http and https are different origins)"),
    ],
)
def test_an_origin_similar_to_an_allowed_one_is_distinguished_from_it(origin: str, hint: str) -> None:
    assert checked(origin).detail.endswith(hint)


@pytest.mark.parametrize(
    ("origin", "mistake"),
    [
        ("https://app.example.com/", "it has a slash at the end;"),
        ("https://app.example.com/login", "it has a path;"),
        ("https://app.example.com?next=x", "it has a query or a fragment;"),
        ("https://app.example.com#x", "it has a query or a fragment;"),
        ("https://alice@app.example.com", "it has a user name or a password;"),
        ("https://app.example.com:443", "it has the default port :443;"),
        ("https://App.example.com", "it has upper-case letters;"),
        ("HTTPS://app.example.com", "it has upper-case letters;"),
        (" https://app.example.com", "it has white space;"),
        (
            "https://App.example.com:443/Login",
            "it has a path, it has the default port :443, it has upper-case letters;",
        ),
        ("https://app.example.com/Login", ": it has a path;"),
    ],
)
def test_mistakes_in_the_spelling_of_an_allowed_origin_are_named(origin: str, mistake: str) -> None:
    finding = checked(origin)
    assert finding.status is Status.NOTE
    assert mistake in finding.detail
    assert 'they send "https://app.example.com", which is allowed' in finding.detail


def test_a_misspelled_origin_that_is_not_allowed_is_corrected_in_the_advice() -> None:
    finding = checked("http://localhost:80/")
    assert finding.status is Status.FAILED
    assert "a slash at the end, it has the default port :80" in finding.detail
    assert finding.advice == 'add "http://localhost", without the rest, to EVO_TODO_CORS_ORIGINS'


@pytest.mark.parametrize(
    ("origin", "what", "advice"),
    [
        ("null", "pages from a file or a sandbox", "over http or https"),
        ("*", "begins with http:// or https://", "developer tools"),
        ("", "begins with http:// or https://", "developer tools"),
        ("app.example.com", "begins with http:// or https://", "developer tools"),
        ("localhost:3000", "begins with http:// or https://", "developer tools"),
        ("ftp://app.example.com", "begins with http:// or https://", "developer tools"),
        ("https://", "names one host", "developer tools"),
        ("https://a:port", "names one host", "developer tools"),
        ("https://[", "names one host", "developer tools"),
        ("https://a b", "names one host", "developer tools"),
        ("https://a,https://b", "names one host", "developer tools"),
        ("https://caf\u00e9.example.com", "non-ASCII characters", "xn--"),
        ("\x1b[2J", r'"\x1b[2J" is not an origin', "developer tools"),
    ],
)
def test_what_is_not_an_origin_is_explained(origin: str, what: str, advice: str) -> None:
    finding = checked(origin)
    assert finding.status is Status.FAILED
    assert what in finding.detail
    assert advice in str(finding.advice)
