"""Fetches media: streaming, within limits, from hosts that are anybody's to ask.

The address that was looked at is the one that is dialled, with the name of its host in `Host` and
in TLS; each redirect is looked at anew. No connection is used twice, so that none goes to another
host of the same address. What comes lies in a file; where it is a page, the media that the page
names is fetched instead.
"""

import asyncio
import contextlib
import os
import ssl
import time
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from extractors.fetching import pages, robots
from extractors.fetching.addresses import Lookup, Network, System, checked
from extractors.fetching.cache import Cache
from extractors.fetching.errors import FetchError
from extractors.fetching.hosts import Hosts
from extractors.fetching.pages import Page
from extractors.media import MissingError

if TYPE_CHECKING:
    import httpx

MAX_ADDRESS: Final = 4096
"""Characters of an address."""
REDIRECTS: Final = 5
TRIES: Final = 2
CONNECT_S: Final = 10.0
ROBOTS_S: Final = 3600.0
"""How long the rules of a host are remembered."""
MOST_ROBOTS: Final = 4096
OEMBED_BYTES: Final = 256 << 10
AGENT: Final = "groundswell"

_PAGES: Final = frozenset(("text/html", "application/xhtml+xml"))
_MOVED: Final = frozenset((301, 302, 303, 307, 308))
_GONE: Final = frozenset((401, 402, 403, 404, 405, 406, 410, 451))
_BUSY: Final = frozenset((408, 421, 425, 429, 500, 502, 503, 504))
_BUSY_S: Final = 0.5
"""After what time a host that fails and does not say when is asked again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be fetched, and from where.

    Attributes:
        file_mb: size of a file, decompressed.
        seconds: of one request, its waiting for a free place not included.
        stall_seconds: without a byte.
        at_once: requests.
        per_host: requests to one host.
        wait_seconds: that a host which wants to be asked later is waited for.
        private: networks that are allowed though they are not public.
        folders: those of which files may be read, by `file:` addresses.
    """

    file_mb: int = 128
    seconds: float = 60.0
    stall_seconds: float = 10.0
    at_once: int = 32
    per_host: int = 4
    wait_seconds: float = 30.0
    private: tuple[Network, ...] = ()
    folders: tuple[Path, ...] = ()


class Fetched(NamedTuple):
    """An open file, which is whoever's gets it; what its page says, where it was named by one."""

    file: int
    page: Page | None = None


@dataclass
class Fetcher:
    """Fetches; an async context manager.

    Args:
        limits: what, and from where.
        cache: where it lies.
        lookup: finds the addresses of a host; None: the system does.
        trusted: certificates; None: the usual ones.

    Raises `MissingError` without httpx.
    """

    limits: Limits
    cache: Cache
    lookup: Lookup | None = None
    trusted: ssl.SSLContext | None = None
    _hosts: Hosts = field(init=False)
    _system: System = field(init=False)
    _transport: "httpx.AsyncHTTPTransport" = field(init=False)
    _robots: dict[str, tuple[float, robots.Robots]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            import httpx
            import selectolax  # noqa: F401
        except ImportError as error:
            raise MissingError(
                f"fetching needs the package {error.name}: pip install 'groundswell[audio]'"
            ) from None
        limits = self.limits
        self._system = System(limits.at_once)
        self._hosts = Hosts(limits.per_host, limits.at_once, limits.wait_seconds)
        self._transport = httpx.AsyncHTTPTransport(
            verify=True if self.trusted is None else self.trusted,
            trust_env=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        self._system.close()
        await self._transport.aclose()

    async def fetch(self, address: str) -> Fetched:
        """Return what is at an address. Raises `FetchError`."""
        if len(address) > MAX_ADDRESS:
            raise FetchError("address", f"has {len(address)} characters, at most {MAX_ADDRESS} may")
        if address[:5].lower() == "file:":
            return Fetched(local(address, self.limits.folders))
        if (kept := self.cache.open(address)) is not None:
            return Fetched(kept)
        found = await self._media(address)
        if isinstance(found, int):
            return Fetched(found)
        if found.media is None:
            raise FetchError("page", f"{_host(address)}: a page that names no media")
        if (kept := self.cache.open(found.media)) is not None:
            return Fetched(kept, found)
        media = await self._media(found.media)
        if not isinstance(media, int):
            raise FetchError("page", f"{_host(address)}: the media that it names is a page")
        return Fetched(media, found)

    async def _media(self, address: str) -> int | Page:
        """The open file, or the page, at an address, tried more than once."""
        for left in reversed(range(TRIES)):
            try:
                return await self._once(address)
            except FetchError as error:
                if not left or error.again_s is None or error.again_s > self.limits.wait_seconds:
                    raise
                await asyncio.sleep(error.again_s)
        raise AssertionError

    async def _once(self, address: str) -> int | Page:
        most = self.limits.file_mb << 20
        async with self._get(address) as (answer, final):
            kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind not in _PAGES:
                file = self.cache.new()
                try:
                    async for part in _body(answer, most):
                        _write_all(file, part)
                    os.lseek(file, 0, os.SEEK_SET)
                    self.cache.keep(address, file)
                except BaseException:
                    os.close(file)
                    raise
                return file
        # Only now it is known that this is a page, which its host may not want to be read.
        await self._ask_robots(final)
        page = pages.read(await self._bytes(final, pages.MAX_BYTES), final)
        if page.oembed is not None and not (page.media and page.title):
            with contextlib.suppress(FetchError):
                page = pages.with_oembed(page, await self._bytes(page.oembed, OEMBED_BYTES))
        return page

    async def _bytes(self, address: str, most: int) -> bytes:
        async with self._get(address) as (answer, _):
            return b"".join([part async for part in _body(answer, most)])

    async def _ask_robots(self, address: str) -> None:
        """Raise `FetchError` where a page is not to be read."""
        parts = urlsplit(address)
        home = f"{parts.scheme}://{parts.netloc}"
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        rules = await self._rules(home)
        if not rules.allows(path or "/"):
            raise FetchError("robots", f"{_host(address)}: does not want its page to be read")

    async def _rules(self, home: str) -> robots.Robots:
        known = self._robots.get(home)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        try:
            said = await self._bytes(f"{home}/robots.txt", robots.MAX_BYTES)
            rules = robots.parsed(said.decode("utf-8", "replace"), AGENT)
        except FetchError as error:
            rules = robots.Robots() if error.kind in ("gone", "refused") else robots.NOTHING
        if len(self._robots) >= MOST_ROBOTS:
            del self._robots[next(iter(self._robots))]
        self._robots[home] = (time.monotonic() + ROBOTS_S, rules)
        return rules

    @contextlib.asynccontextmanager
    async def _get(self, address: str) -> "AsyncIterator[tuple[httpx.Response, str]]":
        """The answer, after redirects, and where it came from. Raises `FetchError`."""
        import httpx

        for _ in range(REDIRECTS + 1):
            url = _url(address)
            async with self._hosts.asking(url.host), self._asked(url) as answer:
                if answer.status_code not in _MOVED:
                    self._judge(url.host, answer)
                    yield answer, address
                    return
                try:
                    address = str(url.join(answer.headers.get("location", "")))
                except httpx.InvalidURL as error:
                    raise FetchError("redirects", f"{url.host}: {error}") from None
        raise FetchError("redirects", f"{url.host}: more than {REDIRECTS} redirects")

    @contextlib.asynccontextmanager
    async def _asked(self, url: "httpx.URL") -> "AsyncIterator[httpx.Response]":
        import httpx

        limits = self.limits
        waits = {
            "connect": min(CONNECT_S, limits.seconds),
            "read": limits.stall_seconds,
            "write": limits.stall_seconds,
            "pool": None,
        }
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            async with asyncio.timeout(limits.seconds):
                name = url.raw_host.decode("ascii")
                dialled = await checked(name, port, limits.private, self.lookup or self._system)
                request = httpx.Request(
                    "GET",
                    url.copy_with(host=dialled, username=None, password=None),
                    headers={
                        "Host": url.netloc.decode("ascii"),
                        "User-Agent": AGENT,
                        "Accept": "video/*, audio/*, text/html;q=0.5, */*;q=0.1",
                        "Accept-Encoding": "identity",
                        "Connection": "close",
                    },
                    extensions={"timeout": waits, "sni_hostname": name},
                )
                answer = await self._transport.handle_async_request(request)
                try:
                    yield answer
                finally:
                    await answer.aclose()
        except TimeoutError:
            raise FetchError("slow", f"{url.host}: more than {limits.seconds:g} s") from None
        except (httpx.ReadTimeout, httpx.WriteTimeout):
            waited = limits.stall_seconds
            raise FetchError("slow", f"{url.host}: silent for {waited:g} s") from None
        except httpx.HTTPError as error:
            said = f"{url.host}: {str(error) or type(error).__name__}"
            raise FetchError("unreachable", said[:300], again_s=_BUSY_S) from None

    def _judge(self, host: str, answer: "httpx.Response") -> None:
        """Raise `FetchError` for an answer that is nothing."""
        status = answer.status_code
        if status == 200:
            return
        said = f"{host}: answers {status}"
        if status in _GONE:
            raise FetchError("gone", said)
        if status not in _BUSY:
            raise FetchError("refused", said)
        wait = _retry_after(answer.headers.get("retry-after", ""))
        if wait is not None:
            self._hosts.later(host, wait)
        raise FetchError("busy", said, again_s=_BUSY_S if wait is None else wait)


def local(address: str, folders: tuple[Path, ...]) -> int:
    """Return an open file of a `file:` address, in one of some folders. Raises `FetchError`.

    What was opened is asked where it is, so that no link that changes leads elsewhere.
    """
    parts = urlsplit(address)
    path = unquote(parts.path)
    if parts.netloc not in ("", "localhost") or "\0" in path:
        raise FetchError("address", "a file of another machine")
    if not folders:
        raise FetchError("private", "files are not allowed: setting fetch_folders")
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise FetchError("gone", f"a file that cannot be opened: {error.strerror}") from None
    where = Path(f"/proc/self/fd/{file}").readlink()
    if not any(where.is_relative_to(folder.resolve()) for folder in folders):
        os.close(file)
        raise FetchError("private", "a file outside of the folders of fetch_folders")
    return file


def _url(address: str) -> "httpx.URL":
    import httpx

    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError("address", f"no address: {error}"[:300]) from None
    if url.scheme not in ("http", "https"):
        raise FetchError("address", f"expected http, https or file, got {url.scheme[:20]!r}")
    if not url.host or not 0 < (url.port or 80) < 1 << 16:
        raise FetchError("address", "has no host, or no port that there is")
    return url


def _host(address: str) -> str:
    return urlsplit(address).hostname or ""


def _retry_after(said: str) -> float | None:
    """Seconds; None where a host does not say.

    >>> _retry_after("120"), _retry_after("soon"), _retry_after("Thu, 01 Jan 2015 00:00:00 GMT")
    (120.0, None, 0.0)
    """
    if said.isascii() and said.isdecimal():
        return float(said[:9])
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


async def _body(answer: "httpx.Response", most: int) -> AsyncIterator[bytes]:
    """The bytes of an answer, decompressed. Raises `FetchError` where there are too many."""
    said = answer.headers.get("content-length", "")
    if said.isdecimal() and int(said[:20]) > most:
        raise FetchError("huge", f"says it has {int(said[:20]):,} bytes, at most {most:,} are read")
    packed = answer.headers.get("content-encoding", "identity").strip().lower()
    if packed not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise FetchError("encoded", f"compressed by {packed[:20]!r}, which was not asked for")
    unpack = None if packed in ("identity", "") else zlib.decompressobj(zlib.MAX_WBITS | 32)
    total = 0
    async for raw in answer.aiter_raw(1 << 16):
        left: bytes = raw
        while left:
            try:
                part = left if unpack is None else unpack.decompress(left, 1 << 16)
            except zlib.error as error:
                raise FetchError("encoded", f"cannot be decompressed: {error}") from None
            left = b"" if unpack is None else unpack.unconsumed_tail
            total += len(part)
            if total > most:
                raise FetchError("huge", f"has more than {most:,} bytes")
            yield part
    if unpack is not None and not unpack.eof:
        raise FetchError("encoded", "cannot be decompressed: it breaks off")


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
