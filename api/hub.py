"""What is new, for everyone who reads along: each new revision, to every reader from where it was.

One ring of events serves all readers, and a reader is a place in it: one that is slow holds no
memory but the place, and when the ring has passed it by it is told to look again (`reset`).

The id of an event is `TIME.REVISION.TREND_ID`, so that a reader may go on at another server, or
after a restart: it gets what was told since that time, some of it again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from api.board import News
from api.items import Filter, Item, View

CHUNK: Final = 64
"""Events sent at once at most."""
RETRY_MS: Final = 2_000
"""After which a reader that was cut off comes again."""
MAX_ID: Final = 600
RESET: Final = b"event: reset\ndata: {}\n\n"
BEAT: Final = b": still here\n\n"
START: Final = f"retry: {RETRY_MS}\n\n".encode()


@dataclass(frozen=True, slots=True)
class Event:
    """A revision as it is told."""

    item: Item
    full: bytes
    brief: bytes

    @staticmethod
    def of(news: News) -> "Event":
        """Make it once for all readers."""
        start = f"id: {event_id(news.item)}\nevent: trend\ndata: ".encode()
        return Event(news.item, start + news.body + b"\n\n", start + news.item.brief + b"\n\n")

    def told(self, view: View) -> bytes:
        """The bytes that a reader gets."""
        return self.full if view == "full" else self.brief


def event_id(item: Item) -> str:
    """The id of the event of a revision."""
    return f"{item.event_us}.{item.revision}.{item.trend_id}"


def time_of(last: str) -> int | None:
    """The event time (microseconds) that an id is of; None: it is none of ours.

    >>> time_of("1767607800000000.3.01KEB2XB80Y2HHF59AM4A2G21Y"), time_of("x"), time_of("1.x.y")
    (1767607800000000, None, None)
    """
    parts = last[:MAX_ID].split(".", 2)
    good = len(parts) == 3 and all(one.isascii() and one.isdecimal() for one in parts[:2])
    return int(parts[0]) if good and len(parts[0]) < 19 else None


class TooManyError(Exception):
    """As many readers as may be are there already."""


class Hub:
    """The ring, and the readers that wait for it.

    Args:
        length: events kept.
        most: readers at once.
    """

    def __init__(self, length: int, most: int) -> None:
        self._ring: deque[Event] = deque(maxlen=length)
        self._next = 0  # number of the next event; that of the ring's first is `_first`
        self._most = most
        self._resets = 0
        self._news = asyncio.Event()
        self.readers = 0
        self.closed = False

    @property
    def _first(self) -> int:
        return self._next - len(self._ring)

    def tell(self, news: Iterable[News]) -> None:
        """Have all readers told."""
        told = [Event.of(one) for one in news]
        self._ring.extend(told)
        self._next += len(told)
        if told:
            self._wake()

    def reset(self) -> None:
        """Have all readers look again: too much is new."""
        self._ring.clear()
        self._resets += 1
        self._wake()

    def close(self) -> None:
        """End all streams, now and from now on."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def place(self, last: str) -> int | None:
        """The place after the event with an id; None: it is not in the ring."""
        for back, event in enumerate(reversed(self._ring)):
            if event_id(event.item) == last:
                return self._next - back
        return None

    @property
    def place_now(self) -> int:
        """The place of what comes next."""
        return self._next

    def read(
        self,
        wanted: Filter,
        view: View,
        heartbeat_s: float,
        place: int | None = None,
        before: Iterable[bytes] = (),
    ) -> AsyncIterator[bytes]:
        """What one reader is sent: `before`, then each event from `place` on that is wanted.

        Raises `TooManyError`.
        """
        if self.readers >= self._most:
            raise TooManyError
        at = self._next if place is None else place
        return self._read(wanted, view, heartbeat_s, at, before)

    async def _read(
        self, wanted: Filter, view: View, heartbeat_s: float, at: int, before: Iterable[bytes]
    ) -> AsyncIterator[bytes]:
        resets = self._resets
        self.readers += 1
        try:
            yield START + b"".join(before)
            while not self.closed:
                if at < self._first or resets != self._resets:
                    at, resets = self._next, self._resets
                    yield RESET
                    continue
                if at == self._next:
                    if not await self._wait(heartbeat_s):
                        yield BEAT
                    continue
                start = at - self._first
                some = [*islice(self._ring, start, start + CHUNK)]
                at += len(some)
                if told := [event.told(view) for event in some if wanted(event.item)]:
                    yield b"".join(told)
                else:
                    await asyncio.sleep(0)
        finally:
            self.readers -= 1

    async def _wait(self, seconds: float) -> bool:
        """Whether something happens within `seconds`."""
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return False
        return True
