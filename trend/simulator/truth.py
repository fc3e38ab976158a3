"""What was planted in a stream and when: the answer key that `trend.evaluation` marks against."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class TruthMember:
    """A signal, as the contract writes it: `sound`, `hashtag` or `phrase`, and normalised id.

    The id of a `format` is that of a `Look`.
    """

    kind: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A trend: reels by mostly distinct authors that rise, peak and decay.

    A `challenge` has several signals, a `pair` known ones that are flat but newly used together; a
    `linear` trend grows by as much every day for days. Spellings of a hashtag are members each.

    `start` and `end` are its first and last reel; `peak` is when its planned rate of reels, the
    daily wave included, is highest. `region` is None for one that is everywhere.

    Without the daily wave, its planned rate is at least half of its highest from `half_up` to
    `half_down`: until then it emerges, in between it peaks, and then it fades.
    """

    key: str
    kind: str  # of its one signal, or `challenge`, `linear` or `pair`, see below
    members: tuple[TruthMember, ...]
    region: str | None
    start: datetime
    peak: datetime
    end: datetime
    reels: int
    reels_before_peak: int
    authors: int
    doubling_h: float  # hours in which its rate doubles early in the rise
    language: str | None = None  # None for one that is in all
    half_up: datetime | None = None  # None in answer keys written before there was one
    half_down: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A look that was planted, by the id of its member, and the ids of its reels.

    What a detector calls it cannot be known; which reels have it can.
    """

    id: str
    reels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distraction:
    """Signals that rise but are no trend: a fizzle or a spam crew."""

    key: str
    kind: str
    members: tuple[TruthMember, ...]
    region: str | None
    start: datetime
    end: datetime
    reels: int
    authors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyTag:
    """A tag that comes back every week on its day (0 is Monday, by the clock of the author)."""

    key: str
    members: tuple[TruthMember, ...]
    weekday: int
    reels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyTag:
    """A tag that comes back every month on its day, by the clock of the author."""

    key: str
    members: tuple[TruthMember, ...]
    day: int
    reels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disruption:
    """A time when the whole platform was unusual.

    `factor` is its volume over the usual: above 1 for a surge, 0 for an outage. The reels held back
    by an outage came between `end` and `settled`; for a surge the two are the same.
    """

    key: str
    start: datetime
    end: datetime
    settled: datetime
    factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The answer key of one stream.

    `settings` are the simulator's, so that the stream can be made again.
    """

    version: int
    settings: dict[str, int | float | str | bool]
    start: datetime
    end: datetime
    reels: int
    lines: int
    malformed: int
    trends: tuple[Planted, ...]
    fizzles: tuple[Distraction, ...]
    spam: tuple[Distraction, ...]
    weekly: tuple[WeeklyTag, ...]
    surges: tuple[Disruption, ...]
    outages: tuple[Disruption, ...]
    monthly: tuple[MonthlyTag, ...] = ()
    looks: tuple[Look, ...] = ()


VERSION = 1
"""Of the shape of truth.json."""
