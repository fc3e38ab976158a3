"""What holds a trend together: which of its members share how many reels, and who made those.

Each revision is looked at once: those reels of its members that have the smallest hashes, of the
day before the members were last told with their details. What the catalogue knows of their authors
and captions tells whether people or a crew are behind them (`trend.crowd`); which members come
together is told as links (`trend.together`), and beside it the edges of the co-occurrence graph
where it has some. Links go to the store with the revision; they are no part of `trends.v1`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from operators.catalogue import Catalogue, Known
from schemas.trends import Trend, decode, encode
from trend.crowd import Crowd, crowd
from trend.kinds import KINDS
from trend.parts import Bond
from trend.together import UNKNOWN, Looked, holding, looked_at, pairs
from trend.trends import Revision, Signal

LOOKED_AT: Final = 128
"""Reels of a revision that are looked at, at most."""
DIGITS: Final = 4

Ends = tuple[int, int]
"""Hashes of two signals, the lower first."""


class Link(NamedTuple):
    """Two members of a trend that come together; None: not known."""

    a_kind: str
    a_id: str
    b_kind: str
    b_id: str
    reels: int | None
    """With both, of a day; an estimate where only a sample of it is known."""
    authors: int | None
    """Of those reels."""
    share: float | None
    """Of the reels with any of the two, those with both."""
    since: datetime | None
    """Tick of the first reel known with both."""
    edge_reels: int | None = None
    """With both, since they are an edge of the co-occurrence graph."""
    edge_authors: int | None = None
    """Distinct ones of each hour, summed."""
    edge_since: datetime | None = None
    """Hour in which they came together significantly often for the first time."""


class Linked(NamedTuple):
    """A revision, and the links of its members in the order of their places there."""

    trend: Trend
    links: tuple[Link, ...] = ()


def encode_linked(linked: Linked) -> bytes:
    """A revision with its links as two lines of JSON."""
    return encode(linked.trend) + b"\n" + msgspec.json.encode(linked.links)


def decode_linked(lines: bytes) -> Linked:
    """What `encode_linked` has made."""
    trend, _, links = lines.partition(b"\n")
    return Linked(decode(trend), msgspec.json.decode(links, type=tuple[Link, ...]))


@dataclass(frozen=True, slots=True)
class Sight:
    """The reels of a revision as far as they are looked at."""

    hashes: npt.NDArray[np.uint64]
    """All reels sampled of any of its signals, ascending."""
    holding: npt.NDArray[np.int64]
    """How many of these hold each."""
    looked: Looked
    known: Known
    crowd: Crowd


def sight(revision: Revision, catalogue: Catalogue, tick: int, ticks_per_hour: int) -> Sight:
    """Look at the reels of a revision."""
    samples = revision.samples
    hashes, held = np.unique(np.concatenate([one.reels for one in samples]), return_counts=True)
    looked = looked_at(hashes, samples, LOOKED_AT)
    known = catalogue.known(looked.reels, tick)
    return Sight(hashes, held, looked, known, behind_all(known, ticks_per_hour))


def behind_all(reels: Known, ticks_per_hour: int) -> Crowd:
    """Return who is behind those of some reels that are known."""
    there = reels.there
    return crowd(reels.author[there], reels.text[there], reels.apply[there], ticks_per_hour)


class Links:
    """The links of trends, and since when they are; all of it can be pickled."""

    def __init__(self, tick_seconds: int) -> None:
        self._tick_seconds = tick_seconds
        self._since: dict[str, dict[Ends, int]] = {}
        """Trend -> its links as told last, with their first ticks."""

    def of(self, revision: Revision, seen: Sight) -> tuple[Link, ...]:
        """Return the links of a revision's members, in the order of their places there."""
        trend = revision.trend
        before = self._since.pop(trend.id, {}) if trend.revision > 1 else {}
        signals = [signal for signal, _ in revision.members]
        if len(signals) == 1:
            return ()
        since: dict[Ends, int] = {}
        links = {}
        for i, j, reels, authors, share, tick in _sampled(signals, seen):
            ends = _ends(signals[i], signals[j])
            ticks = [one for one in (tick, before.get(ends, UNKNOWN)) if one != UNKNOWN]
            if ticks:
                since[ends] = min(ticks)
            links[i, j] = Link(
                *_names(signals[i], signals[j]),
                reels,
                authors or None,
                round(share, DIGITS),
                _time(since[ends] * self._tick_seconds) if ticks else None,
            )
        for (i, j), bond in _bonds(revision, signals).items():
            link = links.get((i, j)) or Link(
                *_names(signals[i], signals[j]), None, None, None, None
            )
            links[i, j] = link._replace(
                edge_reels=bond.reels,
                edge_authors=bond.authors,
                edge_since=_time(bond.since * 3600),
            )
        self._since[trend.id] = since
        return tuple(links[places] for places in sorted(links))

    def keep(self, trends: Iterable[str]) -> None:
        """Forget all trends but these."""
        self._since = {one: self._since[one] for one in trends if one in self._since}


def _sampled(signals: list[Signal], seen: Sight) -> Iterator[tuple[int, int, int, int, float, int]]:
    """Return what the reels looked at tell of pairs of signals: their places, then the figures."""
    known = seen.known
    held = holding([signal.sample for signal in signals], seen.looked.reels)
    found = pairs(held, seen.looked.scale, known.author, known.apply, known.there)
    return zip(*(column.tolist() for column in found), strict=True)


def _bonds(revision: Revision, signals: list[Signal]) -> dict[tuple[int, int], Bond]:
    """Return the edges of the graph between signals, by their places; the older of two."""
    place = {signal.hash: at for at, signal in enumerate(signals)}
    found: dict[tuple[int, int], Bond] = {}
    for community in revision.trend.signals.values():
        for bond in community.bonds:
            if bond.low in place and bond.high in place:
                ends = sorted((place[bond.low], place[bond.high]))
                at = ends[0], ends[1]
                if at not in found or _rank(bond) < _rank(found[at]):
                    found[at] = bond
    return found


def _rank(bond: Bond) -> tuple[int, int]:
    return bond.since, -bond.reels


def _names(one: Signal, other: Signal) -> tuple[str, str, str, str]:
    return KINDS[one.kind], one.id, KINDS[other.kind], other.id


def _ends(one: Signal, other: Signal) -> Ends:
    return (one.hash, other.hash) if one.hash < other.hash else (other.hash, one.hash)


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
