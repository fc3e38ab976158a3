"""Peaks in three bytes each, for as many sounds as memory has room for.

A word of 24 bits, the lowest byte first: 10 of time since the peak before and 14 of pitch. A gap
that is too long is told by words of the longest gap with a pitch of 0.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from trend.acoustics.peaks import MAX_TIME, Peaks
from trend.compiled import kernel

_GAP: Final = 1023

I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]


def squeeze(peaks: Peaks) -> bytes:
    """Return the peaks in bytes. Later than `MAX_SECONDS` are not in, as in `pack`."""
    count = int(np.searchsorted(peaks.time, MAX_TIME))
    gaps = int(peaks.time[count - 1]) // _GAP if count else 0
    out = np.empty(3 * (count + gaps), np.uint8)
    size = _squeeze(peaks.time[:count], peaks.pitch[:count], out)
    return out[:size].tobytes()


def stretch(data: bytes) -> Peaks:
    """Return the peaks that were squeezed.

    >>> stretch(squeeze(Peaks(np.array([4, 9000], np.int32), np.array([5000, 6000], np.int32))))
    Peaks(time=array([   4, 9000], dtype=int32), pitch=array([5000, 6000], dtype=int32))
    """
    room = len(data) // 3
    time, pitch = np.empty(room, np.int32), np.empty(room, np.int32)
    count = _stretch(np.frombuffer(data, np.uint8), time, pitch)
    return Peaks(time[:count], pitch[:count])


@kernel
def _squeeze(time: I32, pitch: I32, out: U8) -> int:
    at = 0
    now = 0
    for i in range(time.size):
        while time[i] - now >= _GAP:
            now += _GAP
            at = _put(out, at, _GAP << 14)
        at = _put(out, at, (time[i] - now) << 14 | pitch[i])
        now = time[i]
    return at


@kernel
def _put(out: U8, at: int, word: int) -> int:
    out[at] = word & 0xFF
    out[at + 1] = word >> 8 & 0xFF
    out[at + 2] = word >> 16
    return at + 3


@kernel
def _stretch(data: U8, time: I32, pitch: I32) -> int:
    count = 0
    now = np.int64(0)
    for at in range(0, data.size - 2, 3):
        word = np.int64(data[at]) | np.int64(data[at + 1]) << 8 | np.int64(data[at + 2]) << 16
        now += word >> 14
        if word & 0x3FFF:
            time[count] = now
            pitch[count] = word & 0x3FFF
            count += 1
    return count
