"""Uvicorn around the radar: bound before it is told, ended in good order although streams are."""

import logging
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from api.app import Application
from api.radar import Radar

STOPPING_S = 5
"""How long answers may take to end when the server does."""


class ListenError(Exception):
    """The address cannot be listened at: it and why."""


class Server(uvicorn.Server):
    """Ends the streams before it waits for connections, and does not die of the signal."""

    def __init__(self, config: uvicorn.Config, radar: Radar, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._radar = radar
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        if self.started and not self.should_exit:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        self._radar.hub.close()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal for an end; the second one does not wait."""
        self.force_exit = self.should_exit
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one. Raises `ListenError`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, _, _, address = found[0]
        one = socket.socket(family, kind)
    except OSError as error:
        raise ListenError(f"{host}:{port}: {error.strerror or error}") from None
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(address)
        one.listen(2048)
    except OSError as error:
        one.close()
        raise ListenError(f"{host}:{port}: {error.strerror or error}") from None
    return one


def serve(radar: Radar, version: str, at: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is called when requests are answered."""
    config = uvicorn.Config(
        Application(radar, version),
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOPPING_S,
        limit_concurrency=None,
        h11_max_incomplete_event_size=65_536,
        ws="none",
    )
    Server(config, radar, ready).run(sockets=[at])
