"""Which known sounds may be heard, and how they were changed: landmarks vote.

Each landmark of a query that has the shape of a known one says: this sound, at this tempo and this
pitch, and the query begins here in it. Votes are counted roughly first, in a table of one byte for
each (sound, tempo, pitch, beginning) by hash; of the sounds with the fullest cells they are then
averaged. Only changes of speed (tempo and pitch together, as of a record), of tempo alone and of
pitch alone are believed, which is what people do to sounds; others would be chance.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from trend.acoustics.index import (
    FINE,
    FIRST_PITCH,
    FIRST_SPAN,
    PAGE,
    PITCHES,
    QUARTER,
    SPANS,
    Buckets,
    bucket_of,
)
from trend.acoustics.landmarks import Landmarks
from trend.acoustics.peaks import FRAME
from trend.compiled import inlined, kernel, prefetch
from trend.hashing import mix64
from trend.tables import zeros

REACH: Final = 58
"""Greatest change of tempo and of pitch, in 128ths of an octave: 0.73 to 1.37."""
BAND: Final = 6
"""How far a change may be from one of speed, of tempo or of pitch alone."""
MOST: Final = 24
"""Proposals a query."""

_CELL: Final = 8
_STRETCH: Final = 64
_COUNTERS: Final = 1 << 22
_LOOKS: Final = 1 << 18
_KEPT: Final = 1 << 15
_CHAINS: Final = 32
_NEAR: Final = 10
_NEAR_FRAMES: Final = 48.0
_APART: Final = 4
_RATIOS: Final = 2.0 ** (np.arange(-REACH, REACH + 1) / 128)

Array = npt.NDArray[Any]
I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]
F64 = npt.NDArray[np.float64]


class Proposals(NamedTuple):
    """Attributes, the ones with most votes first:
    sound: int64[n].
    votes: int64[n].
    tempo: float64[n], log2 of known time over heard time: above 0 was sped up.
    pitch: float64[n], octaves from the heard pitch to the known one.
    begin: float64[n], frames from the known sound's beginning to the query's.
    """

    sound: I64
    votes: I64
    tempo: F64
    pitch: F64
    begin: F64


class Scratch(NamedTuple):
    """What a query works on; made once for many queries, not for two at a time."""

    counters: U8
    words: U64
    marks: I32
    cells: I32
    looks: I64
    sizes: I64
    chains: I64
    kept: I64
    near: F64


def scratch(budget: int) -> Scratch:
    """Return room for queries that count up to `budget` votes."""
    return Scratch(
        counters=zeros(_COUNTERS, np.uint8),
        words=np.empty(budget, np.uint64),
        marks=np.empty(budget, np.int32),
        cells=np.empty(budget, np.int32),
        looks=np.empty(_LOOKS, np.int64),
        sizes=np.empty(64, np.int64),
        chains=np.empty((_CHAINS, 3), np.int64),
        kept=np.empty(_KEPT, np.int64),
        near=np.empty((3, _KEPT)),
    )


def propose(buckets: Buckets, marks: Landmarks, room: Scratch, most: int) -> Proposals:
    """Return which sounds the landmarks of a query propose, at most `MOST`.

    Buckets are looked at from the smallest on, until they have had `most` landmarks.
    """
    sounds, votes, seeds = (np.zeros(MOST, np.int64) for _ in range(3))
    n, limit = _look(buckets.heads, *marks[0:1], *marks[2:], room.looks, room.sizes, most)
    hits = _count(
        buckets.heads,
        buckets.pages,
        *marks[1:],
        room.counters,
        room.words,
        room.marks,
        room.cells,
        room.looks,
        room.chains,
        n,
        limit,
    )
    _best(room.counters, room.words, room.cells, hits, sounds, votes, seeds)
    chosen = np.flatnonzero(votes)
    count = _of_sounds(room.counters, room.words, room.cells, hits, sounds[chosen], room.kept)
    found = [
        (int(sounds[k]), *_mean(marks, room, int(sounds[k]), count, int(seeds[k]))) for k in chosen
    ]
    found.sort(key=lambda one: (-one[1], one[0]))
    columns = np.array(found, np.float64).reshape(-1, 5).T
    return Proposals(columns[0].astype(np.int64), columns[1].astype(np.int64), *columns[2:])


@kernel
def _look(
    heads: I64, shape: I32, pitch: I32, span: I32, looks: I64, sizes: I64, most: int
) -> tuple[int, int]:
    """Note the buckets to look at (with the landmark they are for), and up to which size."""
    reach = REACH * FINE
    band = BAND * FINE
    n = 0
    for i in range(shape.size):
        for high in range((pitch[i] - reach) // QUARTER, (pitch[i] + reach) // QUARTER + 1):
            if not FIRST_PITCH <= high < FIRST_PITCH + PITCHES:
                continue
            low_pitch = high * QUARTER - pitch[i]
            for long in range((span[i] - reach) // QUARTER, (span[i] + reach) // QUARTER + 1):
                if not FIRST_SPAN <= long < FIRST_SPAN + SPANS:
                    continue
                low_span = long * QUARTER - span[i]
                speed = -band - 2 * QUARTER <= low_pitch + low_span <= band
                tempo = -band - QUARTER <= low_pitch <= band
                tone = -band - QUARTER <= low_span <= band
                if (speed or tempo or tone) and n < looks.size:
                    bucket = bucket_of(shape[i], high, long)
                    prefetch(heads, bucket)
                    looks[n] = bucket << 24 | i
                    n += 1
    sizes[:] = 0
    for k in range(n):
        size = heads[looks[k] >> 24] & 0xFFFFFFFF
        if size:
            sizes[int(2.0 * np.log2(size))] += size
    room = most
    for k in range(sizes.size):
        room -= sizes[k]
        if room < 0:
            return n, int(2.0 ** (0.5 * k))
    return n, 1 << 32


@kernel
def _count(
    heads: I64,
    pages: U64,
    time: I32,
    pitch: I32,
    span: I32,
    counters: U8,
    words: U64,
    marks: I32,
    cells: I32,
    looks: I64,
    chains: I64,
    n: int,
    limit: int,
) -> int:
    """Count the votes in their cells and keep them; returns how many.

    A chain's next page is known only when the one before it has come from memory, so many chains
    are followed in turns.
    """
    hits = 0
    for block in range(0, n, chains.shape[0]):
        open_chains = 0
        for k in range(block, min(n, block + chains.shape[0])):
            head = heads[looks[k] >> 24]
            size = head & 0xFFFFFFFF
            if 0 < size < limit:
                prefetch(pages, head >> 32)
                chains[open_chains, 0] = head >> 32
                chains[open_chains, 1] = (size - 1) % (PAGE - 1) + 1
                chains[open_chains, 2] = looks[k] & 0xFFFFFF
                open_chains += 1
        while open_chains:
            left = 0
            for c in range(open_chains):
                page = chains[c, 0]
                i = chains[c, 2]
                before = np.int64(pages[page, 0])
                if before:
                    prefetch(pages, before)
                for place in range(1, chains[c, 1] + 1):
                    word = pages[page, place]
                    tempo, height = _change(word, pitch[i], span[i])
                    if not _believed(tempo, height) or hits == words.size:
                        continue
                    cell = _cell(word, tempo, height, _begin(word, tempo, time[i]))
                    if counters[cell] < 255:
                        counters[cell] += 1
                    words[hits] = word
                    marks[hits] = i
                    cells[hits] = cell
                    hits += 1
                if before:
                    chains[left, 0] = before
                    chains[left, 1] = PAGE - 1
                    chains[left, 2] = i
                    left += 1
            open_chains = left
    return hits


@inlined
def _believed(tempo: np.int64, height: np.int64) -> bool:
    some = abs(tempo + height) <= BAND or abs(tempo) <= BAND or abs(height) <= BAND
    return bool(some and abs(tempo) <= REACH and abs(height) <= REACH)


@inlined
def _change(word: np.uint64, pitch: int, span: int) -> tuple[np.int64, np.int64]:
    """What a landmark and a known one say of tempo and pitch, in 128ths of an octave."""
    tempo = np.int64(word & np.uint64(0xFFF)) - span // FINE
    height = np.int64((word >> np.uint64(12)) & np.uint64(0xFFF)) - pitch // FINE
    return tempo, height


@inlined
def _begin(word: np.uint64, tempo: np.int64, time: int) -> float:
    """Where in the known sound the query begins, in frames."""
    known = np.float64((word >> np.uint64(24)) & np.uint64(0xFFFF)) + 0.5
    return known - _RATIOS[tempo + REACH] * time / FRAME


@inlined
def _cell(word: np.uint64, tempo: np.int64, height: np.int64, begin: float) -> np.uint64:
    key = (word >> np.uint64(40)) << np.uint64(22)
    key |= np.uint64((tempo + REACH) // _CELL) << np.uint64(17)
    key |= np.uint64((height + REACH) // _CELL) << np.uint64(12)
    key |= np.uint64(int(begin + 65536.0) // _STRETCH) & np.uint64(0xFFF)
    return mix64(key) & np.uint64(_COUNTERS - 1)


@kernel
def _best(
    counters: U8, words: U64, cells: I32, hits: int, sounds: I64, votes: I64, seeds: I64
) -> None:
    """Keep the sounds with the fullest cells, and a vote of each that is in that cell."""
    least = 1
    for h in range(hits):
        here = np.int64(counters[cells[h]])
        if here <= least:
            continue
        sound = np.int64(words[h] >> np.uint64(40))
        at = -1
        weakest = 0
        for k in range(votes.size):
            if votes[k] and sounds[k] == sound:
                at = k
            if votes[k] < votes[weakest]:
                weakest = k
        if at < 0:
            at = weakest
            votes[at] = 0
            sounds[at] = sound
        if here > votes[at]:
            votes[at] = here
            seeds[at] = h
            least = 255
            for k in range(votes.size):
                least = min(least, votes[k])
            least = max(1, least)


@kernel
def _of_sounds(counters: U8, words: U64, cells: I32, hits: int, sounds: I64, kept: I64) -> int:
    """Keep where the votes for these sounds are, and clear the cells."""
    bits = np.uint64(0)  # a quick look, right for all but a few others
    for k in range(sounds.size):
        bits |= np.uint64(1) << np.uint64(sounds[k] & 63)
    count = 0
    for h in range(hits):
        counters[cells[h]] = 0
        sound = words[h] >> np.uint64(40)
        if not (bits >> (sound & np.uint64(63))) & np.uint64(1):
            continue
        for k in range(sounds.size):
            if np.uint64(sounds[k]) == sound and count < kept.size:
                kept[count] = h
                count += 1
                break
    return count


def _mean(
    marks: Landmarks, room: Scratch, sound: int, count: int, seed: int
) -> tuple[int, float, float, float]:
    """The votes near one, and their mean after those far from the median are left out."""
    n = _near(room.words, room.marks, *marks[1:], room.kept, count, seed, room.near)
    near = room.near[:, :n]
    middle = np.sort(near[:2], axis=1)[:, n // 2]
    told = near[:, (np.abs(near[:2] - middle[:, None]) <= _APART).all(axis=0)]
    if told.shape[1] == 0:
        told = near
    tempo, pitch, begin = told.mean(axis=1)
    return n, float(tempo) / 128, float(pitch) / 128, float(begin)


@kernel
def _near(
    words: U64,
    marks: I32,
    time: I32,
    pitch: I32,
    span: I32,
    kept: I64,
    count: int,
    seed: int,
    near: F64,
) -> int:
    """Write tempo, pitch and beginning of the votes for the same sound that are near one."""
    first = marks[seed]
    tempo, height = _change(words[seed], pitch[first], span[first])
    begin = _begin(words[seed], tempo, time[first])
    n = 0
    for j in range(count):
        word = words[kept[j]]
        if word >> np.uint64(40) != words[seed] >> np.uint64(40):
            continue
        i = marks[kept[j]]
        t, p = _change(word, pitch[i], span[i])
        b = _begin(word, t, time[i])
        if abs(t - tempo) <= _NEAR and abs(p - height) <= _NEAR and abs(b - begin) <= _NEAR_FRAMES:
            near[0, n] = t
            near[1, n] = p
            near[2, n] = b
            n += 1
    return n
