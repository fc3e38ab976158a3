"""The radar itself: the board, the stream and what people say, kept fresh from one store."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from api.board import Board, Look
from api.feedback import Feedback, precision
from api.hub import Event, Hub, time_of
from api.items import Filter, Item, View, moment
from api.names import Names
from api.reader import Reader, StoreError

log = logging.getLogger(__name__)

READERS: Final = 4
"""Threads that read the store for requests."""
DAYS: Final = 30
"""Days whose alerts are told, the last ones."""
WEEK: Final = 7
MAX_SCOPES: Final = 50
RELATED: Final = 12
DAY_US: Final = 86_400_000_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """How the radar is served."""

    trends: int = 20_000
    """Trends held in memory at most, those told last."""
    events: int = 2_000
    """Revisions that a reader of the stream may be behind."""
    streams: int = 1_000
    """Readers of the stream at once."""
    poll_s: float = 0.5
    """Time between two looks at the store."""
    heartbeat_s: float = 15.0
    """A stream on which nothing happens says so as often."""
    feedback: Path | None = None
    """File of what people say; None: nothing is kept."""
    names: Path | None = None
    """File of names given to trends; None: there are none."""
    keys: tuple[str, ...] = ()
    """Keys of which a request needs one; none: it needs none."""
    rate: int = 0
    """Requests a client may make in a minute; 0: any number."""
    hosts: frozenset[str] = frozenset()
    """Names of the host that are accepted; none: any."""
    reel_url: str = ""
    """Address of a reel with `{reel_id}` in it; empty: reels are not linked."""


class Radar:
    """One store, looked at again and again while it is served."""

    def __init__(self, reader: Reader, options: Options) -> None:
        self.reader = reader
        self.options = options
        self.board = Board(reader, options.trends, Names(options.names))
        self.hub = Hub(options.events, options.streams)
        self.feedback = Feedback(options.feedback)
        self.trouble = ""
        """Why the store cannot be read; empty: it can."""
        self._pool = ThreadPoolExecutor(READERS, "radar-read")
        self._looking = ThreadPoolExecutor(1, "radar-look")
        self._overview: tuple[object, bytes] = (None, b"")
        self._written: datetime | None = None

    async def start(self) -> None:
        """Take what is in the store."""
        await self.look(telling=False)

    async def keep_fresh(self) -> None:
        """Look at the store until this is cancelled."""
        while True:
            await asyncio.sleep(self.options.poll_s)
            await self.look()

    async def look(self, telling: bool = True) -> None:
        """Look at the store once, and tell the readers of the stream what is new."""
        loop = asyncio.get_running_loop()
        try:
            look, self._written = await loop.run_in_executor(self._looking, self._look, telling)
        except StoreError as error:
            if not self.trouble:
                log.warning("%s", error)
            self.trouble = str(error)
            return
        self.trouble = ""
        if look is None:
            return
        self.board.take(look)
        if look.too_many:
            self.hub.reset()
        else:
            self.hub.tell(look.news)

    def _look(self, telling: bool) -> tuple[Look | None, datetime | None]:
        return self.board.look(telling), self.reader.written()

    async def reading(self, work: Callable[[], T]) -> T:
        """What `work` returns, in a thread that may wait for the store."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Let go of threads and store."""
        self._looking.shutdown()
        self._pool.shutdown()
        self.reader.close()

    def missed(self, last: str, wanted: Filter, view: View) -> list[bytes] | None:
        """Events since the one with an id, which is not in the ring; None: they are too many.

        Those of the same event time come again: which of them came after it, the store does not
        tell.
        """
        since = time_of(last)
        if since is None:
            return None
        late = [item for item in self.board.items.values() if item.event_us >= since]
        found: list[Event] = []
        for item in late:
            found += map(Event.of, self.board.since(item, since))
            if len(found) > self.options.events:
                return None
        found.sort(key=lambda one: (one.item.event_us, one.item.trend_id, one.item.revision))
        return [one.told(view) for one in found if wanted(one.item)]

    def related(self, trend_id: str) -> list[tuple[Item, int, int]]:
        """Trends that share members or examples with one, and how many; closest first."""
        middle = self.board.items.get(trend_id)
        if middle is None:
            return []
        found = []
        for item in self.board.items.values():
            signals = len(item.signals & middle.signals)
            examples = len(item.examples & middle.examples)
            if (signals or examples) and item is not middle:
                found.append((item, signals, examples))
        found.sort(key=lambda one: (-one[1], -one[2], -one[0].event_us, one[0].trend_id))
        return found[:RELATED]

    @property
    def newest(self) -> datetime | None:
        """How far the stream is: the newest event time among its trends."""
        newest = max((item.event_us for item in self.board.items.values()), default=None)
        return None if newest is None else moment(newest)

    def overview(self) -> bytes:
        """What stands above all lists, as JSON."""
        sums = self.feedback.sums()
        mark = self.board.version, sums, self._written, self.trouble
        if self._overview[0] != mark:
            self._overview = mark, msgspec.json.encode(self._sum(precision(sums)))
        return self._overview[1]

    def _sum(self, judged: tuple[int, float | None]) -> dict[str, Any]:
        items = self.board.items.values()
        days = Counter(item.alerted_us // DAY_US for item in items)
        last = max(days, default=0)
        told = range(max(min(days, default=0), last - DAYS + 1), last + 1) if days else range(0)
        week = [*told][-WEEK:]
        scopes = Counter(scope for item in items for scope in item.scopes)
        return {
            "trends": len(items),
            "stages": Counter(item.stage for item in items),
            "kinds": Counter(item.kind for item in items),
            "scopes": [{"scope": s, "trends": n} for s, n in scopes.most_common(MAX_SCOPES)],
            "alerts": [{"day": moment(d * DAY_US).date(), "alerts": days[d]} for d in told],
            "alerts_per_day": sum(days[d] for d in week) / len(week) if week else None,
            "judged": judged[0],
            "precision": judged[1],
            "newest": self.newest,
            "written_at": self._written,
            "trouble": self.trouble,
            "feedback": self.feedback.kept,
            "names": self.options.names is not None,
            "reel_url": self.options.reel_url,
        }
