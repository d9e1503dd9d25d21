"""V3 and V6: the parser and the connection agree, and nothing is held for who does not read."""

import re
from collections.abc import AsyncIterator

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.support.connection_cases import BODY, CHUNKED, ENDING, GET, GOING_ON, early
from tests.support.protocol import EARLY, Connection, Reading, answering


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    made = Connection(answering)
    yield made
    made.end()


@pytest.mark.parametrize("request_", ENDING.values(), ids=ENDING)
@pytest.mark.parametrize("pieces", ["whole", "bytes"])
async def test_v03_what_the_parser_reads_no_further_is_closed_and_told_so(
    connection: Connection, request_: bytes, pieces: str
) -> None:
    """The next request of a proxy that keeps the connection would be lost in it."""
    await connection.feed(*([request_] if pieces == "whole" else [bytes([byte]) for byte in request_]))

    assert connection.transport.closed
    last = re.split(rb"HTTP/1\.1 (?=\d)", b"".join(connection.transport.writes))[-1].lower()
    assert b"\r\nconnection: close\r\n" in last or connection.statuses == [401]  # sent before the trailer came
    assert [status for status in connection.statuses if status != 400][1:] == []
    assert len(connection.statuses) <= 2


@pytest.mark.parametrize("request_", GOING_ON.values(), ids=GOING_ON)
async def test_v03_whatever_goes_on_answers_the_next_request(connection: Connection, request_: bytes) -> None:
    await connection.feed(request_)
    assert len(connection.statuses) == 1
    await connection.feed(GET)
    assert connection.statuses[1:] == [200]
    assert not connection.transport.closed


@pytest.mark.parametrize("request_", ENDING.values(), ids=ENDING)
async def test_v03_a_request_behind_the_last_one_is_not_begun(connection: Connection, request_: bytes) -> None:
    await connection.feed(request_ + GET + GET)

    assert connection.transport.closed
    assert connection.statuses.count(200) <= 1


async def test_v03_one_request_is_never_answered_twice(connection: Connection) -> None:
    """Refused before its body, which then breaks off: a second response would seem to be the next request's."""
    await connection.feed(early(CHUNKED))
    await connection.feed(b"no chunk\r\n")

    assert connection.statuses == [401]
    assert connection.transport.closed


PARTS = st.sampled_from(
    [
        *ENDING.values(),
        *GOING_ON.values(),
        early(GET),
        b"\r\n",
        GET.replace(b"1.1", b"2.0"),
        GET.replace(b"1.1", b"0.9"),
    ]
)
FRAGMENTS = st.sampled_from(
    [*(bytes([byte]) for byte in b"\n\r\0 \t:;03"), b"\r\n", b"0\r\n\r\n", b"\r\n x: folded", b"Connection: close\r\n"]
) | st.sampled_from(
    [
        b"Connection: keep-alive\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: 3\r\n",
        b"Expect: 100-continue\r\n",
    ]
)


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Requests with small faults, cut into pieces."""
    data = b"".join(draw(st.lists(PARTS, min_size=1, max_size=3)))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(FRAGMENTS | st.just(b"")) + data[at + draw(st.integers(0, 2)) :]
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=3)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if start < end]


@settings(max_examples=300, deadline=None)
@given(streams())
@example([CHUNKED + BODY, b"Connection: close\r\n\r\n"])
async def test_v03_the_service_and_an_independent_parser_agree(pieces: list[bytes]) -> None:
    """Every complete request is answered once, in order, unless the connection is closed before."""
    read = Reading.of(pieces)
    assume(not read.offers_upgrade)
    connection = Connection(answering)
    await connection.feed(*pieces)

    answered = len(connection.statuses)
    if EARLY.encode() in b"".join(pieces):
        assert answered <= read.begun + 1
        assert connection.transport.closed or answered >= read.complete
    else:
        assert connection.transport.closed == read.is_over
        assert read.complete <= answered <= read.complete + read.is_over
    connection.end()
