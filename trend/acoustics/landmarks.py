"""Landmarks: three peaks each, told alike whatever the tempo and the pitch they are played at.

A peak (the anchor) and two later ones within an octave: how far the two lie above or below the
anchor and when the first of them comes between the anchor and the second stay the same when a
sound is played faster, higher, or both. They are a landmark's shape. Pitches of peaks are told far
more exactly than times, so the intervals are in 171sts of an octave and the moment in 16ths. The
anchor's pitch and the time the three span tell, beside those of a known sound with the same shape,
by how much it was changed.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from trend.acoustics.peaks import FRAME, OCTAVE, Peaks
from trend.compiled import inlined, kernel

STEP: Final = 6
"""Of an interval in a shape, in 1024ths of an octave."""
INTERVALS: Final = 2 * (OCTAVE // STEP) + 3
MOMENTS: Final = 16
"""Steps of the span in a shape."""
SHAPES: Final = INTERVALS**2 * (MOMENTS + 1)
FAN: Final = 6
"""Later peaks that a peak is joined with."""
DENSE: Final = 2
THIN: Final = 32
"""Every how many-eth shape is kept of a sound in use, and of one that is hardly used."""

_NEAREST: Final = 4 * FRAME
_APART: Final = 3 * FRAME
_SHORTEST: Final = 12 * FRAME
_FARTHEST: Final = 110 * FRAME
_LEAST_INTERVAL: Final = OCTAVE * 3 // 100

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]


class Landmarks(NamedTuple):
    """Landmarks of a sound in the order of their anchors.

    Attributes:
        shape: int32[n], in [0, SHAPES).
        time: int32[n], of the anchor, in eighths of a frame.
        pitch: int32[n], of the anchor, in 1024ths of an octave.
        span: int32[n], from the anchor to the last peak: log2 of it in 1024ths.
    """

    shape: I32
    time: I32
    pitch: I32
    span: I32


def bits(wanted: npt.NDArray[np.bool_]) -> U8:
    """Return the shapes that are wanted, a bit each: `wanted` is bool[SHAPES]."""
    return np.packbits(wanted, bitorder="little")


_ALL: Final = np.ones(0, np.uint8)
_SPANS: Final = np.round(np.log2(np.maximum(1, np.arange(_FARTHEST + 1))) * OCTAVE).astype(np.int32)


def landmarks(peaks: Peaks, every: int = DENSE, but: int = 0, asked: U8 | None = None) -> Landmarks:
    """Return the landmarks of `peaks` whose shapes are multiples of `every`, but not of `but`.

    Neighbouring shapes differ by one in each of their parts and so in the rest of the division:
    what is kept is spread evenly over all shapes, and is the same in a query.

    Args:
        every: a power of two.
        but: a larger one, or 0 for none.
        asked: `bits` of the shapes that are wanted, where that is not all.
    """
    return _made(peaks, every, but, _ALL if asked is None else asked, around=False)


def landmarks_around(peaks: Peaks, every: int) -> Landmarks:
    """Return the landmarks of `peaks`, and with each those of the shapes that it nearly has.

    There are eight of each: for few are multiples of `every`, and a query is to find those few
    though its peaks lie a little elsewhere.
    """
    return _made(peaks, every, 0, _ALL, around=True)


def _made(peaks: Peaks, every: int, but: int, asked: U8, *, around: bool) -> Landmarks:
    room = peaks.time.size * (FAN * (FAN - 1) // 2) // every * (16 if around else 2) + 1024
    near = np.empty((FAN, 3), np.int64)
    while True:
        found = Landmarks(*(np.empty(room, np.int32) for _ in range(4)))
        count = _landmarks(peaks.time, peaks.pitch, every, but, asked, around, near, _SPANS, *found)
        if count <= room:
            return Landmarks(*(column[:count] for column in found))
        room = count


@kernel
def _landmarks(
    time: I32,
    pitch: I32,
    every: int,
    but: int,
    asked: U8,
    around: bool,
    near: I64,
    spans: I32,
    shape: I32,
    at: I32,
    height: I32,
    span: I32,
) -> int:
    found = 0
    mask = every - 1
    unless = but - 1
    for i in range(time.size):
        count = _later(time, pitch, i, near)
        for v in range(1, count):
            whole = near[v, 0]
            if whole < _SHORTEST:
                continue
            moments = MOMENTS / whole
            for u in range(v):
                first = near[u, 0]
                if whole - first < _APART:
                    break
                moment = first * moments
                kind = _shape(near[u, 1], near[v, 1], int(moment + 0.5))
                if asked.size and not asked[kind >> 3] >> (kind & 7) & 1:
                    continue
                for other in range(8 if around else 1):
                    if other:
                        kind = _other(near[u], near[v], moment, other)
                    if kind & mask or (but and not kind & unless):
                        continue
                    if found < shape.size:
                        shape[found] = kind
                        at[found] = time[i]
                        height[found] = pitch[i]
                        span[found] = spans[whole]
                    found += 1
    return found


@inlined
def _later(time: I32, pitch: I32, i: int, near: I64) -> int:
    """The peaks that one is joined with: how much later, and the interval and its neighbour."""
    count = 0
    for j in range(i + 1, time.size):
        later = time[j] - time[i]
        if later > _FARTHEST or count == FAN:
            break
        interval = pitch[j] - pitch[i]
        if later >= _NEAREST and _LEAST_INTERVAL < abs(interval) < OCTAVE:
            near[count, 0] = later
            near[count, 1] = _step(interval)
            near[count, 2] = _step(interval + STEP // 2)
            if near[count, 2] == near[count, 1]:
                near[count, 2] = _step(interval - STEP // 2)
            count += 1
    return count


@inlined
def _other(first: I64, last: I64, moment: float, other: int) -> int:
    """The shape of which those parts are the neighbour that is told by a bit."""
    here = int(moment + 0.5)
    if other & 4:
        here = int(moment + 1.0) if moment >= here else int(moment)
    return _shape(first[1 + (other & 1)], last[1 + (other >> 1 & 1)], here)


@inlined
def _shape(one: int, two: int, moment: int) -> int:
    return (one * INTERVALS + two) * (MOMENTS + 1) + moment


@inlined
def _step(interval: int) -> int:
    """The interval in steps, rounded, from 0 on."""
    return (2 * interval + 2 * OCTAVE + STEP) // (2 * STEP)
