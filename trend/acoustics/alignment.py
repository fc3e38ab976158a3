"""How well the peaks of a query lie on those of a known sound.

A proposal says at which tempo, pitch and place. The query's peaks are moved there and each looks
for a known peak nearby; a line through those pairs says tempo and place more exactly, and so on
with narrower bounds. Beside what remains is told how many pairs chance would make. Songs have
beats and keys, so that many peaks of two of the same tempo lie on each other anyway: chance keeps
the times of the known peaks and how often each pitch is there, and only which is when is lost.
"""

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.acoustics.peaks import FRAME, OCTAVE, Peaks

_FRAMES: Final = np.array([5.0, 2.5, 1.5, 0.75])
_OCTAVES: Final = np.array([0.035, 0.025, 0.02, 0.01])
"""How far a pair may be apart, step by step."""
_DRIFT: Final = 0.04
_FEWEST: Final = 4
_PITCHES: Final = 10 * OCTAVE

I32 = npt.NDArray[np.int32]
F64 = npt.NDArray[np.float64]


class Alignment(NamedTuple):
    """Attributes:
    pairs: peaks of the query that have a known one.
    chance: how many would have one by chance.
    tempo: known time over heard time; above 1 was sped up.
    pitch: octaves from the heard pitch to the known one.
    begin: frames from the known sound's beginning to the query's.
    """

    pairs: int
    chance: float
    tempo: float
    pitch: float
    begin: float


def align(query: Peaks, known: Peaks, tempo: float, pitch: float, begin: float) -> Alignment:
    """Return how the query lies on a known sound; the arguments are those of a proposal."""
    if query.time.size == 0 or known.time.size == 0:
        return Alignment(0, 0.0, 2.0**tempo, pitch, begin)
    out = np.empty(5)
    _align(query.time, query.pitch, known.time, known.pitch, 2.0**tempo, pitch, begin, out)
    return Alignment(int(out[0]), *(float(value) for value in out[1:]))


@njit(cache=True, nogil=True)
def _align(
    time: I32,
    pitch: I32,
    known_time: I32,
    known_pitch: I32,
    proposed: float,
    octaves: float,
    begin: float,
    out: F64,
) -> None:
    slope = proposed
    start = begin * FRAME
    shift = octaves * OCTAVE
    heard = np.empty(time.size)
    known = np.empty(time.size)
    pairs = 0
    chance = 0.0
    for step in range(_FRAMES.size):
        wide = _FRAMES[step] * FRAME
        high = _OCTAVES[step] * OCTAVE
        pairs = 0
        first = 0
        shifts = 0.0
        for i in range(time.size):
            t = slope * time[i] + start
            p = pitch[i] + shift
            while first < known_time.size and known_time[first] < t - wide:
                first += 1
            best = 2.0
            partner = -1
            j = first
            while j < known_time.size and known_time[j] <= t + wide:
                away = (known_pitch[j] - p) / high
                if abs(away) <= 1.0:
                    late = (known_time[j] - t) / wide
                    distance = away * away + late * late
                    if distance < best:
                        best = distance
                        partner = j
                j += 1
            if partner >= 0:
                heard[pairs] = time[i]
                known[pairs] = known_time[partner]
                shifts += known_pitch[partner] - pitch[i]
                pairs += 1
        if pairs < _FEWEST:
            break
        if step + 1 < _FRAMES.size:
            slope, start = _line(heard[:pairs], known[:pairs], slope, proposed)
            shift = shifts / pairs
        else:
            chance = _chance(time, pitch, known_time, known_pitch, slope, start, shift, wide, high)
    out[0] = pairs
    out[1] = chance
    out[2] = slope
    out[3] = shift / OCTAVE
    out[4] = start / FRAME


@njit(cache=True, nogil=True)
def _line(heard: F64, known: F64, slope: float, proposed: float) -> tuple[float, float]:
    """Least squares; the slope stays where it was if it leaves the proposed one."""
    x, y = heard.mean(), known.mean()
    spread = ((heard - x) ** 2).sum()
    if spread > 0.0:
        fitted = ((heard - x) * (known - y)).sum() / spread
        if abs(fitted / proposed - 1.0) < _DRIFT:
            slope = fitted
    return slope, y - slope * x


@njit(cache=True, nogil=True)
def _chance(
    time: I32,
    pitch: I32,
    known_time: I32,
    known_pitch: I32,
    slope: float,
    start: float,
    shift: float,
    wide: float,
    high: float,
) -> float:
    """Pairs that there would be if the known peaks had their times and pitches independently."""
    upto = np.zeros(_PITCHES + 1, np.int64)
    for p in known_pitch:
        upto[min(_PITCHES, max(0, p) + 1)] += 1
    upto = np.cumsum(upto)
    pairs = 0.0
    first = 0
    last = 0
    for i in range(time.size):
        t = slope * time[i] + start
        while first < known_time.size and known_time[first] < t - wide:
            first += 1
        while last < known_time.size and known_time[last] <= t + wide:
            last += 1
        low = min(_PITCHES, max(0, math.ceil(pitch[i] + shift - high)))
        top = min(_PITCHES, max(0, math.floor(pitch[i] + shift + high) + 1))
        alike = (upto[top] - upto[low]) / known_pitch.size
        pairs += min(1.0, (last - first) * alike)
    return pairs
