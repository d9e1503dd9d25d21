"""Entity tags (RFC 9110 §8.8.3) and the preconditions of requests (§13)."""

import re
from typing import Any, Final

from adapters.http.problems import RequestError
from domain.task import ANY_REVISION, Revision, Revisions

HEADERS: Final[dict[str, dict[str, Any]]] = {
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "description": "Change only what is still at this revision: an `ETag`, several, or `*`. Otherwise 412.",
        "schema": {"type": "string", "pattern": r'^(\*|(W/)?"[!#-~]*"( ?, ?(W/)?"[!#-~]*")*)$'},
        "example": '"7"',
    },
    "If-None-Match": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` you have: 304 when nothing has changed since.",
        "schema": {"type": "string"},  # an invalid one is ignored
        "example": '"7"',
    },
}
"""For the OpenAPI document."""

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_LIST = re.compile(rf"{_TAG.pattern}(?:[ \t]*,[ \t]*{_TAG.pattern})*")


def if_match(header: str) -> Revisions:
    """The revisions that `If-Match` allows; a weak tag matches nothing (RFC 9110 §13.1.1).

    Raises:
        RequestError: (400) the header is not a list of entity tags.
    """
    if header.strip() == "*":
        return ANY_REVISION
    if not _LIST.fullmatch(header.strip()):
        raise RequestError(400, 'If-Match takes entity tags as they stand in ETag, such as "7", or *.')
    return Revisions(frozenset(_revisions(header, weak=False)))


def if_none_match(header: str) -> Revisions:
    """The revisions the client has, compared weakly (RFC 9110 §13.1.2).

    A header that is not a list of entity tags is ignored: the full response is never wrong.
    """
    if header.strip() == "*":
        return ANY_REVISION
    return Revisions(frozenset(_revisions(header, weak=True)))


def _revisions(header: str, *, weak: bool) -> list[Revision]:
    return [
        Revision(int(tag))
        for mark, tag in _TAG.findall(header)
        if (weak or not mark) and re.fullmatch(r"0|[1-9][0-9]{0,18}", tag)
    ]
