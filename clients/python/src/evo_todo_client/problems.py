"""Why a call failed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one member of a body (`pointer`, such as `/title`) or with one query parameter."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class ApiProblem(Exception):
    """An error response (RFC 9457). Its text is the API's `detail`, written for users."""

    def __init__(self, status: int, body: dict[str, Any] | None = None, retry_after: float | None = None) -> None:
        members = body or {}
        super().__init__(_text(members, "detail") or f"The service rejected the request (status {status}).")
        self.status = status
        self.type = _text(members, "type") or "about:blank"
        self.title = _text(members, "title") or f"Status {status}"
        self.request_id = _text(members, "request_id")
        """Identifies the request in the API's logs."""
        self.errors = tuple(_field_problems(members.get("errors")))
        """The invalid fields; empty unless the status is 422."""
        self.retry_after = retry_after
        """`Retry-After` in seconds, if the server sends it."""


class Unauthorized(ApiProblem):
    """There is no session, or the API rejects its tokens: the user must sign in."""

    def __init__(self, body: dict[str, Any] | None = None) -> None:
        default = {"detail": "You are signed out. Sign in to continue.", "title": "Unauthorized"}
        super().__init__(401, default | (body or {}))


class ChangedElsewhere(ApiProblem):
    """The task is no longer at the given revision. Nothing was changed."""


class Unreachable(Exception):
    """There was no response: a network failure or a timeout. A change may have been made nevertheless."""

    def __init__(self) -> None:
        super().__init__("The server is unreachable. Check your connection and try again.")


def unexpected_response() -> ApiProblem:
    """A success that the API does not send: something on the way has answered, such as a captive portal."""
    detail = "The response did not come from the service."
    return ApiProblem(200, {"detail": detail, "title": "Unexpected response"})


def problem_of(response: httpx.Response) -> ApiProblem:
    """The problem of a response whose body was read. A proxy may have sent HTML: then the text is a default."""
    try:
        body = response.json()
    except ValueError:
        body = {}
    members = body if isinstance(body, dict) else {}
    members["request_id"] = _text(members, "request_id") or response.headers.get("X-Request-Id")
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return Unauthorized(members)
    kind = ChangedElsewhere if response.status_code == HTTPStatus.PRECONDITION_FAILED else ApiProblem
    return kind(response.status_code, members, _seconds_until_retry(response.headers))


def _text(members: dict[str, Any], name: str) -> str | None:
    """A member that is a text; `None` for anything else, which something on the way may send."""
    value = members.get(name)
    return value if isinstance(value, str) and value else None


def _field_problems(errors: object) -> list[FieldProblem]:
    entries = errors if isinstance(errors, list) else []
    return [
        FieldProblem(_text(entry, "detail") or "", _text(entry, "pointer"), _text(entry, "parameter"))
        for entry in entries
        if isinstance(entry, dict)
    ]


def _seconds_until_retry(headers: httpx.Headers) -> float | None:
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
        sent = parsedate_to_datetime(headers["Date"]) if "Date" in headers else datetime.now(UTC)
        return max(0.0, (until - sent).total_seconds())
    except (TypeError, ValueError):
        return None
