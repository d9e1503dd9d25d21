"""Limits in time and bytes for clients that do not read what they asked for."""

import asyncio
import logging
import socket
import struct
import sys
from contextlib import suppress
from typing import Final

try:
    import fcntl
    import termios
except ImportError:  # not on Windows
    _CAN_ASK_KERNEL = False
else:
    _CAN_ASK_KERNEL = True

logger = logging.getLogger(__name__)

STALL_TIMEOUT: Final = 30.0
"""Seconds in which a client with a response to read must take at least MIN_PROGRESS of it."""

MIN_PROGRESS: Final = 8 * 1024
"""Bytes: a reader this slow needs about an hour for the largest page."""

MAX_BACKLOG: Final = 32 * 2**20
"""Bytes that the clients of all connections with unsent bytes together may leave unread, in the kernel and here."""

STREAM_BUFFER: Final = 16 * 1024
"""Bytes of a stream that the kernel keeps for its client; Linux doubles it, for what it needs itself."""

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Backlog:
    """The connections of a process that have unsent bytes, the one that has waited longest for its client first."""

    def __init__(self, limit: int = MAX_BACKLOG) -> None:
        self._limit = limit
        self._waiting: dict[WriteDeadline, int] = {}
        self._total = 0

    def put(self, connection: "WriteDeadline", unread: int) -> None:
        """Put a connection last."""
        self._waiting[connection] = unread
        self._total += unread

    def make_room(self) -> None:
        """While the limit is exceeded, abort those whose clients have taken nothing for longest; never the newest."""
        if self._total > self._limit:
            for connection in [*self._waiting][:-1]:
                if not connection.renew():
                    connection.abort()
                if self._total <= self._limit:
                    return

    def remove(self, connection: "WriteDeadline") -> None:
        """Forget a connection, if it is here."""
        self._total -= self._waiting.pop(connection, 0)


class WriteDeadline:
    """Aborts a connection whose client takes next to nothing of a response for too long.

    Every byte that the client acknowledges counts, also those in the kernel's buffer, which can hold more than a
    response: a slow reader need not wait until the transport gets rid of a part of its own buffer.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, timeout: float, backlog: Backlog
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._timeout = timeout
        self._backlog = backlog
        self._timer: asyncio.TimerHandle | None = None
        self._at_start = 0

    def start(self) -> None:
        """Begin to watch: there are bytes that could not be sent."""
        self._watch()
        self._backlog.make_room()

    def _watch(self) -> None:
        self.cancel()
        self._at_start = unacknowledged(self._transport)
        self._timer = self._loop.call_later(self._timeout, self._check)
        self._backlog.put(self, self._at_start)

    def cancel(self) -> None:
        """Stop watching: everything is sent, or the connection has gone."""
        self._backlog.remove(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def renew(self) -> bool:
        """Start anew if the client has taken something; whether it has."""
        if has_progress := self._at_start - unacknowledged(self._transport) >= MIN_PROGRESS:
            self._watch()
        return has_progress

    def abort(self) -> None:
        """Close the connection at once; nothing of what is unsent is kept."""
        self.cancel()
        logger.info("a connection was aborted: its client did not read the response")
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            with suppress(OSError):  # so that the kernel keeps nothing either
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def _check(self) -> None:
        if not self.renew():
            self.abort()


def unacknowledged(transport: asyncio.Transport) -> int:
    """Bytes that the client has not acknowledged: in the transport and, where the system tells, in the kernel."""
    in_transport = transport.get_write_buffer_size()
    sock = transport.get_extra_info("socket")
    if not _CAN_ASK_KERNEL or sock is None:
        return in_transport
    try:
        answer = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
    except OSError:
        return in_transport
    return in_transport + int.from_bytes(answer, sys.byteorder)


def limit_unread(transport: asyncio.Transport) -> None:
    """Keep little for the client of a stream, who may read slowly, and nothing for long.

    A stream's heartbeats are so small that the kernel would keep them for hours for a client that has vanished.
    """
    sock = transport.get_extra_info("socket")
    if sock is None:
        return
    with suppress(OSError):  # a socket of another kind
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, STREAM_BUFFER)
        if sys.platform == "linux":
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(STALL_TIMEOUT * 1000))
