"""Server-sent events over HTTP: a response without an end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Final

from starlette.responses import Response

STALLED_S: Final = 30.0
"""A reader that has taken nothing for so long is cut off."""
HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


class EventStream(Response):
    """A response without an end, which ends with its reader, its hub, or when nobody reads it."""

    def __init__(self, chunks: AsyncIterator[bytes], stalled_s: float = STALLED_S) -> None:
        super().__init__()
        self._chunks = chunks
        self._stalled_s = stalled_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until it ends."""
        telling = asyncio.create_task(self._tell(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (telling, leaving):
                task.cancel()
            ended = await asyncio.gather(telling, leaving, return_exceptions=True)
        if isinstance(ended[0], Exception) and not isinstance(ended[0], TimeoutError):
            raise ended[0]

    async def _tell(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS]})
        try:
            async for chunk in self._chunks:
                body = {"type": "http.response.body", "body": chunk, "more_body": True}
                await asyncio.wait_for(send(body), self._stalled_s)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            close = getattr(self._chunks, "aclose", None)
            if close is not None:
                await close()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
