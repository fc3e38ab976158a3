"""A TCP proxy before a service that cuts its connections at the worst moment."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator


class Proxy:
    """Passes bytes between clients and `port`; resets a connection where it is told to.

    `cut_at`: when these bytes come from a client, the connection is reset, once: before they are
    passed on, or, with `after`, when the service has answered them.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut_at: bytes | None = None
        self.after = False
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    service = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    _reset(client)
                    continue
                doomed = threading.Event()
                for source, target in ((client, service), (service, client)):
                    threading.Thread(
                        target=self._pass, args=(source, target, source is client, doomed),
                        daemon=True,
                    ).start()  # fmt: skip

    def _pass(
        self, source: socket.socket, target: socket.socket, up: bool, doomed: threading.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if up and self.cut_at and self.cut_at in data:
                    self.cut_at, self.cuts = None, self.cuts + 1
                    if not self.after:
                        break
                    doomed.set()
                elif not up and doomed.is_set():
                    break
                target.sendall(data)
        _reset(source)
        _reset(target)


def _reset(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextlib.contextmanager
def proxy(port: int) -> Iterator[Proxy]:
    """A proxy to a port, closed afterwards."""
    one = Proxy(port)
    try:
        yield one
    finally:
        one.close()
