"""Servers of the kinds that there are in the world, in the loop of the test that asks them."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

Handler = Callable[[str, asyncio.StreamWriter], Awaitable[None]]
"""Answers a request for a path."""


@dataclass
class Site:
    """A server on the loopback interface, whatever its name."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    """Paths, in the order of the requests."""
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    def url(self, path: str, host: str = "media.test") -> str:
        """The address of a path."""
        return f"http://{host}:{self.port}{path}"


def answer(
    body: bytes = b"",
    status: str = "200 OK",
    *headers: str,
    length: int | None = None,
    kind: str = "video/mp4",
) -> bytes:
    """An answer, whose length may be a lie."""
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Length: {len(body) if length is None else length}",
        f"Content-Type: {kind}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def says(**paths: bytes) -> Handler:
    """Answers to paths: `a_mp4` for `/a.mp4`; 404 for others."""

    async def handle(path: str, writer: asyncio.StreamWriter) -> None:
        name = path[1:].replace(".", "_").partition("?")[0]
        writer.write(paths.get(name, answer(status="404 Not Found")))

    return handle


@contextlib.asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    """A server until the block ends; whoever is still connected is cut off."""
    site = Site()
    tasks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        site.at_once += 1
        site.most_at_once = max(site.most_at_once, site.at_once)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            site.heads.append(head)
            if b"content-length: " in head.lower():
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
                site.bodies.append(await reader.readexactly(length))
            site.asked.append(head.split(b" ")[1].decode())
            await handler(site.asked[-1], writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # one of both sides has enough
        finally:
            site.at_once -= 1
            tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(one, "127.0.0.1", 0, ssl=tls)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
        for task in [*tasks]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def here(host: str, port: int) -> Sequence[str]:
    """A name server that knows this machine by any name in `.test`."""
    if host.endswith(".test"):
        return ["127.0.0.1"]
    if host == "two.example":
        return ["93.184.216.34", "10.0.0.7"]
    if host.replace(".", "").isdecimal() or ":" in host:
        return [host]
    raise OSError("no such host")
