"""Problems (RFC 9457): their shape, and the errors of this layer."""

from collections.abc import Mapping
from typing import Annotated, Final

from attrs import Factory, define
from msgspec import UNSET, Meta, Struct, UnsetType

MEDIA_TYPE: Final = "application/problem+json"


class FieldProblem(Struct, frozen=True, omit_defaults=True):
    """What is wrong with one member of the body, or one parameter."""

    detail: str
    pointer: Annotated[str, Meta(description="Where in the body (RFC 6901).", examples=["/title"])] | UnsetType = UNSET
    parameter: Annotated[str, Meta(description="Which query parameter.", examples=["limit"])] | UnsetType = UNSET


class Problem(Struct, frozen=True, kw_only=True):
    """A problem (RFC 9457)."""

    type: Annotated[str, Meta(description="Identifies the kind of problem.", examples=["about:blank"])] = "about:blank"
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: Annotated[str, Meta(description="What happened and what to do, for people.")]
    instance: Annotated[str, Meta(description="The path of the request.")]
    request_id: Annotated[str, Meta(description="Identifies this request in the logs; also in `X-Request-Id`.")]
    errors: list[FieldProblem] | UnsetType = UNSET


@define
class RequestError(Exception):
    """A request that HTTP itself refuses: malformed, too large, or of the wrong type."""

    status: int
    detail: str = ""
    """Empty: the status's own, from STATUS_PROBLEMS."""
    headers: Mapping[str, str] = Factory(dict)


@define
class InvalidBody(Exception):
    """JSON, but not of the shape that the call takes."""

    pointer: str
    rule: str


@define
class NotReady(Exception):
    """A dependency of the service is missing."""

    missing: dict[str, str]


@define
class InvalidParameter(Exception):
    """A query parameter is unknown or breaks a rule."""

    parameter: str
    rule: str


class Stopping(Exception):
    """The process must stop, and the request did not finish in time."""


@define
class NoCredentials(Exception):
    """The request has no bearer token."""
