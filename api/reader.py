"""What the radar needs of a store, whichever it is."""

from datetime import datetime
from typing import Final, NamedTuple, Protocol

from schemas.trends import Trend

MAX_REVISIONS: Final = 200
"""Revisions of one trend that are read at most, the newest."""


class StoreError(Exception):
    """A store that cannot be read: its name and why, in one line."""


class Told(NamedTuple):
    """The newest revision of a trend."""

    body: bytes
    """The line of `trends.v1`."""
    alerted_us: int
    """Event time of its first revision, microseconds since 1970 UTC."""


class Point(NamedTuple):
    """An hour of a trend's leading signal."""

    t_us: int
    reels: int
    expected: float


class Link(NamedTuple):
    """Two members of a trend that come together; None: not known. Times in microseconds."""

    a_kind: str
    a_id: str
    b_kind: str
    b_id: str
    reels: int | None
    authors: int | None
    share: float | None
    since_us: int | None
    edge_reels: int | None
    edge_authors: int | None
    edge_since_us: int | None


class Whole(NamedTuple):
    """All that a store knows of one trend."""

    newest: Trend
    revisions: list[bytes]
    """Oldest first, the newest `MAX_REVISIONS`; lines of `trends.v1`."""
    series: list[Point]
    """Oldest first."""
    links: list[Link]


class Reader(Protocol):
    """One store, read by several threads while another process writes it.

    Each raises `StoreError` where it cannot be read. A store that does not exist yet is empty.
    """

    name: str
    """For messages; without user and password."""

    def mark(self) -> object:
        """What is not the same as before when the store has changed; cheap."""
        ...

    def written(self) -> datetime | None:
        """When the store was last written, by the clock of who wrote; None: not known."""
        ...

    def newest(self, most: int) -> dict[str, int]:
        """The revisions of the `most` trends that were told last, by their ids."""
        ...

    def told(self, trends: list[str]) -> list[Told]:
        """Those of these trends that are there, in any order."""
        ...

    def after(self, trend_id: str, revision: int, most: int) -> list[bytes]:
        """The first `most` revisions after one, oldest first, as lines of `trends.v1`."""
        ...

    def whole(self, trend_id: str) -> Whole | None:
        """All of one trend; None where there is none of this id."""
        ...

    def series(self, trend_id: str) -> list[Point]:
        """The hours of one trend that are kept, oldest first."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...
