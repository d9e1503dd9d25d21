"""Requests by what they do to their connection, well formed and not."""

from tests.support.protocol import EARLY

GET = b"GET /task HTTP/1.1\r\nHost: api.test\r\n\r\n"
CHUNKED = b"POST /task HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b"3\r\nabc\r\n0\r\n"
SIZED = b"POST /task HTTP/1.1\r\nHost: api.test\r\nContent-Length: 3\r\n\r\nabc"


def fields(request: bytes, *lines: bytes) -> bytes:
    """The request with these header lines."""
    first, rest = request.split(b"\r\n", 1)
    return b"\r\n".join([first, *lines, rest])


def early(request: bytes) -> bytes:
    """The request to a path that is refused before the body is read."""
    return request.replace(b"/task", EARLY.encode(), 1)


ENDING = {
    "trailer": CHUNKED + BODY + b"Connection: close\r\n\r\n",
    "trailer in capitals": CHUNKED + BODY + b"CONNECTION: CLOSE\r\n\r\n",
    "trailer with a list": CHUNKED + BODY + b"Connection: keep-alive, Close\r\n\r\n",
    "second trailer": CHUNKED + BODY + b"Connection: keep-alive\r\nConnection: close\r\n\r\n",
    "trailer against the header": fields(CHUNKED, b"Connection: keep-alive") + BODY + b"Connection: close\r\n\r\n",
    "header against the trailer": fields(CHUNKED, b"Connection: close") + BODY + b"Connection: keep-alive\r\n\r\n",
    "header": fields(GET, b"Connection: close"),
    "second header": fields(GET, b"Connection: keep-alive", b"connection: CLOSE"),
    "header with a list": fields(GET, b"Connection: te, close"),
    "HTTP/1.0": GET.replace(b"1.1", b"1.0"),
    "HTTP/1.0 with keep-alive": fields(GET.replace(b"1.1", b"1.0"), b"Connection: keep-alive"),
    "HTTP/1.0, chunked": CHUNKED.replace(b"1.1", b"1.0") + BODY + b"\r\n",
    "upgrade and close": fields(GET, b"Connection: upgrade, close", b"Upgrade: h2c"),
    "upgrade, then a trailer": fields(CHUNKED, b"Connection: upgrade", b"Upgrade: h2c")
    + BODY
    + b"Connection: close\r\n\r\n",
    "early, then a trailer": early(CHUNKED) + BODY + b"Connection: close\r\n\r\n",
    "early, body expected": early(fields(SIZED, b"Expect: 100-continue"))[:-3],
    "body too long": SIZED + b"defg",
    "chunk too long": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "line feeds alone": CHUNKED + BODY.replace(b"\r\n", b"\n") + b"\n",
    "NUL in a trailer": CHUNKED + BODY + b"X: a\x00b\r\n\r\n",
    "length beside chunks": fields(CHUNKED, b"Content-Length: 3") + BODY + b"\r\n",
    "CONNECT": b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test\r\n\r\n",
}
"""Requests after which the parser reads nothing."""

GOING_ON = {
    "plain": GET,
    "body": SIZED,
    "chunks": CHUNKED + BODY + b"\r\n",
    "chunk extension": CHUNKED + b"3;a=b\r\nabc\r\n0\r\n\r\n",
    "trailer keep-alive": CHUNKED + BODY + b"Connection: keep-alive\r\n\r\n",
    "trailer Upgrade": CHUNKED + BODY + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    "trailer with another framing": CHUNKED + BODY + b"X-Length: 5\r\n\r\n",
    "upgrade with a body": fields(SIZED, b"Connection: Upgrade", b"Upgrade: websocket"),
    "upgrade without Connection": fields(SIZED, b"Upgrade: websocket"),
    "expected body": fields(SIZED, b"Expect: 100-continue"),
    "early with its body": early(SIZED),
    "early, body expected but sent": early(fields(SIZED, b"Expect: 100-continue")),
    "a close that is none": fields(GET, b"Connection: closed"),
}
