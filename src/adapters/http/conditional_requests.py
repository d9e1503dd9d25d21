"""Entity tags (RFC 9110 §8.8.3) and the conditions clients make with them (§13)."""

import re

from litestar.exceptions import ClientException

from domain.task import ANY_REVISION, Revision, Revisions

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_LIST = re.compile(rf"{_TAG.pattern}(?:[ \t]*,[ \t]*{_TAG.pattern})*")


def etag(revision: Revision) -> str:
    """The entity tag of a task, or of a list, at that revision."""
    return f'"{revision}"'


def if_match(header: str | None) -> Revisions | None:
    """The revisions that `If-Match` allows; a weak tag matches nothing (RFC 9110 §13.1.1). `None` without the header.

    Raises:
        ClientException: (400) the header is no list of entity tags.
    """
    if header is None:
        return None
    if header.strip() == "*":
        return ANY_REVISION
    if not _LIST.fullmatch(header.strip()):
        raise ClientException(detail='If-Match takes entity tags as an answer\'s ETag holds them, such as "7", or *.')
    return Revisions(frozenset(_revisions(header, weak=False)))


def if_none_match(header: str | None) -> Revisions | None:
    """The revisions the client has, compared weakly (RFC 9110 §13.1.2); `None` when it names none.

    A header that is no list of entity tags is passed over: the full answer is never wrong.
    """
    if header is None:
        return None
    if header.strip() == "*":
        return ANY_REVISION
    return Revisions(frozenset(_revisions(header, weak=True)))


def _revisions(header: str, *, weak: bool) -> list[Revision]:
    return [
        Revision(int(tag))
        for mark, tag in _TAG.findall(header)
        if (weak or not mark) and re.fullmatch(r"0|[1-9][0-9]{0,18}", tag)
    ]
