"""Landmarks: three peaks each, told alike whatever the tempo and the pitch they are played at.

A peak (the anchor) and two later ones within an octave: how far the two lie above or below the
anchor (in 36ths of an octave) and when the first of them comes between the anchor and the second
(in 32nds) stay the same when a sound is played faster, higher, or both. They are a landmark's
shape. The anchor's pitch and the time the three span tell, beside those of a known sound with the
same shape, by how much it was changed.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.acoustics.peaks import FRAME, OCTAVE, Peaks

INTERVALS: Final = 36
"""Steps of an octave in a shape."""
MOMENTS: Final = 32
"""Steps of the span in a shape."""
SHAPES: Final = (2 * INTERVALS + 1) ** 2 * (MOMENTS + 1)
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


def landmarks(peaks: Peaks, every: int = DENSE, but: int = 0) -> Landmarks:
    """Return the landmarks of `peaks` whose shapes are multiples of `every`, but not of `but`.

    Neighbouring shapes differ by one in each of their parts and so in the rest of the division:
    what is kept is spread evenly over all shapes, and is the same in a query.
    """
    room = peaks.time.size * (FAN * (FAN - 1) // 2) // every * 2 + 1024
    while True:
        found = Landmarks(*(np.empty(room, np.int32) for _ in range(4)))
        count = _landmarks(peaks.time, peaks.pitch, every, but, *found)
        if count <= room:
            return Landmarks(*(column[:count] for column in found))
        room = count


@njit(cache=True, nogil=True)
def _landmarks(
    time: I32, pitch: I32, every: int, but: int, shape: I32, at: I32, height: I32, span: I32
) -> int:
    near = np.empty(FAN, np.int64)
    found = 0
    for i in range(time.size):
        count = 0
        for j in range(i + 1, time.size):
            later = time[j] - time[i]
            if later > _FARTHEST or count == FAN:
                break
            interval = abs(pitch[j] - pitch[i])
            if later >= _NEAREST and _LEAST_INTERVAL < interval < OCTAVE:
                near[count] = j
                count += 1
        for u in range(count):
            first = time[near[u]] - time[i]
            one = _step(pitch[near[u]] - pitch[i])
            for v in range(u + 1, count):
                whole = time[near[v]] - time[i]
                if whole < _SHORTEST or whole - first < _APART:
                    continue
                two = _step(pitch[near[v]] - pitch[i])
                moment = (2 * first * MOMENTS + whole) // (2 * whole)
                kind = (one * (2 * INTERVALS + 1) + two) * (MOMENTS + 1) + moment
                if kind % every or (but and kind % but == 0):
                    continue
                if found < shape.size:
                    shape[found] = kind
                    at[found] = time[i]
                    height[found] = pitch[i]
                    span[found] = round(np.log2(whole) * OCTAVE)
                found += 1
    return found


@njit(cache=True, nogil=True)
def _step(interval: int) -> int:
    """The interval in steps, rounded, from 0 on."""
    return (2 * interval * INTERVALS + OCTAVE) // (2 * OCTAVE) + INTERVALS
