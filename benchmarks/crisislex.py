"""How many real events are named in trends, and how soon: `python -m benchmarks.crisislex FILE`.

FILE is `crisislex_t26.jsonl.gz`: the posts of CrisisLexT26, tweets of 26 crises of 2012 and 2013,
as reels with one more field, `label`, which is not read by the flow: `event`, and `relation` to it,
which people have judged. It is not part of this project.

A trend names an event when more than half of the example reels of its first revision are related
to that event, by a label whose relation begins with "Related".

References
----------
Olteanu, Vieweg, Castillo 2015, "What to Expect When the Unexpected Happens: Social Media
Communications Across Crises".
"""

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
from bytewax.run import cli_main

from flows.detect import Ends, build
from flows.settings import load
from operators.sinks.jsonl import TrendsFile
from operators.sources.files import FileSource
from schemas.trends import Trend, decode

HOUR: Final = timedelta(hours=1)
NOTICED: Final = 8
"""Related posts after which a delay is counted: before, nobody could have told."""

SOON_H: Final = 24.0


class Label(msgspec.Struct, frozen=True):
    """What people said of a post."""

    event: str
    relation: str


class Post(msgspec.Struct, frozen=True):
    """What is needed of a line."""

    reel_id: str
    published_at: datetime
    label: Label

    @property
    def event(self) -> str | None:
        """The event that the post is related to."""
        return self.label.event if self.label.relation.startswith("Related") else None


@dataclass(slots=True)
class Found:
    """One event: its posts, and the trends that name it in the order in which they came."""

    event: str
    posts: list[datetime]
    alerts: list[Trend]

    def delay_h(self, posts: int) -> float | None:
        """Hours from so many related posts to the first alert."""
        if not self.alerts or len(self.posts) < posts:
            return None
        return (self.alerts[0].event_time - self.posts[posts - 1]) / HOUR


def read_posts(file: str) -> list[Post]:
    """All posts of the file. Raises `msgspec.DecodeError` for anything else."""
    part = FileSource([file], 5000).build_part("benchmark", file, None)
    decoder = msgspec.json.Decoder(Post)
    posts: list[Post] = []
    while not part.snapshot().done:
        posts += [post for poll in part.next_batch() for post in decoder.decode_lines(poll.data)]
    return posts


def first_revisions(file: str) -> list[Trend]:
    """The first revision of each trend that the flow finds in a file, by event time."""
    settings = load()
    source = FileSource([file], settings.batch_size)
    with TemporaryDirectory(prefix="groundswell-") as folder:
        trends = Path(folder, "trends.jsonl")
        ends = Ends(source, source.list_parts(), [TrendsFile(trends)])
        cli_main(build(settings, ends))  # type: ignore[no-untyped-call]
        revisions = [decode(line) for line in trends.read_bytes().splitlines()]
    first = [trend for trend in revisions if trend.revision == 1]
    return sorted(first, key=lambda trend: (trend.event_time, trend.trend_id))


def named(trend: Trend, events: Mapping[str, str | None]) -> str | None:
    """The event that a trend names; `events` by reel id."""
    counts = Counter(events[reel] for reel in trend.examples)
    event, count = counts.most_common(1)[0] if counts else (None, 0)
    return event if 2 * count > len(trend.examples) else None


def mark(posts: Sequence[Post], trends: Sequence[Trend]) -> list[Found]:
    """The events in the order of their first related post, with the trends that name them."""
    events = {post.reel_id: post.event for post in posts}
    found: dict[str, Found] = {}
    for post in sorted(posts, key=lambda post: post.published_at):
        if post.event is not None:
            found.setdefault(post.event, Found(post.event, [], [])).posts.append(post.published_at)
    for trend in trends:
        event = named(trend, events)
        if event is not None:
            found[event].alerts.append(trend)
    return list(found.values())


def report(found: Sequence[Found], trends: int) -> dict[str, Any]:
    """Figures over all events, and those of each."""
    seen = [one for one in found if one.alerts]
    alerts = sum(len(one.alerts) for one in seen)
    delays = [delay for one in found if (delay := one.delay_h(NOTICED)) is not None]
    return {
        "events": len(found),
        "named": len(seen),
        "named_within_24_h": sum((one.delay_h(1) or 0.0) <= SOON_H for one in seen),
        "median_delay_h_from_eighth_post": round(median(delays), 1) if delays else None,
        "alerts": trends,
        "alerts_per_named_event": round(alerts / len(seen), 1) if seen else None,
        "unrelated_alerts_share": round(1 - alerts / trends, 2) if trends else None,
        "by_event": {
            one.event: {
                "posts": len(one.posts),
                "alerts": len(one.alerts),
                "first": one.alerts[0].name if one.alerts else None,
                "delay_h": _rounded(one.delay_h(1)),
                "delay_h_from_eighth_post": _rounded(one.delay_h(NOTICED)),
            }
            for one in found
        },
    }


def _rounded(hours: float | None) -> float | None:
    return None if hours is None else round(hours, 1)


def main() -> None:
    """Replay the file and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", help="crisislex_t26.jsonl.gz")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    trends = first_revisions(given.file)
    figures = report(mark(read_posts(given.file), trends), len(trends))
    if given.json:
        print(json.dumps(figures, indent=2, ensure_ascii=False))
        return
    for event, one in figures.pop("by_event").items():
        delay = "-" if one["delay_h"] is None else f"{one['delay_h']:.1f} h"
        print(f"{event:<36}{delay:>10}{one['alerts']:>8} alerts  {one['first'] or ''}")
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):<36}{'-' if value is None else value:>10}")


if __name__ == "__main__":
    main()
