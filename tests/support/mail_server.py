"""A mail server that keeps what it gets (RFC 5321), for a frontend with EVO_TODO_SMTP_URL."""

import re
import socketserver
import threading
from collections.abc import Generator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast

from attrs import define, field

from tests.support.service import HOST, eventually

LINK = re.compile(r"https?://\S+")


@define
class MailServer:
    """The mails that were sent to it, oldest first."""

    port: int
    mails: list[EmailMessage] = field(factory=list)

    @property
    def url(self) -> str:
        return f"smtp://{HOST}:{self.port}"

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.mails if mail["To"] == address]

    def link_to(self, address: str, *, mail: int = 0) -> str:
        """The link in a mail to this address, once it has arrived."""
        eventually(lambda: len(self.to(address)) > mail)
        [link] = LINK.findall(self.to(address)[mail].get_content())
        return str(link)


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self._say("220 ready")
        while line := self.rfile.readline():
            verb = line.split()[0].upper()
            if verb == b"DATA":
                self._say("354 go on")
                self._keep()
                self._say("250 kept")
            elif verb == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def _keep(self) -> None:
        lines: list[bytes] = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        mail = message_from_bytes(b"".join(lines), policy=policy.default)
        cast("_Server", self.server).kept.mails.append(mail)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    kept: MailServer


@contextmanager
def mail_server() -> Generator[MailServer]:
    """Run a mail server until the end of the block."""
    with _Server((HOST, 0), _Session) as server:
        server.kept = MailServer(server.server_address[1])
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server.kept
        finally:
            server.shutdown()
