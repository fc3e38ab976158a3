"""Which known sounds may be heard, and how they were changed: landmarks vote.

Each landmark of a query that has the shape of a known one says: this sound, at this tempo and this
pitch, and the query begins here in it. Votes are counted roughly first, in a table of one byte for
each (sound, tempo, pitch, beginning) by hash; of the sounds with the fullest cells they are then
averaged. Only changes of speed (tempo and pitch together, as of a record), of tempo alone and of
pitch alone are believed, which is what people do to sounds; others would be chance.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from trend.acoustics.index import FINE, FIRST_PITCH, HALF, PITCHES, Buckets, bucket_of, last_of
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
LEAST: Final = 2
"""Votes of one kind that a proposal has at least."""

_CELL: Final = 8
_STRETCH: Final = 64 * FRAME
_COUNTERS: Final = 1 << 22
_LOOKS: Final = 1 << 18
_CHAINS: Final = 32
_AHEAD: Final = 16
_SIZE: Final = (1 << 24) - 1
_NEAR: Final = 10
_NEAR_FRAMES: Final = 48 * FRAME
_APART: Final = 4
_RATIOS: Final = 2.0 ** (np.arange(-REACH, REACH + 1) / 128)

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
    spread: I64
    out: F64


def scratch(most: int) -> Scratch:
    """Return room for queries that look at up to `most` landmarks of the index."""
    return Scratch(
        counters=zeros(_COUNTERS, np.uint8),
        words=np.empty(most, np.uint64),
        marks=np.empty(most, np.int32),
        cells=np.empty(most, np.int32),
        looks=np.empty(_LOOKS, np.int64),
        sizes=np.empty(64, np.int64),
        chains=np.empty((_CHAINS, 3), np.int64),
        kept=np.empty(most, np.int64),
        spread=np.empty((2, 2 * _NEAR + 1), np.int64),
        out=np.empty(4, np.float64),
    )


def propose(buckets: Buckets, marks: Landmarks, room: Scratch, most: int) -> Proposals:
    """Return which sounds the landmarks of a query propose, at most `MOST`.

    Buckets are looked at from the smallest on, until they have had `most` landmarks. What is
    proposed does not depend on the order in a bucket.
    """
    n, limit = _look(buckets.heads, marks.shape, marks.pitch, room.looks, room.sizes, most)
    rest = marks.time, marks.pitch, marks.span
    hits = _gather(
        buckets.heads,
        buckets.words,
        marks.pitch,
        marks.span,
        room.words,
        room.marks,
        room.looks,
        room.chains,
        n,
        limit,
    )
    _count(room.words, room.marks, *rest, room.counters, room.cells, hits)
    sounds, votes, best = (np.zeros(MOST, np.int64) for _ in range(3))
    _best(room.counters, room.words, room.cells, hits, sounds, votes, best)
    chosen = np.flatnonzero(votes >= LEAST)
    count = _of_sounds(room.counters, room.words, room.cells, hits, sounds[chosen], room.kept)
    found = []
    for k in chosen:
        _mean(
            room.words,
            room.marks,
            room.cells,
            *rest,
            room.kept,
            count,
            int(sounds[k]),
            int(best[k]),
            room.spread,
            room.out,
        )
        n, tempo, pitch, begin = room.out.tolist()
        found.append((int(sounds[k]), int(n), tempo / 128, pitch / 128, begin / FRAME))
    found.sort(key=lambda one: (-one[1], one[0]))
    columns = np.array(found, np.float64).reshape(-1, 5).T
    return Proposals(columns[0].astype(np.int64), columns[1].astype(np.int64), *columns[2:])


@kernel
def _look(heads: I64, shape: I32, pitch: I32, looks: I64, sizes: I64, most: int) -> tuple[int, int]:
    """Note the buckets to look at (with the landmark they are for), and up to which size."""
    reach = REACH * FINE
    n = 0
    for i in range(shape.size):
        low = max(FIRST_PITCH, (pitch[i] - reach) // HALF)
        top = min(FIRST_PITCH + PITCHES - 1, (pitch[i] + reach) // HALF)
        for high in range(low, top + 1):
            if n < looks.size:
                bucket = bucket_of(shape[i], high)
                prefetch(heads, bucket)
                looks[n] = bucket << 24 | i
                n += 1
    sizes[:] = 0
    for k in range(n):
        size = heads[looks[k] >> 24] & _SIZE
        if size:
            sizes[int(2.0 * np.log2(size))] += size
    room = most
    for k in range(sizes.size):
        room -= sizes[k]
        if room < 0:
            return n, int(2.0 ** (0.5 * k))
    return n, 1 << 32


@kernel
def _gather(
    heads: I64,
    words: U64,
    pitch: I32,
    span: I32,
    found: U64,
    marks: I32,
    looks: I64,
    chains: I64,
    n: int,
    limit: int,
) -> int:
    """Keep the landmarks of the buckets that say what is believed; returns how many.

    A chain's next block is known only when the one before it has come from memory, so many chains
    are followed in turns.
    """
    hits = 0
    for begin in range(0, n, chains.shape[0]):
        open_chains = 0
        for k in range(begin, min(n, begin + chains.shape[0])):
            head = heads[looks[k] >> 24]
            size = head & _SIZE
            if 0 < size < limit:
                prefetch(words, head >> 24)
                chains[open_chains, 0] = head >> 24
                chains[open_chains, 1] = last_of(size)
                chains[open_chains, 2] = looks[k] & 0xFFFFFF
                open_chains += 1
        while open_chains:
            left = 0
            for c in range(open_chains):
                block = chains[c, 0]
                i = chains[c, 2]
                before = np.int64(words[block])
                if before:
                    prefetch(words, before >> 8)
                high = pitch[i] // FINE
                long = span[i] // FINE
                for place in range(block + 1, block + chains[c, 1] + 1):
                    word = words[place]
                    tempo = np.int64(word & np.uint64(0xFFF)) - long
                    height = np.int64((word >> np.uint64(12)) & np.uint64(0xFFF)) - high
                    found[hits] = word
                    marks[hits] = i
                    hits += _believed(tempo, height)
                if before:
                    chains[left, 0] = before >> 8
                    chains[left, 1] = before & 0xFF
                    chains[left, 2] = i
                    left += 1
            open_chains = left
    return hits


@inlined
def _believed(tempo: np.int64, height: np.int64) -> int:
    some = (abs(tempo + height) <= BAND) | (abs(tempo) <= BAND) | (abs(height) <= BAND)
    return int(some & (abs(tempo) <= REACH) & (abs(height) <= REACH))


@inlined
def _change(word: np.uint64, pitch: int, span: int) -> tuple[np.int64, np.int64]:
    """What a landmark and a known one say of tempo and pitch, in 128ths of an octave."""
    tempo = np.int64(word & np.uint64(0xFFF)) - span // FINE
    height = np.int64((word >> np.uint64(12)) & np.uint64(0xFFF)) - pitch // FINE
    return tempo, height


@inlined
def _begin(word: np.uint64, tempo: np.int64, time: int) -> np.int64:
    """Where in the known sound the query begins, in eighths of a frame."""
    known = np.int64((word >> np.uint64(24)) & np.uint64(0xFFFF)) * FRAME + FRAME // 2
    return known - np.int64(_RATIOS[tempo + REACH] * time)


@kernel
def _count(
    words: U64, marks: I32, time: I32, pitch: I32, span: I32, counters: U8, cells: I32, hits: int
) -> None:
    """Count the votes in their cells."""
    for h in range(hits):
        i = marks[h]
        tempo, height = _change(words[h], pitch[i], span[i])
        key = (words[h] >> np.uint64(40)) << np.uint64(22)
        key |= np.uint64((tempo + REACH) // _CELL) << np.uint64(17)
        key |= np.uint64((height + REACH) // _CELL) << np.uint64(12)
        place = (_begin(words[h], tempo, time[i]) + (1 << 20)) // _STRETCH
        key |= np.uint64(place) & np.uint64(0xFFF)
        cells[h] = np.int32(mix64(key) & np.uint64(_COUNTERS - 1))
        prefetch(counters, cells[h])
        if h >= _AHEAD:
            _up(counters, cells[h - _AHEAD])
    for h in range(max(0, hits - _AHEAD), hits):
        _up(counters, cells[h])


@inlined
def _up(counters: U8, cell: int) -> None:
    counters[cell] += counters[cell] < 255


@kernel
def _best(
    counters: U8, words: U64, cells: I32, hits: int, sounds: I64, votes: I64, best: I64
) -> None:
    """Keep the sounds with the fullest cells, and which cell of each that is.

    Of equal ones those with the smaller numbers, so that the order of the votes does not matter.
    """
    least = LEAST
    for h in range(hits):
        here = np.int64(counters[cells[h]])
        if here < least:
            continue
        sound = np.int64(words[h] >> np.uint64(40))
        at = -1
        weakest = 0
        for k in range(votes.size):
            if votes[k] and sounds[k] == sound:
                at = k
            if votes[k] < votes[weakest] or (
                votes[k] == votes[weakest] and sounds[k] > sounds[weakest]
            ):
                weakest = k
        if at < 0:
            at = weakest
            if here < votes[at] or (here == votes[at] and sound > sounds[at]):
                continue
            votes[at] = 0
            sounds[at] = sound
        if here > votes[at] or (here == votes[at] and cells[h] < best[at]):
            votes[at] = here
            best[at] = cells[h]
            least = 255
            for k in range(votes.size):
                least = min(least, votes[k])
            least = max(LEAST, least)


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
            if np.uint64(sounds[k]) == sound:
                kept[count] = h
                count += 1
                break
    return count


@kernel
def _mean(
    words: U64,
    marks: I32,
    cells: I32,
    time: I32,
    pitch: I32,
    span: I32,
    kept: I64,
    count: int,
    sound: int,
    cell: int,
    spread: I64,
    out: F64,
) -> None:
    """The votes near those of a cell, and their mean; those far from the median are left out."""
    seed = -1
    for j in range(count):
        h = kept[j]
        if (
            np.int64(words[h] >> np.uint64(40)) == sound
            and cells[h] == cell
            and (
                seed < 0
                or words[h] < words[seed]
                or (words[h] == words[seed] and marks[h] < marks[seed])
            )
        ):
            seed = h
    first = marks[seed]
    tempo, height = _change(words[seed], pitch[first], span[first])
    begin = _begin(words[seed], tempo, time[first])
    spread[:] = 0
    n = 0
    for j in range(count):
        h = kept[j]
        if np.int64(words[h] >> np.uint64(40)) != sound:
            continue
        i = marks[h]
        t, p = _change(words[h], pitch[i], span[i])
        near = abs(t - tempo) <= _NEAR and abs(p - height) <= _NEAR
        if near and abs(_begin(words[h], t, time[i]) - begin) <= _NEAR_FRAMES:
            spread[0, t - tempo + _NEAR] += 1
            spread[1, p - height + _NEAR] += 1
            n += 1
    middle_t = _median(spread[0], n) + tempo - _NEAR
    middle_p = _median(spread[1], n) + height - _NEAR
    told = 0
    sum_t = np.int64(0)
    sum_p = np.int64(0)
    sum_b = np.int64(0)
    for j in range(count):
        h = kept[j]
        if np.int64(words[h] >> np.uint64(40)) != sound:
            continue
        i = marks[h]
        t, p = _change(words[h], pitch[i], span[i])
        b = _begin(words[h], t, time[i])
        if abs(t - middle_t) > _APART or abs(p - middle_p) > _APART:
            continue
        if abs(t - tempo) <= _NEAR and abs(p - height) <= _NEAR and abs(b - begin) <= _NEAR_FRAMES:
            told += 1
            sum_t += t
            sum_p += p
            sum_b += b
    out[0] = n
    if told:
        out[1] = sum_t / told
        out[2] = sum_p / told
        out[3] = sum_b / told
    else:
        out[1] = tempo
        out[2] = height
        out[3] = begin


@inlined
def _median(counts: I64, n: int) -> int:
    below = 0
    middle = 0
    for k in range(counts.size):
        below += counts[k]
        if 2 * below > n:
            middle = k
            break
    return middle
