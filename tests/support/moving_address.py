"""An address that leads to one server after the other, as a failover moves it; open connections stay where they are."""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress

from attrs import define, field

from tests.support.postgres_local import free_port
from tests.support.service import HOST


@define
class MovingAddress:
    """Forwards each new connection to the port that is the target when it is made."""

    target: int
    port: int = field(factory=free_port)
    _open: list[socket.socket] = field(factory=list)

    def serve(self, listener: socket.socket) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = listener.accept()
                self._forward(client)

    def _forward(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection((HOST, self.target))
        except OSError:
            client.close()
            return
        self._open += [client, server]
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=_copy, args=(source, sink), daemon=True).start()

    def close(self) -> None:
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


@contextmanager
def moving_address(target: int) -> Generator[MovingAddress]:
    address = MovingAddress(target)
    with socket.create_server((HOST, address.port)) as listener:
        serving = threading.Thread(target=address.serve, args=(listener,), daemon=True)
        serving.start()
        try:
            yield address
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            serving.join()
            address.close()
