"""A deadline for clients that do not read what they asked for."""

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

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class WriteDeadline:
    """Aborts a connection whose client takes next to nothing of a response for too long.

    Every byte that the client acknowledges counts, also those in the kernel's buffer, which can hold more than a
    response: a slow reader need not wait until the transport gets rid of a part of its own buffer.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, timeout: float) -> None:
        self._transport = transport
        self._loop = loop
        self._timeout = timeout
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to watch: there are bytes that could not be sent."""
        self.cancel()
        self._timer = self._loop.call_later(self._timeout, self._check, unacknowledged(self._transport))

    def cancel(self) -> None:
        """Stop watching: everything is sent, or the connection has gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self, before: int) -> None:
        if before - unacknowledged(self._transport) >= MIN_PROGRESS:
            self.start()
            return
        self._timer = None
        logger.info("a connection was aborted: its client did not read", extra={"seconds": self._timeout})
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            with suppress(OSError):  # so that the kernel does not keep what is unsent either
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()


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
