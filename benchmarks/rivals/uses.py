"""A stream as columns of uses, by the flow's own steps from the line to the signal."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from operators.blocks import Poll, ShardRows
from operators.decode import decode
from operators.dedupe import Dedupe, EventTime
from operators.explode import Explode
from operators.identify import identify
from operators.sources.files import FileSource
from trend.kinds import HASHTAG, KINDS, SOUND

TICK_SECONDS: Final = 600
PAIR: Final = 5
"""Code of two signals in one reel, beside those of `trend.kinds`."""

I64 = npt.NDArray[np.int64]
Members = tuple[tuple[str, str], ...]
"""What an alert names: kind and id of each."""


@dataclass(frozen=True, slots=True)
class Uses:
    """Uses of signals by reels, sorted by signal and, within one, by tick.

    A late reel is in the tick at which it came, as nobody could have known of it before.
    """

    names: list[Members]  # [s] of the signals: one member, or both of a pair
    kind: npt.NDArray[np.uint8]  # [s] trend.kinds, or PAIR
    bounds: I64  # [s + 1] uses of signal i are from bounds[i] on
    tick: I64  # [u] since the start of the stream
    author: I64  # [u]
    reel: I64  # [u]
    volume: I64  # [ticks] reels
    start: int  # tick since 1970 of tick 0
    tick_seconds: int = TICK_SECONDS

    @property
    def day(self) -> int:
        """Ticks a day."""
        return 86_400 // self.tick_seconds

    @property
    def ticks(self) -> int:
        """Length of the stream."""
        return self.volume.size


def read(
    file: str, *, pairs: bool = True, max_phrases: int = 64, tick_seconds: int = TICK_SECONDS
) -> Uses:
    """Read the uses of a file of reels, and those of pairs of its sounds and hashtags."""
    source = FileSource([file], 20_000)
    part = source.build_part("benchmark", source.list_parts()[0], None)
    polls = _polls(part)
    return exploded(polls, pairs=pairs, max_phrases=max_phrases, tick_seconds=tick_seconds)


def _polls(part: object) -> Iterable[Poll]:
    while not part.snapshot().done:  # type: ignore[attr-defined]
        yield from part.next_batch()  # type: ignore[attr-defined]


def exploded(
    polls: Iterable[Poll], *, pairs: bool, max_phrases: int, tick_seconds: int = TICK_SECONDS
) -> Uses:
    """Take polls apart."""
    dedupe = Dedupe(EventTime(tick_seconds, 600, 300, 32), 2_000_000)
    explode = Explode(max_phrases)
    rows: list[npt.NDArray[np.void]] = []
    volume: list[npt.NDArray[np.void]] = []
    names: dict[int, Members] = {}
    for poll in polls:
        fresh = dedupe(decode(poll))
        if fresh is None:
            continue
        volume.append(fresh.volume)
        for shard in explode(identify(fresh)):
            rows.append(shard.rows)
            _name(names, shard)
    every = np.concatenate(rows)
    came = np.concatenate(volume)
    start = int(came["apply"].min())
    reels = np.bincount(came["apply"] - start, weights=came["reels"]).astype(np.int64)
    tick = every["apply"].astype(np.int64) - start
    _, author = np.unique(every["author"], return_inverse=True)
    _, reel = np.unique(every["reel"], return_inverse=True)
    keys, signal = np.unique(every["signal"], return_inverse=True)
    kind = np.zeros(keys.size, np.uint8)
    kind[signal] = every["kind"]
    named = [names[key] for key in keys.tolist()]
    if pairs:
        both = _pairs(signal, kind[signal], tick, author, reel)
        code, ticks, authors, reels_of = both
        found, paired = np.unique(code, return_inverse=True)
        first, second = np.divmod(found, keys.size)
        named += [
            (*named[a], *named[b]) for a, b in zip(first.tolist(), second.tolist(), strict=True)
        ]
        signal = np.concatenate([signal, keys.size + paired])
        kind = np.concatenate([kind, np.full(found.size, PAIR, np.uint8)])
        tick, author = np.concatenate([tick, ticks]), np.concatenate([author, authors])
        reel = np.concatenate([reel, reels_of])
    order = np.lexsort((reel, tick, signal))
    bounds = np.searchsorted(signal[order], np.arange(kind.size + 1))
    return Uses(
        named, kind, bounds, tick[order], author[order], reel[order], reels, start, tick_seconds
    )  # fmt: skip


def _name(names: dict[int, Members], shard: ShardRows) -> None:
    keys, first = np.unique(shard.rows["signal"], return_index=True)
    for key, at in zip(keys.tolist(), first.tolist(), strict=True):
        if key not in names:
            row = shard.rows[at]
            label = shard.labels[row["label_at"] : row["label_at"] + row["label_len"]]
            told = label.decode("utf-8", "ignore").partition("\x1f")[0]
            names[key] = ((KINDS[row["kind"]], told),)


def _pairs(
    signal: I64, kind: npt.NDArray[np.uint8], tick: I64, author: I64, reel: I64
) -> list[I64]:
    """Code (first * signals + second), tick, author and reel of the pairs in each reel."""
    kept = np.flatnonzero((kind == SOUND) | (kind == HASHTAG))
    kept = kept[np.lexsort((signal[kept], reel[kept]))]
    signals = int(signal.max(initial=-1)) + 1
    found: list[tuple[I64, I64, I64, I64]] = []
    for apart in range(1, 12):
        left, right = kept[:-apart], kept[apart:]
        same = reel[left] == reel[right]
        if not same.any():
            break
        left, right = left[same], right[same]
        found.append(
            (signal[left] * signals + signal[right], tick[right], author[left], reel[left])
        )
    none = np.zeros(0, np.int64)
    return [np.concatenate([none, *column]) for column in zip(*found, strict=True)] or [none] * 4


def authors_once(uses: Uses) -> I64:
    """Give the uses that count: an author's count for a signal once, and again after a day without.

    So the uses within a day that count are about as many as its distinct authors.
    """
    signal = np.repeat(np.arange(uses.kind.size), np.diff(uses.bounds))
    order = np.lexsort((uses.tick, uses.author, signal))
    same = (signal[order][1:] == signal[order][:-1]) & (
        uses.author[order][1:] == uses.author[order][:-1]
    )
    again = same & (uses.tick[order][1:] - uses.tick[order][:-1] < uses.day)
    counted = np.ones(order.size, bool)
    counted[1:] = ~again
    return np.sort(order[counted])
