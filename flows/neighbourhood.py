"""What is around a trend in a store: its members, which come together, and trends that share some.

Two trends share a member, or an example. The step from one to the other is repeated `depth` times;
of the others those that share most come first, then the newest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flows.errors import UserError
from operators.links import Link
from operators.sinks import store
from schemas.trends import Member, Trend

MAX_DEPTH: Final = 3
SEVERAL: Final = 5
"""Ids named where one is asked for by its beginning and several begin so."""

Key = tuple[str, str]
"""Kind and id of a signal."""

Signals = dict[Key, Member]


@dataclass(frozen=True, slots=True)
class Around:
    """One trend as part of a neighbourhood."""

    trend: Trend
    links: tuple[Link, ...]
    """Of its members."""
    steps: int
    """From the trend in the middle, which has 0."""

    @property
    def members(self) -> dict[Key, Member]:
        """Its members by kind and id."""
        return {(member.kind, member.id): member for member in self.trend.members}


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """A trend and those around it, which come in the order of their steps, then of what is shared.

    Of `trends` the first is the one in the middle.
    """

    trends: tuple[Around, ...]
    more: int
    """Trends that share something and were left out for the limit."""

    @property
    def middle(self) -> Around:
        """The trend that was asked for."""
        return self.trends[0]

    def signals(self) -> Signals:
        """All members of the trends, as the first trend that has one tells it."""
        found: Signals = {}
        for one in self.trends:
            for key, member in one.members.items():
                found.setdefault(key, member)
        return found

    def links(self) -> Iterator[tuple[Key, Key, Link, Around]]:
        """Each two members that come together, and in which trend; once for each pair."""
        told: set[tuple[Key, Key]] = set()
        for one in self.trends:
            for link in one.links:
                ends = (link.a_kind, link.a_id), (link.b_kind, link.b_id)
                low_first = min(ends), max(ends)
                if low_first not in told:
                    told.add(low_first)
                    yield *ends, link, one

    def shared_reels(self) -> Iterator[tuple[Around, Around, int]]:
        """Each two trends with an example in common, and how many."""
        for at, one in enumerate(self.trends):
            for other in self.trends[at + 1 :]:
                if both := len({*one.trend.examples} & {*other.trend.examples}):
                    yield one, other, both


def neighbourhood(path: Path, trend_id: str, depth: int, limit: int) -> Neighbourhood:
    """Read what is around a trend.

    Args:
        path: of the store.
        trend_id: or the beginning of it, if no other begins so.
        depth: steps to other trends, 0 to `MAX_DEPTH`.
        limit: other trends at most.

    Raises:
        UserError: there is no store, or no such trend in it.
        OutputError: the file is no store.
    """
    found: dict[str, Around] = {}
    middle = _middle(path, trend_id)
    found[middle.trend.trend_id] = middle
    more = 0
    edge = [middle]
    for steps in range(1, depth + 1):
        near = _sharing(path, edge, found)
        room = limit - (len(found) - 1)
        more += max(len(near) - room, 0)
        edge = [_around(path, one, steps) for one in near[: max(room, 0)]]
        found |= {one.trend.trend_id: one for one in edge}
        if not edge:
            break
    return Neighbourhood((*found.values(),), more)


def _middle(path: Path, trend_id: str) -> Around:
    if not path.exists():
        raise UserError(f"{path}: there is no such store; replay --store writes one")
    wanted = trend_id.strip()
    linked = store.find(path, wanted) if wanted else None
    if linked is None:
        starting = store.starting_with(path, wanted.upper(), SEVERAL + 1) if wanted else []
        if len(starting) > 1:
            some = ", ".join(starting[:SEVERAL]) + (", …" if len(starting) > SEVERAL else "")
            raise UserError(f"{trend_id}: expected the id of one trend, several begin so: {some}")
        linked = store.find(path, starting[0]) if starting else None
    if linked is None:
        trends, _ = store.count(path)
        raise UserError(f"{trend_id}: no trend has this id among the {trends:,} in {path}")
    return Around(linked.trend, linked.links, 0)


def _around(path: Path, trend_id: str, steps: int) -> Around:
    linked = store.find(path, trend_id)
    if linked is None:
        raise UserError(f"{path}: it was changed while it was read, try again")
    return Around(linked.trend, linked.links, steps)


def _sharing(path: Path, edge: list[Around], found: dict[str, Around]) -> list[str]:
    """Return the ids of other trends that share something with those at the edge, closest first."""
    members = {key for one in edge for key in one.members}
    examples = {reel for one in edge for reel in one.trend.examples}
    rank: dict[str, tuple[int, int, float]] = {}
    for trend in store.every(path):
        if trend.trend_id in found:
            continue
        shared = sum((member.kind, member.id) in members for member in trend.members)
        reels = len(examples.intersection(trend.examples))
        if shared or reels:
            rank[trend.trend_id] = (-shared, -reels, -trend.event_time.timestamp())
    return sorted(rank, key=lambda one: (rank[one], one))
