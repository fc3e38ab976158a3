"""A TCP proxy before a service that cuts its connections at the worst moment."""

import contextlib
import re
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator


class Proxy:
    """Passes bytes between clients and `port`; resets a connection where it is told to.

    `cut_at`: when these bytes come from a client, the connection is reset, once: before they are
    passed on, or, with `after`, when the service has answered them. Then `cut_at` and `after`
    become the next of `plan`, if there is one. Once that is done it is `down`, where it
    is told to be: it resets all connections and takes none. `own`: the port it listens at, 0: any.
    """

    def __init__(self, port: int, own: int = 0) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", own))
        self.port: int = self._listener.getsockname()[1]
        self.cut_at: bytes | re.Pattern[bytes] | None = None
        self.after = False
        self.plan: deque[tuple[bytes | re.Pattern[bytes], bool]] = deque()
        self.cuts = 0
        self.down = False
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections; the port is free again."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # else the one who accepts keeps it
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.down and self.cut_at is None:
                    _reset(client)
                    continue
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
                if self.down and self.cut_at is None:
                    break
                if up and self._is_met(data):
                    after, self.cuts = self.after, self.cuts + 1
                    self.cut_at, self.after = self.plan.popleft() if self.plan else (None, False)
                    if not after:
                        break
                    doomed.set()
                elif not up and doomed.is_set():
                    break
                target.sendall(data)
        _reset(source)
        _reset(target)

    def _is_met(self, data: bytes) -> bool:
        if isinstance(self.cut_at, re.Pattern):
            return self.cut_at.search(data) is not None
        return bool(self.cut_at) and self.cut_at in data


def _reset(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextlib.contextmanager
def proxy(port: int, own: int = 0) -> Iterator[Proxy]:
    """A proxy to a port, closed afterwards."""
    one = Proxy(port, own)
    try:
        yield one
    finally:
        one.close()
