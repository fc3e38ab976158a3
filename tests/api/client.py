"""The application of the radar, spoken to without a network, in an event loop of its own."""

from contextlib import ExitStack
from functools import partial
from typing import Any

import httpx
from anyio.from_thread import start_blocking_portal

from api.app import Application


class Client:
    """Requests that wait for their answers; what the application raises is raised here."""

    def __init__(self, app: Application) -> None:
        self.app = app
        self._stack = ExitStack()

    def __enter__(self) -> "Client":
        portal = self._stack.enter_context(start_blocking_portal())
        life = self.app.api.router.lifespan_context(self.app.api)
        self._stack.enter_context(portal.wrap_async_context_manager(life))
        http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app), base_url="http://127.0.0.1"
        )
        self._stack.enter_context(portal.wrap_async_context_manager(http))
        self._portal, self._http = portal, http
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask, and wait for the whole answer."""
        return self._portal.call(partial(self._http.request, method, path, **more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        """Ask for something."""
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        """Send something."""
        return self.request("POST", path, **more)

    def look(self) -> None:
        """Have the radar look at its store now."""
        self._portal.call(self.app.radar.look)
