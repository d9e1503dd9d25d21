"""The OpenAPI 3.1 document, from the routes' declarations, the problem table, and the Structs on the wire.

Litestar could describe its routes, but not the strict bodies, parameters and preconditions of this API.
"""

import json
from collections.abc import Iterable, Iterator
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

import msgspec

from adapters.http import conditional_requests, idempotency, list_params, sync_params
from adapters.http.error_mapping import DOCUMENTED
from adapters.http.problem_types import ProblemType
from adapters.http.problems import MEDIA_TYPE, Problem
from adapters.http.request import JSON, Body
from adapters.http.routing import Operation, Route
from adapters.http.schemas import (
    EXAMPLE_TASK_ID,
    ChangesView,
    Completion,
    DeliveryProblem,
    Health,
    NewTask,
    Readiness,
    Restoration,
    TaskPageView,
    TaskUpdate,
    TaskView,
)

_DESCRIPTION: Final = """\
Tasks behind Better Auth: each user alone with their own. Send the token that Better Auth issued as
`Authorization: Bearer <token>`, and its subject as `{user_id}`. Every GET also works as HEAD. Every response has
`X-Request-Id`; errors are problem details (RFC 9457) whose `detail` is for people."""


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


_ETAG: Final = _header('The revision as an entity tag, such as `"7"`.')
_LIMITS: Final = {
    "RateLimit": _header('What is left: `"default";r=599;t=42`, requests and seconds; absent where there is no limit.'),
    "RateLimit-Policy": _header('The limit: `"default";q=600;w=60`, requests and seconds.'),
}
_NOT_MODIFIED: Final = {"description": "Nothing has changed since.", "headers": {"ETag": _ETAG}}
_QUERIES: Final[dict[str, Any]] = {
    "listTasks": list_params.PARAMETERS,
    "listChanges": sync_params.PARAMETERS,
    "watchTasks": sync_params.STREAM_PARAMETERS,
}
_HEADERS: Final[dict[str, dict[str, Any]]] = {
    "createTask": idempotency.HEADER,
    "watchTasks": sync_params.LAST_EVENT_ID,
}

_OF_ONE_TASK: Final = ("getTask", "updateTask", "patchTask", "completeTask", "deleteTask")
"""The operations on a task that exists, which its representation links to."""

_OF_EVERY_TASK_CALL: Final = tuple(map(HTTPStatus, (401, 403, 414, 429, 431, 503)))
"""The errors of every operation that needs a token."""


@cache
def document_json(routes: tuple[Route, ...], root_path: str = "") -> bytes:
    """The document as it is served, and kept in `contracts/`; the root path is where a proxy serves the API."""
    return json.dumps(document(routes, root_path), indent=2, ensure_ascii=False).encode() + b"\n"


def document(routes: Iterable[Route], root_path: str = "") -> dict[str, Any]:
    """The document as JSON's own types."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        if route.operation is not None:
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, route.operation)
    tasks = (TaskView, TaskPageView, ChangesView, NewTask, TaskUpdate, Completion, Restoration)
    shapes = (*tasks, DeliveryProblem, Health, Readiness, Problem)
    _, schemas = msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Evo-TODO",
            "version": version("evo-todo"),
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": root_path or "/"}],
        "tags": [
            {"name": "tasks", "description": "A user's own tasks."},
            {"name": "security events", "description": "For the issuer."},
            {"name": "operations", "description": "For load balancers and operators."},
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "betterAuth": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An EdDSA token from Better Auth's `GET /api/auth/token`.",
                }
            },
            "schemas": schemas,
            "responses": {f"Problem{status}": _problem(problem) for status, problem in DOCUMENTED.items()},
        },
    }


def _operation(route: Route, operation: Operation) -> dict[str, Any]:
    needs_token = operation.tag == "tasks"
    errors = sorted({*operation.errors, *(_OF_EVERY_TASK_CALL if needs_token else ())})
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": list(_parameters(route.path, operation)),
        "responses": {
            str(operation.status.value): _success(operation),
            **({"304": _NOT_MODIFIED} if operation.condition == "If-None-Match" else {}),
            **({"400": _refusal(operation.refusal)} if operation.refusal is not None else {}),
            **{str(status.value): {"$ref": f"#/components/responses/Problem{status.value}"} for status in errors},
        },
    }
    if needs_token:
        described["security"] = [{"betterAuth": []}]
    if route.body is not None:
        described["requestBody"] = _request_body(route.body)
    return described


def _request_body(body: Body) -> dict[str, Any]:
    schema = {"type": "string"} if body.shape is str else _reference(body.shape)
    content = {"schema": schema, "example": body.example}
    return {"required": body.is_required, "content": dict.fromkeys(body.media_types, content)}


def _parameters(path: str, operation: Operation) -> Iterator[dict[str, Any]]:
    for name, description, example in (
        ("user_id", "The token's subject.", "alice"),
        ("task_id", "The task's id.", EXAMPLE_TASK_ID),
    ):
        if f"{{{name}}}" in path:
            place = {"name": name, "in": "path", "required": True, "description": description}
            yield {**place, "schema": {"type": "string"}, "example": example}
    for name, schema, description in _QUERIES.get(operation.id, ()):
        yield {"name": name, "in": "query", "description": description, "schema": schema}
    if operation.id in _HEADERS:
        yield _HEADERS[operation.id]
    if operation.condition is not None:
        header = conditional_requests.HEADERS[operation.condition]
        yield {**header, "description": header["description"] + operation.condition_note}


def _success(operation: Operation) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if operation.tag == "tasks":
        headers.update(_LIMITS)
    if operation.tag == "tasks" and operation.response in {TaskView, TaskPageView}:
        headers["ETag"] = _ETAG
    if operation.status is HTTPStatus.CREATED:
        headers["Location"] = _header("The path of the task.")
        headers["Idempotency-Replayed"] = _header("`true` where an earlier request with this key created the task.")
    if operation.id == "listTasks":
        headers["Link"] = _header('The next page, `rel="next"` (RFC 8288); absent at the end.')
    success: dict[str, Any] = {"description": operation.result}
    if headers:
        success["headers"] = headers
    if operation.response is not None:
        success["content"] = {JSON: {"schema": _reference(operation.response), "example": operation.example}}
    if operation.media_type is not None:
        success["content"] = {operation.media_type: {"schema": {"type": "string"}, "example": operation.example}}
    if operation.response is TaskView:
        success["links"] = {name: _link(name, "$response.body#/id") for name in _OF_ONE_TASK if name != operation.id}
    if operation.id == "listTasks":
        success["links"] = {"getTask": _link("getTask", "$response.body#/data/0/id")}
    return success


def _link(operation_id: str, task_id: str) -> dict[str, Any]:
    """A following operation, and where its parameters come from (OpenAPI 3.1, Link Object)."""
    return {"operationId": operation_id, "parameters": {"user_id": "$request.path.user_id", "task_id": task_id}}


def _refusal(shape: type[msgspec.Struct]) -> dict[str, Any]:
    example = {"err": "invalid_request", "description": "The token is malformed."}
    return {
        "description": "The event was refused, and why (RFC 8935 §2.3).",
        "content": {JSON: {"schema": _reference(shape), "example": example}},
    }


def _problem(kind: ProblemType) -> dict[str, Any]:
    example: dict[str, Any] = {
        "type": kind.uri,
        "title": kind.title,
        "status": kind.status.value,
        "detail": kind.example or kind.detail,
        "instance": f"/api/alice/tasks/{EXAMPLE_TASK_ID}",
        "request_id": "5f0c8a1d9b7e4c3fa2d6e8b0c4f1a7d3",
    }
    problem: dict[str, Any] = {"description": kind.when}
    match kind.status:
        case HTTPStatus.UNPROCESSABLE_ENTITY:
            example["errors"] = [{"detail": "must not be blank", "pointer": "/title"}]
        case HTTPStatus.UNAUTHORIZED:
            problem["headers"] = {"WWW-Authenticate": _header("The challenge (RFC 6750 §3).")}
        case HTTPStatus.TOO_MANY_REQUESTS:
            problem["headers"] = {"Retry-After": _header("Seconds."), **_LIMITS}
        case HTTPStatus.SERVICE_UNAVAILABLE:
            problem["headers"] = {"Retry-After": _header("Seconds.")}
    problem["content"] = {MEDIA_TYPE: {"schema": _reference(Problem), "example": example}}
    return problem


def _reference(shape: type[Any]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}
