"""The OpenAPI 3.1 document: the calls from one table, the shapes from the Structs that go over the wire.

Litestar could describe its routes, but not what is judged by hand: strict bodies, parameters, conditions.
A test holds the table against the routes.
"""

import json
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from typing import Any, Final

import msgspec
from attrs import frozen

from adapters.http.bodies import JSON, MERGE_PATCH
from adapters.http.problems import MEDIA_TYPE, Problem
from adapters.http.queries import PARAMETERS
from adapters.http.schemas import Completion, Health, NewTask, Readiness, TaskPageView, TaskUpdate, TaskView

_ID: Final = "019a0c2f-7d00-7abc-8def-0123456789ab"

_DESCRIPTION: Final = """\
Tasks behind Better Auth: each user alone with their own. Send the token that Better Auth issued as
`Authorization: Bearer <token>`, and its subject as `{user_id}`. Every GET can be asked as HEAD. Every answer bears
`X-Request-Id`; errors are problem details (RFC 9457) whose `detail` a person can read."""

_TASK: Final = {
    "id": _ID,
    "user_id": "alice",
    "title": "Buy milk",
    "description": None,
    "completed": False,
    "created_at": "2026-01-01T09:00:00Z",
    "updated_at": "2026-01-01T09:00:00Z",
    "revision": 1,
}

# Status: a word on when, and an example of the problem's type, title and detail.
_ERRORS: Final[dict[str, tuple[str, str, str, str]]] = {
    "400": ("The body is not JSON, or a header is malformed.", "about:blank", "Bad Request", "The body is not JSON."),
    "401": (
        "There is no token, or it is not valid.",
        "urn:problem-type:evo-todo:invalid-token",
        "The token is not valid",
        "The token has expired.",
    ),
    "403": (
        "The path names another user than the token.",
        "urn:problem-type:evo-todo:access-denied",
        "Access denied",
        "The path names another user than the token: use the token's own subject.",
    ),
    "404": (
        "There is no such task in this user's list.",
        "urn:problem-type:evo-todo:task-not-found",
        "Task not found",
        "There is no such task in this list.",
    ),
    "412": (
        "`If-Match` names another revision than the task's.",
        "urn:problem-type:evo-todo:revision-mismatch",
        "Changed elsewhere",
        "The task has changed since you read it: get it again and decide anew.",
    ),
    "413": (
        "The body is larger than 64 KiB.",
        "about:blank",
        "Request Entity Too Large",
        "The body is too large: 64 KiB at most.",
    ),
    "415": (
        "The body is not JSON by its Content-Type, or it is encoded.",
        "about:blank",
        "Unsupported Media Type",
        "Send the body as application/json, in UTF-8, and say so in Content-Type.",
    ),
    "422": (
        "A member or a parameter breaks a rule, or is unknown.",
        "urn:problem-type:evo-todo:invalid-field",
        "A field breaks a rule",
        "title: must not be blank.",
    ),
    "431": (
        "The header fields are larger than 32 KiB.",
        "about:blank",
        "Request Header Fields Too Large",
        "The header fields are too large: 32 KiB at most.",
    ),
    "503": (
        "The issuer's keys or the database can't be reached: try again after `Retry-After` seconds.",
        "urn:problem-type:evo-todo:storage-unavailable",
        "The tasks are not available",
        "The tasks can't be reached now. Try again later; nothing was changed unless you read so.",
    ),
}


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


_ETAG: Final = _header('The revision as an entity tag, such as `"7"`.')
_NOT_MODIFIED: Final = {"description": "Nothing has changed since.", "headers": {"ETag": _ETAG}}
_CONDITIONS: Final = {
    "If-Match": "Change only what is still at this revision: an `ETag`, several, or `*`. Otherwise 412.",
    "If-None-Match": "The `ETag` you have: 304 when nothing has changed since.",
}


@frozen(kw_only=True)
class Call:
    """One operation."""

    method: str
    path: str
    name: str
    does: str
    success: str = "200"
    then: str = "The task as it is now."
    answer: type[msgspec.Struct] | None = TaskView
    example: Any = None
    body: type[msgspec.Struct] | None = None
    body_example: Any = None
    body_types: tuple[str, ...] = (JSON,)
    errors: tuple[str, ...] = ()
    condition: str | None = None
    tag: str = "tasks"


_LIST: Final = "/api/{user_id}/tasks"
_ONE: Final = "/api/{user_id}/tasks/{task_id}"
_EVERY_CALL: Final = ("401", "403", "431", "503")
_BODY: Final = ("400", "413", "415", "422")
_CHANGE: Final = (*_BODY, "404", "412")

CALLS: Final = (
    Call(
        method="get",
        path=_LIST,
        name="listTasks",
        does="List tasks, a page at a time.",
        then="One page of the tasks.",
        answer=TaskPageView,
        example={"data": [_TASK], "count": 1, "next_cursor": None},
        errors=("422",),
        condition="If-None-Match",
    ),
    Call(
        method="post",
        path=_LIST,
        name="createTask",
        does="Create a task.",
        success="201",
        then="The task as it was stored.",
        example=_TASK,
        body=NewTask,
        body_example={"title": "Buy milk", "description": "Two bottles"},
        errors=_BODY,
    ),
    Call(
        method="get",
        path=_ONE,
        name="getTask",
        does="Get a task.",
        example=_TASK,
        errors=("404",),
        condition="If-None-Match",
    ),
    Call(
        method="put",
        path=_ONE,
        name="updateTask",
        does="Change a task: only the members that are there; null clears the description.",
        example=_TASK,
        body=TaskUpdate,
        body_example={"title": "Buy oat milk", "description": None},
        errors=_CHANGE,
        condition="If-Match",
    ),
    Call(
        method="patch",
        path=_ONE,
        name="patchTask",
        does="Change a task: the same as PUT (RFC 7396).",
        example=_TASK,
        body=TaskUpdate,
        body_example={"completed": True},
        body_types=(JSON, MERGE_PATCH),
        errors=_CHANGE,
        condition="If-Match",
    ),
    Call(
        method="delete",
        path=_ONE,
        name="deleteTask",
        does="Delete a task.",
        success="204",
        then="The task is deleted.",
        answer=None,
        errors=("400", "404", "412"),
        condition="If-Match",
    ),
    Call(
        method="patch",
        path=f"{_ONE}/complete",
        name="completeTask",
        does="Toggle whether a task is done; with a body, say which, so that a retry is safe.",
        example=_TASK,
        body=Completion,
        body_example={"completed": True},
        errors=_CHANGE,
        condition="If-Match",
    ),
    *(
        Call(
            method="get",
            path=path,
            name=path.strip("/"),
            does=does,
            then=then,
            answer=answer,
            example=example,
            tag="operations",
            errors=errors,
        )
        for path, does, then, answer, example, errors in (
            ("/health", "Say that the process answers.", "It does.", Health, {"status": "ok"}, ()),
            ("/livez", "Say that the process answers, for a load balancer.", "It does.", Health, {"status": "ok"}, ()),
            (
                "/readyz",
                "Say whether requests can be served now, and what is missing where not.",
                "They can.",
                Readiness,
                {"status": "ready", "checks": {"database": "ok", "keys": "ok"}},
                ("503",),
            ),
        )
    ),
)


@cache
def document_json() -> bytes:
    """The document as it is served, and kept in `contracts/`."""
    return json.dumps(document(), indent=2, ensure_ascii=False).encode() + b"\n"


def document() -> dict[str, Any]:
    """The document as JSON's own types."""
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method] = _operation(call)
    shapes = (TaskView, TaskPageView, NewTask, TaskUpdate, Completion, Health, Readiness, Problem)
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
            "responses": {f"Problem{status}": _problem(status) for status in _ERRORS},
        },
    }


def _operation(call: Call) -> dict[str, Any]:
    is_ours = call.tag == "tasks"
    errors = sorted({*call.errors, *(_EVERY_CALL if is_ours else ())})
    operation: dict[str, Any] = {
        "operationId": call.name,
        "summary": call.does,
        "tags": [call.tag],
        "parameters": list(_parameters(call)),
        "responses": {
            call.success: _success(call),
            **({"304": _NOT_MODIFIED} if call.condition == "If-None-Match" else {}),
            **{status: {"$ref": f"#/components/responses/Problem{status}"} for status in errors},
        },
    }
    if is_ours:
        operation["security"] = [{"betterAuth": []}]
    if call.body is not None:
        content = {"schema": _reference(call.body), "example": call.body_example}
        operation["requestBody"] = {
            "required": call.body is not Completion,
            "content": dict.fromkeys(call.body_types, content),
        }
    return operation


def _parameters(call: Call) -> Iterator[dict[str, Any]]:
    for name, description, example in (
        ("user_id", "The token's subject.", "alice"),
        ("task_id", "The task's id.", _ID),
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
        description = _CONDITIONS[call.condition]
        yield {"name": call.condition, "in": "header", "description": description, "schema": tags, "example": '"7"'}


def _success(call: Call) -> dict[str, Any]:
    headers: dict[str, Any] = {}
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
    return success


def _problem(status: str) -> dict[str, Any]:
    description, kind, title, detail = _ERRORS[status]
    example: dict[str, Any] = {
        "type": kind,
        "title": title,
        "status": int(status),
        "detail": detail,
        "instance": f"/api/alice/tasks/{_ID}",
        "request_id": "5f0c8a1d9b7e4c3fa2d6e8b0c4f1a7d3",
    }
    if status == "422":
        example["errors"] = [{"detail": "must not be blank", "pointer": "/title"}]
    problem: dict[str, Any] = {"description": description}
    if status == "401":
        problem["headers"] = {"WWW-Authenticate": _header("The challenge (RFC 6750 §3).")}
    if status == "503":
        problem["headers"] = {"Retry-After": _header("Seconds.")}
    problem["content"] = {MEDIA_TYPE: {"schema": _reference(Problem), "example": example}}
    return problem


def _reference(shape: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}
