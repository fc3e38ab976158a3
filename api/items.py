"""A trend in a list: what of it is shown, how lists are filtered and sorted, and their cursors."""

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, get_args

import msgspec

from api.names import Name
from api.reader import Told
from schemas.trends import Trend, decode

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
SHOWN: Final = 5
"""Members named in a list."""
MAX_CURSOR: Final = 1_000
"""Characters of a cursor at most."""
MAX_WORDS: Final = 10

View = Literal["full", "brief"]
Order = Literal["rising", "newest", "updated", "growth", "velocity", "reels", "authors", "score"]
Key = tuple[Any, ...]
"""What a list is sorted by, ascending: numbers, then the id of the trend."""


class Named(msgspec.Struct, frozen=True):
    """A member, as a list shows it."""

    kind: str
    label: str
    reels: int


class Spark(msgspec.Struct, frozen=True):
    """The series of a revision in few bytes."""

    t: datetime | None
    """Start of the first step; the others follow without gaps."""
    step_s: int
    reels: list[int]
    expected: list[float]


class Brief(msgspec.Struct, frozen=True):
    """What a list shows of a trend: `trends.v1` without what only its own page needs."""

    trend_id: str
    revision: int
    kind: str
    stage: str
    scopes: tuple[str, ...]
    event_time: datetime
    started_at: datetime
    alerted_at: datetime
    """Event time of its first revision."""
    name: str
    summary: str
    category: str | None
    reels: int
    authors: int
    expected: float
    growth: float
    velocity_per_h: float
    acceleration_per_h2: float
    score: float
    q_value: float
    why: str
    members: list[Named]
    """The first few."""
    member_count: int
    spark: Spark
    named_by: str
    """Who gave the name: `person`, `model`, or nobody, and it is the one it came with."""


@dataclass(frozen=True, slots=True)
class Item:
    """A trend of a list, ready to be sent."""

    trend_id: str
    revision: int
    kind: str
    stage: str
    scopes: tuple[str, ...]
    event_us: int
    started_us: int
    alerted_us: int
    text: str
    """What words are looked for in, case-folded."""
    signals: frozenset[tuple[str, str]]
    """Kind and id of each member."""
    leading: tuple[str, str]
    """The member that its series is of."""
    examples: frozenset[str]
    numbers: Mapping[str, float]
    """What lists are sorted by."""
    brief: bytes
    """`Brief` as JSON."""
    named: Name | None = None
    """Put over the name that the trend came with."""


_encoder = msgspec.json.Encoder()
RISING: Final = ("emerging", "peaking")


def item_of(told: Told, named: Name | None = None) -> Item:
    """Make an item of the newest revision of a trend, with the name that was given to it.

    Raises
    ------
    msgspec.DecodeError
        Where it is no line of `trends.v1`.
    """
    trend = decode(told.body)
    given = trend.name
    if named is not None:
        trend = msgspec.structs.replace(
            trend,
            name=named.name or trend.name,
            summary=named.summary or trend.summary,
            category=named.category or trend.category,
        )
    members = [(one.kind, one.id) for one in trend.members]
    words = [given, trend.name, trend.summary, trend.category or "", trend.kind]
    words += [word for one in trend.members for word in (one.label, one.id)]
    return Item(
        trend_id=trend.trend_id,
        revision=trend.revision,
        kind=trend.kind,
        stage=trend.stage,
        scopes=trend.scopes,
        event_us=microseconds(trend.event_time),
        started_us=microseconds(trend.started_at),
        alerted_us=told.alerted_us,
        text="\n".join(words).casefold(),
        signals=frozenset(members),
        leading=members[0],
        examples=frozenset(trend.examples),
        numbers={
            "rising": float(trend.stage in RISING),
            "newest": float(told.alerted_us),
            "updated": float(microseconds(trend.event_time)),
            "growth": trend.growth,
            "velocity": trend.velocity_per_h,
            "reels": float(trend.reels),
            "authors": float(trend.authors),
            "score": trend.score,
        },
        brief=_encoder.encode(brief_of(trend, told.alerted_us, named.by if named else "")),
        named=named,
    )


def brief_of(trend: Trend, alerted_us: int, named_by: str = "") -> Brief:
    """What a list shows of a revision."""
    return Brief(
        trend_id=trend.trend_id,
        revision=trend.revision,
        kind=trend.kind,
        stage=trend.stage,
        scopes=trend.scopes,
        event_time=trend.event_time,
        started_at=trend.started_at,
        alerted_at=moment(alerted_us),
        name=trend.name,
        summary=trend.summary,
        category=trend.category,
        reels=trend.reels,
        authors=trend.authors,
        expected=trend.expected,
        growth=trend.growth,
        velocity_per_h=trend.velocity_per_h,
        acceleration_per_h2=trend.acceleration_per_h2,
        score=trend.score,
        q_value=trend.q_value,
        why=trend.why,
        members=[Named(one.kind, one.label, one.reels) for one in trend.members[:SHOWN]],
        member_count=len(trend.members),
        spark=_spark(trend),
        named_by=named_by,
    )


def _spark(trend: Trend) -> Spark:
    series = trend.series
    step_s = int((series[1].t - series[0].t).total_seconds()) if len(series) > 1 else 3600
    return Spark(
        t=series[0].t if series else None,
        step_s=step_s,
        reels=[point.reels for point in series],
        expected=[round(point.expected, 2) for point in series],
    )


@dataclass(frozen=True, slots=True)
class Filter:
    """Which trends are wanted; what is empty lets all through."""

    kinds: frozenset[str] = frozenset()
    stages: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    """Any of them."""
    since_us: int | None = None
    """Told at or after this."""
    until_us: int | None = None
    """Begun before this."""
    words: tuple[str, ...] = ()
    """All of them, case-folded, anywhere in names, members and their ids."""

    def __call__(self, item: Item) -> bool:
        """Whether a trend is wanted."""
        return (
            (not self.stages or item.stage in self.stages)
            and (not self.kinds or item.kind in self.kinds)
            and (not self.scopes or not self.scopes.isdisjoint(item.scopes))
            and (self.since_us is None or item.event_us >= self.since_us)
            and (self.until_us is None or item.started_us < self.until_us)
            and all(word in item.text for word in self.words)
        )


def words_of(text: str) -> tuple[str, ...]:
    """The words that are looked for.

    >>> words_of("  Cat #DROP ")
    ('cat', '#drop')
    """
    return tuple(text.casefold().split()[:MAX_WORDS])


KEYS: Final[dict[str, tuple[str, ...]]] = {
    "rising": ("rising", "score", "authors"),
    **{order: (order,) for order in get_args(Order) if order != "rising"},
}
"""The numbers an order looks at, each descending; then the ids decide."""


def key_of(order: str) -> Callable[[Item], Key]:
    """The key that sorts items in an order."""
    names = KEYS[order]
    return lambda item: (*(-item.numbers[name] for name in names), item.trend_id)


def cursor_of(order: str, key: Key) -> str:
    """The cursor of what comes after `key`."""
    return base64.urlsafe_b64encode(_encoder.encode([order, *key])).rstrip(b"=").decode()


def key_at(order: str, cursor: str) -> Key:
    """The key that a cursor is of. Raises `ValueError` where it is none of this order."""
    if len(cursor) > MAX_CURSOR or not cursor.isascii():
        raise ValueError("not a cursor of this list")
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        found = msgspec.json.decode(raw, type=list[float | str])
    except (binascii.Error, msgspec.MsgspecError, ValueError):
        raise ValueError("not a cursor of this list") from None
    numbers = found[1:-1]
    good = (
        len(found) == len(KEYS[order]) + 2
        and found[0] == order
        and isinstance(found[-1], str)
        and all(isinstance(one, float) and math.isfinite(one) for one in numbers)
    )
    if not good:
        raise ValueError("not a cursor of this list")
    return (*numbers, found[-1])


def microseconds(time: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (time - EPOCH) // MICROSECOND


def moment(us: int) -> datetime:
    """The time of microseconds since 1970 UTC."""
    return EPOCH + us * MICROSECOND
