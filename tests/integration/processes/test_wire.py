from collections.abc import Iterator

import pytest

from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.service import Service, eventually
from tests.support.wire import Response, Wire, wire

HOST = "Host: localhost"
HEALTH = ("GET /health HTTP/1.1", HOST)
JSON = "Content-Type: application/json"
OF_THE_MOMENT = {"date", "x-request-id"}


@pytest.fixture
def connection(service: Service) -> Iterator[Wire]:
    with wire(service.port) as connection:
        yield connection


@pytest.fixture
def credentials(issuer: LoopbackIssuer) -> str:
    return f"Authorization: Bearer {issuer.token('alice')}"


def lasting_headers(answer: Response) -> list[tuple[str, str]]:
    return [(name, value) for name, value in answer.headers.items() if name.lower() not in OF_THE_MOMENT]


def send_fields_until_answered(connection: Wire) -> None:
    """Send field after field, but none after the answer: what arrives unread would take the answer along."""
    for number in range(200):
        if connection.has_response(within=0.02 if number >= 50 else 0):
            return
        connection.send_bytes(b"X-Filler: " + b"x" * 1000 + b"\r\n")
    raise AssertionError("200 KB of fields and no answer")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"GET /health\r\n\r\n",
        b"GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: local\x00host\r\n\r\n",
        b"GET /h\xc3\xa9alth HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["TLS", "words", "HTTP/0.9", "HTTP/9.9", "HTTP/2", "space in name", "NUL", "no ASCII"],
)
def test_what_is_no_request_is_refused_in_words(connection: Wire, garbage: bytes) -> None:
    connection.send_bytes(garbage)

    answer = connection.response()
    assert answer.status == 400
    assert answer.is_problem
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    assert connection.is_closed()


@pytest.mark.parametrize("method", ["FOO", "GETX", "get", "X-!#$%&'*+.^_`|~"])
def test_a_method_that_nobody_knows_is_501(connection: Wire, method: str) -> None:
    connection.send(f"{method} /health HTTP/1.1", "Host: localhost")

    answer = connection.response()
    assert answer.status == 501
    assert answer.is_problem
    assert connection.is_closed()


def test_the_service_is_no_proxy(connection: Wire) -> None:
    connection.send_bytes(b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n")

    answer = connection.response()
    assert answer.status == 501
    assert answer.is_problem
    assert connection.is_closed()


@pytest.mark.parametrize(
    "framing",
    [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 5"),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: +5",),
        ("Content-Length: five",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: xchunked",),
    ],
    ids=" and ".join,
)
def test_a_body_of_two_lengths_is_refused_and_nothing_behind_it_is_read(
    connection: Wire, credentials: str, framing: tuple[str, ...]
) -> None:
    connection.send("POST /api/alice/tasks HTTP/1.1", HOST, credentials, JSON, *framing, body=b"0\r\n\r\n")
    connection.send(*HEALTH)

    answer = connection.response()
    assert answer.status == 400
    assert answer.is_problem
    assert connection.is_closed()


def test_a_head_without_end_is_refused_and_the_connection_closed(connection: Wire) -> None:
    connection.send_bytes(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
    send_fields_until_answered(connection)

    answer = connection.response()
    assert answer.status == 431
    assert answer.is_problem
    assert connection.is_closed()


def test_a_head_that_is_too_large_is_refused(connection: Wire) -> None:
    connection.send(*HEALTH, *(f"X-Filler-{number}: {'x' * 1000}" for number in range(40)))

    answer = connection.response()
    assert answer.status == 431
    assert answer.is_problem


@pytest.mark.parametrize("hosts", [(), (HOST, HOST), (HOST, "Host: example.com")], ids=len)
def test_a_request_names_exactly_one_host(connection: Wire, hosts: tuple[str, ...]) -> None:
    connection.send("GET /health HTTP/1.1", *hosts)

    answer = connection.response()
    assert answer.status == 400
    assert answer.is_problem


def test_http_1_0_needs_no_host_and_gets_its_connection_closed(connection: Wire) -> None:
    connection.send("GET /health HTTP/1.0")

    assert connection.response().status == 200
    assert connection.is_closed()


@pytest.mark.parametrize("path", ["/health", "/readyz", "/docs", "/openapi.json", "/api/alice/tasks", "/api/bob/tasks"])
def test_head_is_get_without_a_body_on_a_connection_that_goes_on(connection: Wire, credentials: str, path: str) -> None:
    connection.send(f"GET {path} HTTP/1.1", HOST, credentials)
    got = connection.response()
    connection.send(f"HEAD {path} HTTP/1.1", HOST, credentials)
    asked = connection.response(to="HEAD")
    connection.send(f"GET {path} HTTP/1.1", HOST, credentials)
    again = connection.response()

    assert asked.status == got.status == again.status
    assert int(asked.headers["Content-Length"]) == len(got.body)
    assert lasting_headers(asked) == lasting_headers(got)
    assert len(again.body) == len(got.body)


def test_requests_that_come_at_once_are_answered_in_their_order(connection: Wire, credentials: str) -> None:
    body = b'{"title":"Buy milk"}'
    create = ("POST /api/alice/tasks HTTP/1.1", HOST, credentials, JSON, f"Content-Length: {len(body)}")
    connection.send(*create, body=body)
    connection.send(*HEALTH)
    connection.send("GET /nowhere HTTP/1.1", HOST, credentials)
    connection.send("GET /api/alice/tasks HTTP/1.1", HOST)
    connection.send("HEAD /health HTTP/1.1", HOST)
    connection.send(*HEALTH)

    answers = [connection.response(to=method) for method in ("POST", "GET", "GET", "GET", "HEAD", "GET")]

    assert [answer.status for answer in answers] == [201, 200, 404, 401, 200, 200]


def test_garbage_behind_a_request_does_not_take_the_place_of_its_answer(connection: Wire, credentials: str) -> None:
    connection.send("GET /api/alice/tasks HTTP/1.1", HOST, credentials, body=b"\x00garbage\r\n\r\n")

    assert connection.response().status == 200


def test_a_chunked_body_beyond_the_limit_is_refused_and_what_follows_is_read_apart_from_it(
    connection: Wire, credentials: str
) -> None:
    create = ("POST /api/alice/tasks HTTP/1.1", HOST, credentials, JSON, "Transfer-Encoding: chunked")
    connection.send(*create, body=b"".join(chunk(b" " * 1000) for _ in range(70)) + chunk(b""))

    answer = connection.response()
    assert answer.status == 413
    assert answer.is_problem
    if answer.headers["Connection"] != "close":
        connection.send(*HEALTH)
        assert connection.response().json == {"status": "ok"}


def test_a_chunked_body_within_the_limit_is_taken(connection: Wire, credentials: str) -> None:
    create = ("POST /api/alice/tasks HTTP/1.1", HOST, credentials, JSON, "Transfer-Encoding: chunked")
    connection.send(*create, body=chunk(b'{"title":') + chunk(b'"Buy milk"}') + chunk(b""))

    assert connection.response().status == 201


def test_a_declared_body_beyond_the_limit_is_refused_before_it_is_sent(connection: Wire, credentials: str) -> None:
    create = ("POST /api/alice/tasks HTTP/1.1", HOST, credentials, JSON)
    connection.send(*create, "Content-Length: 1000000", "Expect: 100-continue")

    answer = connection.response()
    assert answer.status == 413
    assert answer.is_problem


def test_an_expect_header_gets_an_interim_response(connection: Wire, credentials: str) -> None:
    body = b'{"title":"Buy milk"}'
    create = ("POST /api/alice/tasks HTTP/1.1", HOST, JSON, f"Content-Length: {len(body)}", "Expect: 100-continue")
    connection.send(*create, credentials)
    assert connection.response().status == 100
    connection.send_bytes(body)
    assert connection.response().status == 201


def test_a_body_that_is_not_allowed_is_refused_before_it_is_sent(connection: Wire) -> None:
    connection.send("POST /api/alice/tasks HTTP/1.1", HOST, JSON, "Content-Length: 9", "Expect: 100-continue")

    assert connection.response().status == 401


def test_a_trailer_is_no_header(connection: Wire, credentials: str) -> None:
    """RFC 9110 §6.5.1: credentials behind the body are none."""
    create = ("POST /api/alice/tasks HTTP/1.1", HOST, JSON, "Transfer-Encoding: chunked", "Trailer: Authorization")
    connection.send(*create, body=chunk(b'{"title":"Buy milk"}') + f"0\r\n{credentials}\r\n\r\n".encode())

    assert connection.response().status == 401


def test_the_request_after_a_trailer_has_its_own_fields(connection: Wire, credentials: str) -> None:
    create = ("POST /api/alice/tasks HTTP/1.1", HOST, credentials, JSON, "Transfer-Encoding: chunked")
    body = chunk(b'{"title":"Buy milk"}') + f"0\r\nX-Request-Id: trailer\r\n{credentials}\r\n\r\n".encode()
    connection.send(*create, body=body)
    assert connection.response().status == 201
    connection.send("GET /api/alice/tasks HTTP/1.1", HOST, "X-Request-Id: own")
    answer = connection.response()
    assert (answer.status, answer.headers["X-Request-Id"]) == (401, "own")
    connection.send("GET /api/alice/tasks HTTP/1.1", HOST, credentials)
    assert connection.response().status == 200


def test_trailers_without_end_get_the_connection_closed(connection: Wire, credentials: str) -> None:
    create = ("POST /api/alice/tasks HTTP/1.1", HOST, credentials, JSON, "Transfer-Encoding: chunked")
    connection.send(*create, body=chunk(b'{"title":"Buy milk"}') + b"0\r\n")
    send_fields_until_answered(connection)

    assert connection.response().status in {201, 400, 431}
    assert connection.is_closed()


@pytest.mark.parametrize("start", [b"0\r\nX-Filler: ", b"0\r\nX", b"5;x="], ids=["value", "name", "chunk extension"])
def test_a_trailer_or_a_chunk_size_without_end_gets_the_connection_closed(
    connection: Wire, credentials: str, start: bytes
) -> None:
    connection.send("POST /api/alice/tasks HTTP/1.1", HOST, credentials, JSON, "Transfer-Encoding: chunked", body=start)
    for number in range(200):
        if connection.has_response(within=0.02 if number >= 50 else 0):
            break
        connection.send_bytes(b"x" * 1000)

    assert connection.response().status in {400, 431}
    assert connection.is_closed()


@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_a_client_that_goes_away_in_a_body_is_no_error_of_ours(
    service: Service, credentials: str, framing: str
) -> None:
    named = f"gone-{framing[:7]}"
    with wire(service.port) as connection:
        connection.send("POST /api/alice/tasks HTTP/1.1", HOST, credentials, JSON, framing, f"X-Request-Id: {named}")

    def lines() -> list[str]:
        return [line["level"] for line in service.log_lines if line.get("request_id") == named]

    assert eventually(lines) == ["info"]
    line = next(line for line in service.log_lines if line.get("request_id") == named)
    assert (line["event"], line["status"]) == ("request", 400)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://localhost/health", 200),
        ("http://localhost/api/alice/tasks?limit=1", 200),
        ("http://localhost/api/bob/tasks", 403),
        ("http://example.com/nowhere", 404),
    ],
)
def test_a_target_with_its_host_is_read_as_the_path_in_it(
    connection: Wire, credentials: str, target: str, status: int
) -> None:
    connection.send(f"GET {target} HTTP/1.1", HOST, credentials)

    assert connection.response().status == status


@pytest.mark.parametrize(
    "request_line",
    [
        "GET http://localhost HTTP/1.1",
        "GET http://localhost:port/health HTTP/1.1",
        "GET //health HTTP/1.1",
        "GET ? HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET /%00 HTTP/1.1",
        "GET /%ff HTTP/1.1",
        "GET /api/alice%2Ftasks HTTP/1.1",
        "GET /../health HTTP/1.1",
        "TRACE /health HTTP/1.1",
        "PROPFIND /api/alice/tasks HTTP/1.1",
    ],
)
def test_an_odd_request_line_is_answered_and_nothing_breaks(
    connection: Wire, credentials: str, request_line: str
) -> None:
    connection.send(request_line, HOST, credentials, "Connection: close")

    assert connection.response().status < 500
    assert connection.is_closed()


@pytest.mark.parametrize("pieces", [1, 2])
def test_an_offer_to_speak_another_protocol_is_passed_over(connection: Wire, credentials: str, pieces: int) -> None:
    """RFC 9110 §7.8: Java's own client makes this offer. The body stays a body and is never read as a request."""
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAA")
    body = b'{"title":"Buy milk"}'
    create = ("POST /api/alice/tasks HTTP/1.1", HOST, credentials, JSON, f"Content-Length: {len(body)}", *offer)

    connection.send(*create, body=body if pieces == 1 else b"")
    if pieces == 2:
        assert not connection.has_response(within=0.2)
        connection.send_bytes(body)

    assert connection.response().status == 201
    connection.send(*HEALTH, *offer)
    assert connection.response().status == 200
    connection.send(*HEALTH)
    assert connection.response().status == 200
