"""Titles and artists of sounds, by AcoustID: only where a key of one's own is set.

What is sent is the fingerprint and the length, and nothing else. AcoustID asks for three requests a
second at most. Where it fails a sound has no title, and after some failures it is not asked for a
while.
"""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from extractors.fetching.errors import FetchError
from extractors.fetching.hosts import Hosts
from extractors.media import Failed, MissingError
from schemas.base import Inbound

if TYPE_CHECKING:
    import httpx

SCORE: Final = 0.8
"""How sure AcoustID must be."""
TIMEOUT_S: Final = 10.0
PAUSE_S: Final = 0.34
MOST_BYTES: Final = 256 << 10
REMEMBERED: Final = 10_000
"""Fingerprints whose answers are remembered."""
MAX_TEXT: Final = 500
AT_ONCE: Final = 2
WAITING: Final = 20
"""Sounds that wait to be looked up; more have no title, for three a second are soon too few."""


class _Artist(Inbound, frozen=True):
    name: str = ""
    joinphrase: str = ""


class _Recording(Inbound, frozen=True):
    title: str | None = None
    artists: tuple[_Artist, ...] = ()


class _Result(Inbound, frozen=True):
    score: float = 0.0
    recordings: tuple[_Recording, ...] = ()


class _Answer(Inbound, frozen=True):
    status: str = ""
    results: tuple[_Result, ...] = ()


_answer = msgspec.json.Decoder(_Answer).decode


@dataclass(frozen=True, slots=True)
class Titled:
    """What a sound is called, and who made it; None where nobody knows."""

    title: str | None = None
    artist: str | None = None


@dataclass
class AcoustId:
    """Asks AcoustID.

    Args:
        key: of the application.
        url: of the service.

    Raises `MissingError` without httpx.
    """

    key: str
    url: str
    pause_s: float = PAUSE_S
    _known: OrderedDict[str, Titled] = field(default_factory=OrderedDict)
    _hosts: Hosts = field(default_factory=lambda: Hosts(AT_ONCE, AT_ONCE, TIMEOUT_S))
    _next: float = 0.0
    _waiting: int = 0
    _client: "httpx.AsyncClient" = field(init=False)

    def __post_init__(self) -> None:
        try:
            import httpx
        except ImportError:
            raise MissingError(
                "AcoustID needs the package httpx: pip install 'groundswell[audio]'"
            ) from None
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def titled(self, fingerprint: str, duration_s: float) -> Titled | Failed:
        """Return what a sound of some seconds is called."""
        known = self._known.get(fingerprint)
        if known is not None:
            self._known.move_to_end(fingerprint)
            return known
        if self._waiting >= WAITING:
            return Failed("acoustid", f"more than {WAITING} sounds wait to be looked up")
        self._waiting += 1
        try:
            async with self._hosts.asking(self.url), asyncio.timeout(TIMEOUT_S):
                found = await self._ask(fingerprint, duration_s)
        except TimeoutError:
            return Failed("acoustid", f"no answer in {TIMEOUT_S:g} s")
        except FetchError as error:
            return Failed("acoustid", str(error))
        finally:
            self._waiting -= 1
        self._known[fingerprint] = found
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found

    async def _ask(self, fingerprint: str, duration_s: float) -> Titled:
        import httpx

        now = time.monotonic()
        self._next = max(now, self._next + self.pause_s)
        await asyncio.sleep(self._next - now)
        asked = {
            "client": self.key,
            "format": "json",
            "meta": "recordings",
            "duration": str(round(duration_s)),
            "fingerprint": fingerprint,
        }
        said = b""
        try:
            async with self._client.stream("POST", self.url, data=asked) as answer:
                async for part in answer.aiter_bytes(1 << 14):
                    said += part
                    if len(said) > MOST_BYTES:
                        raise FetchError("unreachable", f"answers more than {MOST_BYTES:,} bytes")
                status = answer.status_code
        except httpx.HTTPError as error:
            raise FetchError("unreachable", type(error).__name__) from None
        if status != httpx.codes.OK:
            raise FetchError("unreachable", f"answers {status}")
        try:
            return _best(_answer(said))
        except msgspec.DecodeError:
            raise FetchError("unreachable", "answers what is not of its form") from None


def _best(answer: _Answer) -> Titled:
    """The first recording with a title of the result that is surest."""
    for result in sorted(answer.results, key=lambda one: one.score, reverse=True):
        if result.score < SCORE:
            break
        for recording in result.recordings:
            if recording.title:
                artist = "".join(one.name + one.joinphrase for one in recording.artists)
                return Titled(recording.title[:MAX_TEXT], artist[:MAX_TEXT] or None)
    return Titled()
