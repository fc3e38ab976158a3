"""The trends of the store as the radar holds them: sorted in each order, with what changed last.

`look` reads what is new in the store, in any thread; `take` puts it on the board, in the thread
that answers requests.
"""

import secrets
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import msgspec

from api.items import KEYS, Item, Key, item_of, key_of
from api.names import Name, Names
from api.reader import Reader, Told

MAX_NEWS: Final = 1_000
"""Revisions between two looks that are told one by one; more are told as "look again"."""

AT_ONCE: Final = 500
"""Trends that are read at once."""


@dataclass(frozen=True, slots=True)
class News:
    """A revision that is new in the store."""

    item: Item
    body: bytes
    """The line of `trends.v1`."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was new at one look."""

    mark: object
    items: list[Item] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    news: list[News] = field(default_factory=list)
    """In the order of event time."""
    too_many: bool = False
    """More was new than is told one by one."""


class Board:
    """The newest trends of a store, `most` at most, in memory."""

    def __init__(self, reader: Reader, most: int, names: Names | None = None) -> None:
        self.items: dict[str, Item] = {}
        self.version = 0
        """Counts what was taken."""
        self.refused = 0
        """Lines of the store that could not be read."""
        self._run = secrets.token_hex(4)
        self._reader = reader
        self._names = names or Names(None)
        self._most = most
        self._mark: object = object()
        self._orders: dict[str, list[Key]] = {order: [] for order in KEYS}
        self._keys = {order: key_of(order) for order in KEYS}

    @property
    def tag(self) -> str:
        """An entity tag: the same as long as nothing has changed."""
        return f'W/"{self._run}-{self.version}"'

    def look(self, telling: bool = True) -> Look | None:
        """What is new in the store; None: nothing. Raises `StoreError`.

        `telling`: each revision is wanted, not only the newest.
        """
        named_mark, names = self._names.read()
        mark = self._reader.mark(), named_mark
        if mark == self._mark:
            return None
        newest = self._reader.newest(self._most)
        known = self.items
        new = [
            trend
            for trend, revision in newest.items()
            if trend not in known
            or known[trend].revision != revision
            or known[trend].named != names.get(trend)
        ]
        look = Look(mark, gone=[trend for trend in known if trend not in newest])
        many = telling and len(new) > MAX_NEWS
        for told in self._told(new):
            item = self._item(told, names)
            if item is None:
                continue
            look.items.append(item)
            if telling and not many:
                look.news.extend(self._news(item, told, names))
        look.news.sort(key=lambda one: (one.item.event_us, one.item.trend_id, one.item.revision))
        return Look(mark, look.items, look.gone, look.news[:MAX_NEWS], many)

    def _told(self, trends: list[str]) -> Iterator[Told]:
        """Their newest revisions, some at a time: all of a large store would take its room."""
        for at in range(0, len(trends), AT_ONCE):
            yield from self._reader.told(trends[at : at + AT_ONCE])

    def _news(self, item: Item, told: Told, names: dict[str, Name]) -> Iterator[News]:
        """The revisions of a trend that were not told yet."""
        before = self.items.get(item.trend_id)
        last = before.revision if before is not None else 0
        if item.revision - last > 1:
            for body in self._reader.after(item.trend_id, last, MAX_NEWS):
                missed = self._item(Told(body, told.alerted_us), names)
                if missed is not None and missed.revision < item.revision:
                    yield News(missed, body)
        yield News(item, told.body)

    def since(self, item: Item, since_us: int) -> Iterator[News]:
        """The revisions of a trend told at or after a time, oldest first. Raises `StoreError`."""
        for body in self._reader.after(item.trend_id, 0, MAX_NEWS):
            told = self._item(Told(body, item.alerted_us), self._names.read()[1])
            if told is not None and told.event_us >= since_us:
                yield News(told, body)

    def _item(self, told: Told, names: dict[str, Name]) -> Item | None:
        try:
            item = item_of(told)
            named = names.get(item.trend_id)
            return item if named is None else item_of(told, named)
        except msgspec.DecodeError:
            self.refused += 1
            return None

    def take(self, look: Look) -> None:
        """Put on the board what a look has found."""
        self._mark = look.mark
        if not look.items and not look.gone:
            return
        self.version += 1
        items = dict(self.items)  # threads go through the old one meanwhile
        many = len(look.items) + len(look.gone) > MAX_NEWS
        for trend in (*look.gone, *(item.trend_id for item in look.items)):
            old = items.pop(trend, None)
            if old is not None and not many:
                for order, keys in self._orders.items():
                    key = self._keys[order](old)
                    del keys[bisect_left(keys, key)]
        for item in look.items:
            items[item.trend_id] = item
            if not many:
                for order, keys in self._orders.items():
                    insort(keys, self._keys[order](item))
        self.items = items
        if many:
            for order, key_of_item in self._keys.items():
                self._orders[order] = sorted(map(key_of_item, items.values()))

    def page(
        self, wanted: Callable[[Item], bool], order: str, after: Key | None, limit: int
    ) -> tuple[list[Item], Key | None]:
        """The first `limit` trends that are wanted, and the key of the last where more come.

        `after`: the key of the last of the page before.
        """
        keys = self._orders[order]
        start = 0 if after is None else bisect_right(keys, after)
        items = (self.items[key[-1]] for key in islice(keys, start, None))
        found = [*islice(filter(wanted, items), limit + 1)]
        more = len(found) > limit
        found = found[:limit]
        return found, self._keys[order](found[-1]) if more and found else None
