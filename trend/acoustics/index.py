"""Which sounds have landmarks of the same shapes: an index that grows while it is asked.

A bucket holds the landmarks of one shape whose anchors lie in the same half of an octave. It is a
chain of blocks, each about half as large as all before it, so that rare shapes take little room and
the many landmarks of common ones lie together. What a bucket holds does not depend on the order in
which sounds came and went, but for its own order.

Nothing is taken out of a bucket by itself: the landmarks of sounds that are let go, or of which
fewer are kept, are swept out together, and their blocks are used again.
"""

import mmap
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from trend.acoustics.landmarks import DENSE, SHAPES, Landmarks
from trend.acoustics.peaks import FRAME, LEAST_PITCH, MOST_PITCH, OCTAVE
from trend.compiled import inlined, kernel
from trend.tables import zeros

HALF: Final = OCTAVE // 2
FIRST_PITCH: Final = LEAST_PITCH // HALF
PITCHES: Final = MOST_PITCH // HALF - FIRST_PITCH + 1
"""Halves of an octave that anchors lie in, and the first of them."""
BUCKETS: Final = (SHAPES // DENSE + 1) * PITCHES
FINE: Final = 8
"""Pitch and span of a landmark in the index are in 128ths of an octave."""
MAX_SOUNDS: Final = 1 << 24
MAX_FRAMES: Final = 1 << 16

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]

_LARGE: Final = 64 << 20
_SIZE: Final = (1 << 24) - 1
_BLOCKS: Final = (4, 4, 8, 8, 16, 16, 32, 32)
_WORDS: Final = 64
"""Words of a bucket's first blocks, and of all others: the block before, and landmarks."""
_UPTO: Final = np.cumsum(np.array(_BLOCKS) - 1)
_MANY: Final = int(_UPTO[-1])
_CLASSES: Final = 5
"""Sizes of blocks: 4, 8, 16, 32, 64."""
_FREE: Final = 1 + _CLASSES


def _places() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """By a bucket's size up to `_MANY`: landmarks in its last block, and words of that block."""
    last = np.zeros(_MANY + 1, np.int64)
    words = np.zeros(_MANY + 1, np.int64)
    begin = 0
    for block, end in zip(_BLOCKS, _UPTO, strict=True):
        last[begin + 1 : end + 1] = np.arange(1, end - begin + 1)
        words[begin + 1 : end + 1] = block
        begin = end
    return last, words


_LAST, _LAST_WORDS = _places()


class Buckets(NamedTuple):
    """Attributes:
    heads: int64[BUCKETS], the newest block in the upper 40 bits, the size in the lower 24.
    words: uint64[n]; the first is never used.
    used: int64[1 + classes + 1], words that are taken; the first free block of each class; words
        of free blocks.
    """

    heads: I64
    words: U64
    used: I64


def empty(words: int = 1024) -> Buckets:
    """Return buckets with nothing in them, and room for some words."""
    used = np.zeros(_FREE + 1, np.int64)
    used[0] = 4
    return Buckets(zeros(BUCKETS, np.int64), _words(words), used)


def _words(count: int) -> U64:
    """Return empty words; many of them in large pages of memory, for queries read all over them."""
    size = count * 8
    if size < _LARGE:
        return np.zeros(count, np.uint64)
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        block.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(block, np.uint64)


def _moved(words: U64, count: int) -> U64:
    """Return the words in more room; their old memory goes bit by bit, so that it is not double."""
    grown = _words(count)
    step = _LARGE // 8
    for begin in range(0, words.size, step):
        part = words[begin : begin + step]
        grown[begin : begin + part.size] = part
        block = getattr(words.base, "obj", None)
        if isinstance(block, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            block.madvise(mmap.MADV_DONTNEED, 8 * begin, part.nbytes)
    return grown


def add(buckets: Buckets, sound: int, marks: Landmarks) -> Buckets:
    """Return the buckets with the landmarks of a sound in them: the same, or larger ones.

    Those that are given are of no use afterwards.

    Raises ValueError where `sound` is not in [0, MAX_SOUNDS).
    """
    if not 0 <= sound < MAX_SOUNDS:
        raise ValueError(f"sound: expected 0 to {MAX_SOUNDS - 1}, got {sound}")
    begin = 0
    while True:
        begin = _add(*buckets, sound, *marks, begin)
        if begin == marks.shape.size:
            return buckets
        more = _moved(buckets.words, buckets.words.size * 3 // 2 + 2 * _WORDS)
        buckets = buckets._replace(words=more)


def used_bytes(buckets: Buckets) -> int:
    """Return how much of the words is in use."""
    return int(buckets.used[0] - buckets.used[_FREE]) * 8


@inlined
def bucket_of(shape: int, high: int) -> int:
    """The bucket of a shape and of a pitch in halves of an octave."""
    return shape // DENSE * PITCHES + min(PITCHES - 1, max(0, high - FIRST_PITCH))


@inlined
def last_of(size: int) -> int:
    """How many landmarks there are in the last block of a bucket of a size above 0."""
    return _LAST[size] if size <= _MANY else (size - _MANY - 1) % (_WORDS - 1) + 1


@inlined
def _words_of(size: int) -> int:
    """How many words the last block of a bucket of a size above 0 has."""
    return _LAST_WORDS[size] if size <= _MANY else _WORDS


@kernel
def _add(
    heads: I64,
    words: U64,
    used: I64,
    sound: int,
    shape: I32,
    time: I32,
    pitch: I32,
    span: I32,
    begin: int,
) -> int:
    """Add landmarks from one on; returns which is the first for which there is no room."""
    for i in range(begin, shape.size):
        if used[0] + _WORDS > words.size:
            return i
        if time[i] // FRAME < MAX_FRAMES:
            bucket = bucket_of(shape[i], pitch[i] // HALF)
            _append(heads, words, used, bucket, entry(sound, time[i], pitch[i], span[i]))
    return shape.size


@kernel
def _append(heads: I64, words: U64, used: I64, bucket: int, word: np.uint64) -> None:
    size = (heads[bucket] & _SIZE) + 1
    if size > _SIZE:
        return
    block = heads[bucket] >> 24
    place = last_of(size)
    if place == 1:
        before = 0
        if size > 1:
            # How many landmarks are in the block before is told with where it is.
            before = block << 8 | last_of(size - 1)
        block = _taken(words, used, _words_of(size))
        words[block] = np.uint64(before)
    words[block + place] = word
    heads[bucket] = block << 24 | size


@kernel
def _taken(words: U64, used: I64, count: int) -> int:
    """Take a block of so many words: a free one, a part of a larger free one, or a new one."""
    kind = _class(count)
    for larger in range(kind, _CLASSES):
        block = used[1 + larger]
        if block:
            used[1 + larger] = np.int64(words[block])
            used[_FREE] -= count
            for rest in range(kind, larger):
                half = block + (4 << rest)
                words[half] = np.uint64(used[1 + rest])
                used[1 + rest] = half
            return block
    block = used[0]
    used[0] += count
    return block


@inlined
def _class(count: int) -> int:
    return 0 if count == 4 else 1 if count == 8 else 2 if count == 16 else 3 if count == 32 else 4


@inlined
def entry(sound: int, time: int, pitch: int, span: int) -> np.uint64:
    """A landmark in one word: 24 bits of its sound, 16 of frames, 12 of pitch, 12 of span."""
    word = np.uint64(sound) << np.uint64(40)
    word |= np.uint64(time // FRAME) << np.uint64(24)
    word |= np.uint64(pitch // FINE) << np.uint64(12)
    return word | np.uint64(span // FINE)


def sweep(buckets: Buckets, every: I32) -> None:
    """Take out landmarks of some sounds, in place.

    Args:
        every: int32[sounds], every how many-eth shape of a sound is kept; 0 keeps none.
    """
    _sweep(*buckets, every, np.empty(_largest(buckets.heads), np.uint64))


@kernel
def _largest(heads: I64) -> int:
    most = 0
    for bucket in range(heads.size):
        most = max(most, heads[bucket] & _SIZE)
    return most


@kernel
def _sweep(heads: I64, words: U64, used: I64, every: I32, kept: U64) -> None:
    for bucket in range(heads.size):
        size = heads[bucket] & _SIZE
        if not size:
            continue
        shape = bucket // PITCHES * DENSE
        block = np.int64(heads[bucket] >> 24)
        here = np.int64(last_of(size))
        count = 0
        left = size
        while block:
            for place in range(here, 0, -1):
                word = words[block + place]
                step = every[np.int64(word >> np.uint64(40))]
                if step and shape % step == 0:
                    kept[count] = word
                    count += 1
            before = np.int64(words[block])
            long = _words_of(left)
            left -= here
            kind = _class(long)
            words[block] = np.uint64(used[1 + kind])
            used[1 + kind] = block
            used[_FREE] += long
            block = np.int64(before >> 8)
            here = before & 0xFF
        heads[bucket] = 0
        for k in range(count - 1, -1, -1):
            _append(heads, words, used, bucket, kept[k])
