"""The OpenAPI 3.1 document: the calls from their table, the shapes from the Structs that go over the wire.

Litestar could describe its routes, but not what is judged by hand: strict bodies, parameters, conditions.
A test holds the table against the routes.
"""

import json
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from typing import Any, Final

import msgspec

from adapters.http.list_params import PARAMETERS
from adapters.http.openapi.operations import CALLS, ERRORS, EVERY_CALL, EXAMPLE_ID, Call
from adapters.http.problems import MEDIA_TYPE, Problem
from adapters.http.request import JSON
from adapters.http.routes.security_events import DeliveryProblem
from adapters.http.schemas import (
    Completion,
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
`Authorization: Bearer <token>`, and its subject as `{user_id}`. Every GET can be asked as HEAD. Every answer bears
`X-Request-Id`; errors are problem details (RFC 9457) whose `detail` a person can read."""


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


_ETAG: Final = _header('The revision as an entity tag, such as `"7"`.')
_LIMITS: Final = {
    "RateLimit": _header('What is left: `"default";r=599;t=42`, requests and seconds; absent where there is no limit.'),
    "RateLimit-Policy": _header('The limit: `"default";q=600;w=60`, requests and seconds.'),
}
_NOT_MODIFIED: Final = {"description": "Nothing has changed since.", "headers": {"ETag": _ETAG}}
_CONDITIONS: Final = {
    "If-Match": "Change only what is still at this revision: an `ETag`, several, or `*`. Otherwise 412.",
    "If-None-Match": "The `ETag` you have: 304 when nothing has changed since.",
}


_ON_A_TASK: Final = ("getTask", "updateTask", "patchTask", "completeTask", "deleteTask")
"""What can be asked about a task that is there."""


@cache
def document_json() -> bytes:
    """The document as it is served, and kept in `contracts/`."""
    return json.dumps(document(), indent=2, ensure_ascii=False).encode() + b"\n"


def document() -> dict[str, Any]:
    """The document as JSON's own types."""
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method] = _operation(call)
    tasks = (TaskView, TaskPageView, NewTask, TaskUpdate, Completion, Restoration)
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
        "servers": [{"url": "/"}],
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
            "responses": {f"Problem{status}": _problem(status) for status in ERRORS},
        },
    }


def _operation(call: Call) -> dict[str, Any]:
    is_ours = call.tag == "tasks"
    errors = sorted({*call.errors, *(EVERY_CALL if is_ours else ())})
    operation: dict[str, Any] = {
        "operationId": call.name,
        "summary": call.does,
        "tags": [call.tag],
        "parameters": list(_parameters(call)),
        "responses": {
            call.success: _success(call),
            **({"304": _NOT_MODIFIED} if call.condition == "If-None-Match" else {}),
            **({"400": _refusal(call.refusal)} if call.refusal is not None else {}),
            **{status: {"$ref": f"#/components/responses/Problem{status}"} for status in errors},
        },
    }
    if is_ours:
        operation["security"] = [{"betterAuth": []}]
    if call.body is not None:
        schema = {"type": "string"} if call.body is str else _reference(call.body)
        content = {"schema": schema, "example": call.body_example}
        operation["requestBody"] = {
            "required": call.needs_body,
            "content": dict.fromkeys(call.body_types, content),
        }
    return operation


def _parameters(call: Call) -> Iterator[dict[str, Any]]:
    for name, description, example in (
        ("user_id", "The token's subject.", "alice"),
        ("task_id", "The task's id.", EXAMPLE_ID),
    ):
        if f"{{{name}}}" in call.path:
            place = {"name": name, "in": "path", "required": True, "description": description}
            yield {**place, "schema": {"type": "string"}, "example": example}
    if call.name == "listTasks":
        for name, schema, description in PARAMETERS:
            yield {"name": name, "in": "query", "description": description, "schema": schema}
    if call.condition is not None:
        tags = {"type": "string"}
        if call.condition == "If-Match":  # If-None-Match is passed over where it makes no sense
            tags["pattern"] = r'^(\*|(W/)?"[!#-~]*"( ?, ?(W/)?"[!#-~]*")*)$'
        description = _CONDITIONS[call.condition] + call.on_condition
        yield {"name": call.condition, "in": "header", "description": description, "schema": tags, "example": '"7"'}


def _success(call: Call) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if call.tag == "tasks":
        headers.update(_LIMITS)
    if call.tag == "tasks" and call.answer is not None:
        headers["ETag"] = _ETAG
    if call.name == "createTask":
        headers["Location"] = _header("Where the task is.")
    if call.name == "listTasks":
        headers["Link"] = _header('The next page, `rel="next"` (RFC 8288); absent at the end.')
    success: dict[str, Any] = {"description": call.then}
    if headers:
        success["headers"] = headers
    if call.answer is not None:
        success["content"] = {JSON: {"schema": _reference(call.answer), "example": call.example}}
    if call.answer is TaskView:
        success["links"] = {name: _link(name, "$response.body#/id") for name in _ON_A_TASK if name != call.name}
    if call.name == "listTasks":
        success["links"] = {"getTask": _link("getTask", "$response.body#/data/0/id")}
    return success


def _link(operation: str, task_id: str) -> dict[str, Any]:
    """What can be asked next, and where its parameters are found (OpenAPI 3.1, Link Object)."""
    return {"operationId": operation, "parameters": {"user_id": "$request.path.user_id", "task_id": task_id}}


def _refusal(shape: type[msgspec.Struct]) -> dict[str, Any]:
    example = {"err": "invalid_request", "description": "The token is malformed."}
    return {
        "description": "The event is not taken, and why (RFC 8935 §2.3).",
        "content": {JSON: {"schema": _reference(shape), "example": example}},
    }


def _problem(status: str) -> dict[str, Any]:
    description, kind, title, detail = ERRORS[status]
    example: dict[str, Any] = {
        "type": kind,
        "title": title,
        "status": int(status),
        "detail": detail,
        "instance": f"/api/alice/tasks/{EXAMPLE_ID}",
        "request_id": "5f0c8a1d9b7e4c3fa2d6e8b0c4f1a7d3",
    }
    if status == "422":
        example["errors"] = [{"detail": "must not be blank", "pointer": "/title"}]
    problem: dict[str, Any] = {"description": description}
    if status == "401":
        problem["headers"] = {"WWW-Authenticate": _header("The challenge (RFC 6750 §3).")}
    if status == "429":
        problem["headers"] = {"Retry-After": _header("Seconds."), **_LIMITS}
    if status == "503":
        problem["headers"] = {"Retry-After": _header("Seconds.")}
    problem["content"] = {MEDIA_TYPE: {"schema": _reference(Problem), "example": example}}
    return problem


def _reference(shape: type[Any]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}
