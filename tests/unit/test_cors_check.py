import pytest

from application.health import Finding, Status
from entrypoints.cors_check import check_origin

ALLOWED = ("https://app.example.com", "http://localhost:3000")


def judged(origin: str) -> Finding:
    return check_origin(origin, ALLOWED)


@pytest.mark.parametrize("origin", ALLOWED)
def test_an_origin_that_is_allowed_to_the_letter_may_call(origin: str) -> None:
    assert judged(origin) == Finding.ok("cors", f'pages of "{origin}" may call')


def test_another_origin_may_not_and_what_to_set_is_told() -> None:
    finding = judged("https://other.example.com")
    assert finding.status is Status.FAILED
    assert finding.detail == (
        'pages of "https://other.example.com" may not call; allowed: https://app.example.com, http://localhost:3000'
    )
    assert finding.advice == (
        "add it to EVO_TODO_CORS_ORIGINS: https://app.example.com,http://localhost:3000,https://other.example.com"
    )


@pytest.mark.parametrize(
    ("origin", "near"),
    [
        ("http://127.0.0.1:3000", '("http://localhost:3000" is another origin to browsers)'),
        ("http://[::1]:3000", '("http://localhost:3000" is another origin to browsers)'),
        ("http://app.example.com", "(http and https are two origins)"),
    ],
)
def test_an_origin_that_looks_like_an_allowed_one_is_told_apart(origin: str, near: str) -> None:
    assert judged(origin).detail.endswith(near)


@pytest.mark.parametrize(
    ("origin", "slip"),
    [
        ("https://app.example.com/", "it has a slash at the end;"),
        ("https://app.example.com/login", "it has a path;"),
        ("https://app.example.com?next=x", "it has a query or a fragment;"),
        ("https://app.example.com#x", "it has a query or a fragment;"),
        ("https://alice@app.example.com", "it has a name or a password;"),
        ("https://app.example.com:443", "it has the default port :443;"),
        ("https://App.example.com", "it has upper case;"),
        ("HTTPS://app.example.com", "it has upper case;"),
        (" https://app.example.com", "it has white space;"),
        ("https://App.example.com:443/Login", "it has a path, it has the default port :443, it has upper case;"),
        ("https://app.example.com/Login", ": it has a path;"),
    ],
)
def test_what_is_wrong_with_its_spelling_is_told_and_that_the_right_one_may_call(origin: str, slip: str) -> None:
    finding = judged(origin)
    assert finding.status is Status.NOTE
    assert slip in finding.detail
    assert 'they send "https://app.example.com", and that may call' in finding.detail


def test_an_origin_misspelt_and_not_allowed_is_told_in_the_right_spelling() -> None:
    finding = judged("http://localhost:80/")
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
        ("https://caf\u00e9.example.com", "letters beyond ASCII", "xn--"),
        ("\x1b[2J", r'"\x1b[2J" is no origin', "developer tools"),
    ],
)
def test_what_is_no_origin_is_told(origin: str, what: str, advice: str) -> None:
    finding = judged(origin)
    assert finding.status is Status.FAILED
    assert what in finding.detail
    assert advice in str(finding.advice)
