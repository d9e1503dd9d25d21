"""The calls of this API, as a table: what a client asks, and everything it may be answered."""

from typing import Any, Final

import msgspec
from attrs import frozen

from adapters.http.request import JSON, MERGE_PATCH
from adapters.http.routes.security_events import SECURITY_EVENT, DeliveryProblem
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

EXAMPLE_ID: Final = "019a0c2f-7d00-7abc-8def-0123456789ab"

_TASK: Final = {
    "id": EXAMPLE_ID,
    "user_id": "alice",
    "title": "Buy milk",
    "description": None,
    "completed": False,
    "created_at": "2026-01-01T09:00:00Z",
    "updated_at": "2026-01-01T09:00:00Z",
    "revision": 1,
}

# Status: a word on when, and an example of the problem's type, title and detail.
ERRORS: Final[dict[str, tuple[str, str, str, str]]] = {
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
    "414": (
        "The path and the query are longer than 8 KiB.",
        "about:blank",
        "Request-URI Too Long",
        "The address is too long: 8 KiB at most.",
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
    "429": (
        "The user, or without a valid token the address, has asked too much: try again after `Retry-After` seconds.",
        "urn:problem-type:evo-todo:too-many-requests",
        "Too many requests",
        "This was one request too many. Wait as many seconds as Retry-After says.",
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
    body: type[msgspec.Struct] | type[str] | None = None
    body_example: Any = None
    body_types: tuple[str, ...] = (JSON,)
    needs_body: bool = True
    errors: tuple[str, ...] = ()
    refusal: type[msgspec.Struct] | None = None
    """What a 400 holds where it is no problem (RFC 9457)."""
    condition: str | None = None
    on_condition: str = ""
    tag: str = "tasks"


_LIST: Final = "/api/{user_id}/tasks"
_ONE: Final = "/api/{user_id}/tasks/{task_id}"
EVERY_CALL: Final = ("401", "403", "414", "429", "431", "503")
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
        needs_body=False,
        errors=_CHANGE,
        condition="If-Match",
    ),
    Call(
        method="post",
        path=f"{_ONE}/restore",
        name="restoreTask",
        does="Bring a deleted task back as it was; one that is not deleted stays as it is, so that a retry is safe.",
        example=_TASK | {"updated_at": "2026-01-02T09:00:00Z", "revision": 3},
        body=Restoration,
        body_example={},
        needs_body=False,
        errors=_CHANGE,
        condition="If-Match",
        on_condition=" A deleted task is at the revision of its deletion, and `*` does not match it: nothing is there.",
    ),
    Call(
        method="post",
        path="/api/security-events",
        name="receiveSecurityEvent",
        does="Take a Security Event Token (RFC 8417) that the issuer pushes: session-revoked or account-purged.",
        success="202",
        then="The event is done, and known to be.",
        answer=None,
        body=str,
        body_example="eyJhbGciOiJFZERTQSIs….eyJpc3MiOiJodHRwczov….c2lnbmF0dXJl…",
        body_types=(SECURITY_EVENT,),
        errors=("413", "415", "429", "503"),
        refusal=DeliveryProblem,
        tag="security events",
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
