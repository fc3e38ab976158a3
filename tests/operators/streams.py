"""Streams of revisions as the flow makes them, and what must be in a store after one."""

import random
from datetime import datetime, timedelta
from typing import Any, get_args

from msgspec.structs import replace

from operators.links import Link, Linked
from schemas.trends import SeriesPoint, Stage, Trend
from tests.operators.test_sinks import START, trend

KINDS = ("sound", "hashtag", "phrase", "challenge")
HOUR = timedelta(hours=1)


def stream(seed: int, ticks: int = 40, trends: int = 12) -> list[Trend]:
    """Revisions in the order of event time, each trend at most once a tick."""
    draw = random.Random(seed)
    revisions: dict[str, int] = {}
    found = []
    for tick in range(ticks):
        for number in sorted(draw.sample(range(trends), draw.randrange(1, trends // 2))):
            name = f"{number:02d}"
            revision = revisions[name] = revisions.get(name, 0) + 1
            first = tick - draw.randrange(1, 30)
            series = tuple(
                SeriesPoint(t=START + hour * HOUR, reels=draw.randrange(99), expected=draw.random())
                for hour in range(first, tick)
            )
            found.append(
                replace(
                    trend(name, revision),
                    kind=draw.choice(KINDS) if draw.random() < 0.1 else KINDS[number % 4],
                    stage=draw.choice(get_args(Stage)),
                    scopes=draw.choice([("global",), ("global", "region:BR"), ("language:pt",)]),
                    score=draw.random(),
                    event_time=START + tick * HOUR,
                    series=series,
                )
            )
    return found


def linked(trends: list[Trend]) -> list[Linked]:
    """Revisions with links of which there is another number each time."""
    return [
        Linked(one, tuple(_link(number, one) for number in range((one.revision + 1) % 3)))
        for one in trends
    ]


def _link(number: int, one: Trend) -> Link:
    known = one.revision % 2 == 0
    edge = (one.revision, 7, START) if known else (None, None, None)
    return Link("sound", f"s{number}", "phrase", "a b\0", number, None, 0.5, START, *edge)


def current(trends: list[Trend]) -> dict[str, Trend]:
    """The newest revision of each."""
    found: dict[str, Trend] = {}
    for one in trends:
        if one.trend_id not in found or found[one.trend_id].revision < one.revision:
            found[one.trend_id] = one
    return found


def counts(trends: list[Trend]) -> dict[tuple[str, datetime], tuple[Any, ...]]:
    """Of each point of a series what the newest revision says: reels, expected, revision."""
    found: dict[tuple[str, datetime], tuple[Any, ...]] = {}
    for one in sorted(trends, key=lambda one: one.revision):
        for point in one.series:
            found[one.trend_id, point.t] = (point.reels, point.expected, one.revision)
    return found


def batches(trends: list[Trend], draw: random.Random, most: int = 9) -> list[list[Trend]]:
    """The same in order, cut anywhere."""
    found, at = [], 0
    while at < len(trends):
        size = draw.randrange(1, most)
        found.append(trends[at : at + size])
        at += size
    return found
