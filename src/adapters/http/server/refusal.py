"""The response to what is no request: a problem, and the end of the connection."""

import logging
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import msgspec

from adapters.http.problems import MEDIA_TYPE, Problem

logger = logging.getLogger(__name__)


def refusal(status: HTTPStatus, detail: str) -> bytes:
    """The whole response, logged like those of requests."""
    request_id = uuid4().hex
    logger.info(
        "request", extra={"method": "-", "route": "-", "status": status.value, "ms": 0.0, "request_id": request_id}
    )
    problem = Problem(title=status.phrase, status=status, detail=detail, instance="", request_id=request_id)
    body = msgspec.json.encode(problem)
    head: dict[str, Any] = {
        "content-type": MEDIA_TYPE,
        "content-length": len(body),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-request-id": request_id,
        "connection": "close",
    }
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in head.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
