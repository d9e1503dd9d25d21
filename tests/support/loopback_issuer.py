"""An issuer on a loopback address, whose behaviour a test can change while the service runs."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from uuid import uuid4

from attrs import define, field

from tests.support.postgres_local import free_port
from tests.support.service import HOST
from tests.support.tokens import ABSENT, SESSION_REVOKED, Issuer

Mood = Literal["fine", "failing", "talking garbage", "hanging", "dripping"]


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True


@define
class LoopbackIssuer:
    """Signs tokens as Better Auth does and publishes its key; `mood` says how it responds."""

    mood: Mood = "fine"
    request_count: int = 0
    """The number of requests for the key set."""
    trace_contexts: list[str | None] = field(factory=list)
    """The `traceparent` of each of them."""
    port: int = field(factory=free_port)
    _signer: Issuer = field(init=False)
    _server: QuietServer | None = None
    _stopping: threading.Event = field(factory=threading.Event)
    """Set to end the responses that hang or drip."""

    @_signer.default
    def _new_signer(self) -> Issuer:
        return Issuer.new(uuid4().hex, name=self.url, audience=self.url)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """The settings that make a service trust this issuer."""
        return {"BETTER_AUTH_BASE_URL": self.url}

    def token(self, user: str, *, session: str | None = None) -> str:
        return self._signer.token(user, sid=ABSENT if session is None else session)

    def security_event(self, user: str, *, session: str | None, kind: str = SESSION_REVOKED) -> str:
        """A Security Event Token: a session, or every session of a user, has been revoked, or of another kind."""
        return self._signer.security_event(kind, user=user, session=ABSENT if session is None else session)

    def forged_token(self, user: str) -> str:
        """A token that is valid except for its key, which is not this issuer's."""
        return self._new_signer().token(user)

    def start(self) -> None:
        self._stopping.clear()
        self._server = QuietServer((HOST, self.port), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop: connections are refused."""
        self._stopping.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.request_count += 1
                issuer.trace_contexts.append(self.headers["traceparent"])
                with suppress(OSError):  # the service has closed the connection
                    issuer.respond(self)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def respond(self, request: BaseHTTPRequestHandler) -> None:
        body = json.dumps(self._signer.jwks()).encode()
        match self.mood:
            case "talking garbage":
                body = b"<html>404 \xff</html>"
            case "hanging":
                self._stopping.wait()
                return
            case "dripping":
                body = b" " * 1000 + body
        request.send_response(500 if self.mood == "failing" else 200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        while self.mood == "dripping" and body and not self._stopping.wait(0.1):
            request.wfile.write(body[:1])
            body = body[1:]
        request.wfile.write(body)


@contextmanager
def an_issuer() -> Generator[LoopbackIssuer]:
    issuer = LoopbackIssuer()
    issuer.start()
    try:
        yield issuer
    finally:
        issuer.stop()
