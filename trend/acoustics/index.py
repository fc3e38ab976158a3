"""Which sounds have landmarks of the same shapes: an index that grows while it is asked.

A bucket holds the landmarks of one shape whose anchors lie in the same quarter of an octave and
whose spans are alike within a quarter of an octave. It is a chain of pages, so that rare shapes
take little room and common ones need none set aside; past `limit` a bucket takes no more, for a
shape that everything has says little.

Nothing is taken out of a bucket by itself: the landmarks of sounds that are let go, or of which
fewer are kept, are swept out together.
"""

import mmap
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from trend.acoustics.landmarks import DENSE, SHAPES, Landmarks
from trend.acoustics.peaks import FRAME, OCTAVE
from trend.compiled import kernel
from trend.tables import zeros

QUARTER: Final = OCTAVE // 4
FIRST_PITCH: Final = 14
PITCHES: Final = 25
FIRST_SPAN: Final = 26
SPANS: Final = 14
"""Quarters of an octave that anchors and spans lie in, and the first of them."""
BUCKETS: Final = (SHAPES // DENSE + 1) * PITCHES * SPANS
PAGE: Final = 8
"""Words of a page: the page before, and seven landmarks."""
FINE: Final = 8
"""Pitch and span of a landmark in the index are in 128ths of an octave."""

_LARGE: Final = 64 << 20

MAX_SOUNDS: Final = 1 << 24
MAX_FRAMES: Final = 1 << 16

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]


class Buckets(NamedTuple):
    """Attributes:
    heads: int64[BUCKETS], the newest page in the upper half, the size in the lower.
    pages: uint64[n, PAGE]; page 0 is never used.
    used: int64[1], pages that are taken.
    """

    heads: I64
    pages: U64
    used: I64


def empty(pages: int = 1024) -> Buckets:
    """Return buckets with nothing in them, and room for some pages."""
    return Buckets(zeros(BUCKETS, np.int64), _pages(pages), np.ones(1, np.int64))


def _pages(count: int) -> U64:
    """Return empty pages; many of them in large pages of memory, for queries read all over them."""
    size = count * PAGE * 8
    if size < _LARGE:
        return np.zeros((count, PAGE), np.uint64)
    block = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        block.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(block, np.uint64).reshape(count, PAGE)


def add(buckets: Buckets, sound: int, marks: Landmarks, limit: int) -> Buckets:
    """Return the buckets with the landmarks of a sound in them: the same, or larger ones.

    Raises ValueError where `sound` is not in [0, MAX_SOUNDS).
    """
    if not 0 <= sound < MAX_SOUNDS:
        raise ValueError(f"sound: expected 0 to {MAX_SOUNDS - 1}, got {sound}")
    need = int(buckets.used[0]) + marks.shape.size
    if need > buckets.pages.shape[0]:
        pages = _pages(max(need, buckets.pages.shape[0] * 3 // 2))
        pages[: buckets.pages.shape[0]] = buckets.pages
        buckets = buckets._replace(pages=pages)
    _add(*buckets, sound, *marks, limit)
    return buckets


def used_bytes(buckets: Buckets) -> int:
    """Return how much of the pages is in use."""
    return int(buckets.used[0]) * PAGE * 8


@kernel
def bucket_of(shape: int, pitch: int, span: int) -> int:
    """The bucket of a shape, of a pitch and of a span in quarters of an octave."""
    high = min(PITCHES - 1, max(0, pitch - FIRST_PITCH))
    long = min(SPANS - 1, max(0, span - FIRST_SPAN))
    return (shape // DENSE * PITCHES + high) * SPANS + long


@kernel
def _add(
    heads: I64,
    pages: U64,
    used: I64,
    sound: int,
    shape: I32,
    time: I32,
    pitch: I32,
    span: I32,
    limit: int,
) -> None:
    for i in range(shape.size):
        if time[i] // FRAME >= MAX_FRAMES:
            break
        bucket = bucket_of(shape[i], pitch[i] // QUARTER, span[i] // QUARTER)
        if heads[bucket] & 0xFFFFFFFF < limit:
            _append(heads, pages, used, bucket, entry(sound, time[i], pitch[i], span[i]))


@kernel
def _append(heads: I64, pages: U64, used: I64, bucket: int, word: np.uint64) -> None:
    head = heads[bucket]
    size = head & 0xFFFFFFFF
    page = head >> 32
    place = size % (PAGE - 1)
    if place == 0:
        pages[used[0], 0] = np.uint64(page)
        page = used[0]
        used[0] += 1
    pages[page, 1 + place] = word
    heads[bucket] = page << 32 | (size + 1)


@kernel
def entry(sound: int, time: int, pitch: int, span: int) -> np.uint64:
    """A landmark in one word: 24 bits of its sound, 16 of frames, 12 of pitch, 12 of span."""
    word = np.uint64(sound) << np.uint64(40)
    word |= np.uint64(time // FRAME) << np.uint64(24)
    word |= np.uint64(pitch // FINE) << np.uint64(12)
    return word | np.uint64(span // FINE)


def swept(buckets: Buckets, every: I32) -> Buckets:
    """Return the buckets with fewer landmarks of some sounds.

    Args:
        every: int32[sounds], every how many-eth shape of a sound is kept; 0 keeps none.
    """
    kept = Buckets(zeros(BUCKETS, np.int64), _pages(buckets.pages.shape[0]), np.ones(1, int))
    _sweep(buckets.heads, buckets.pages, *kept, every)
    return kept


@kernel
def _sweep(old: I64, old_pages: U64, heads: I64, pages: U64, used: I64, every: I32) -> None:
    for bucket in range(old.size):
        size = old[bucket] & 0xFFFFFFFF
        page = old[bucket] >> 32
        here = (size - 1) % (PAGE - 1) + 1
        shape = bucket // (PITCHES * SPANS) * DENSE
        while page:
            for place in range(here, 0, -1):
                word = old_pages[page, place]
                step = every[np.int64(word >> np.uint64(40))]
                if step and shape % step == 0:
                    _append(heads, pages, used, bucket, word)
            page = np.int64(old_pages[page, 0])
            here = PAGE - 1
