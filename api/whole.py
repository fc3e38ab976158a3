"""All about one trend, as JSON: what its page shows."""

from datetime import datetime
from typing import Any

import msgspec

from api.items import Item, moment
from api.radar import Radar
from api.reader import Point, Whole


class Life(msgspec.Struct):
    """A revision as a line of a trend's life."""

    revision: int
    event_time: datetime
    stage: str
    reels: int
    authors: int
    expected: float
    growth: float
    score: float
    name: str
    why: str


def detail_of(radar: Radar, whole: Whole) -> bytes:
    """All of a trend, as JSON."""
    found: dict[str, Any] = msgspec.json.decode(whole.revisions[-1])
    trend_id = whole.newest.trend_id
    if whole.series:
        found["series"] = points_of(whole.series)
    found["revisions"] = [msgspec.json.decode(body, type=Life) for body in whole.revisions]
    found["links"] = [
        {
            "a_kind": link.a_kind, "a_id": link.a_id, "b_kind": link.b_kind, "b_id": link.b_id,
            "reels": link.edge_reels if link.reels is None else link.reels,
            "authors": link.edge_authors if link.authors is None else link.authors,
            "share": link.share,
            "since": _time(link.edge_since_us if link.since_us is None else link.since_us),
        }
        for link in whole.links
    ]  # fmt: skip
    found["related"] = [
        {
            "trend_id": item.trend_id, "name": brief_of(item)["name"], "stage": item.stage,
            "kind": item.kind, "signals": signals, "examples": examples,
        }
        for item, signals, examples in radar.related(trend_id)
    ]  # fmt: skip
    item = radar.board.items.get(trend_id)
    named = item.named if item is not None else None
    found["named"] = named
    found["feedback"] = radar.feedback.of(trend_id)
    return msgspec.json.encode(found)


def points_of(points: list[Point]) -> list[dict[str, object]]:
    """Hours as plain values."""
    return [{"t": moment(p.t_us), "reels": p.reels, "expected": p.expected} for p in points]


def _time(us: int | None) -> datetime | None:
    return None if us is None else moment(us)


def brief_of(item: Item) -> dict[str, Any]:
    """What a list shows of a trend, as plain values."""
    found: dict[str, Any] = msgspec.json.decode(item.brief)
    return found
