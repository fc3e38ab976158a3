"""The peaks of a spectrogram: what survives codecs, noise and a voice.

Frames of `WINDOW` samples (Hann), one every `HOP`; a peak is the largest power within `HALF_FRAMES`
frames and `HALF_BINS` bins on either side. A parabola through the logarithms of the power of a peak
and of its neighbours tells its place to a fraction of a frame and of a bin, so that peaks of a
sound that was played faster or higher still fit.

Source: the peaks of Wang, "An industrial-strength audio search algorithm" (2003), and the
interpolation of Smith & Serra, "PARSHL" (1987).
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.compiled import kernel

RATE: Final = 16_000
"""Samples a second."""
WINDOW: Final = 2048
HOP: Final = 256
FRAMES_PER_SECOND: Final = RATE / HOP
HALF_FRAMES: Final = 8
HALF_BINS: Final = 12
LOWEST: Final = 12
HIGHEST: Final = 800
"""Bins that are looked at: from 94 to 6,242 Hz."""
OCTAVE: Final = 1024
"""Units of pitch in an octave."""
FRAME: Final = 8
"""Units of time in a frame."""
MAX_TIME: Final = 1 << 18
MAX_SECONDS: Final = MAX_TIME / FRAME / FRAMES_PER_SECOND
"""What `pack` has room for: 524 s."""
LEAST_PITCH: Final = int(np.log2(LOWEST) * OCTAVE)
MOST_PITCH: Final = int(np.log2(HIGHEST) * OCTAVE)

_CHUNK: Final = 128
_CLEAR: Final = 2.0
"""A peak's amplitude over the mean of all."""
_SILENCE: Final = 1e-7
"""Power of a bin, in units of a full-scale sine's, below which nothing is a peak."""

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]


class Peaks(NamedTuple):
    """Peaks of a sound in the order of time, then pitch.

    No two of them are at one place.

    Attributes:
        time: int32[n], in eighths of a frame since its beginning.
        pitch: int32[n], in 1024ths of an octave above the width of a bin (7.8125 Hz).
    """

    time: I32
    pitch: I32


def pack(peaks: Peaks) -> npt.NDArray[np.uint32]:
    """Return uint32[n]: 18 bits of time, 14 of pitch. Later than `MAX_SECONDS` are not in."""
    early = peaks.time < MAX_TIME
    return (peaks.time[early] << 14 | peaks.pitch[early]).astype(np.uint32)


def unpack(packed: npt.NDArray[np.uint32]) -> Peaks:
    """Return the peaks of `pack`, without their power, in their order.

    Raises ValueError where they are not in the order of time, or out of the range of pitch.
    """
    peaks = Peaks((packed >> 14).astype(np.int32), (packed & 0x3FFF).astype(np.int32))
    if np.any(packed[1:] < packed[:-1]):
        raise ValueError("peaks: expected rising time and pitch")
    if peaks.pitch.size and not LEAST_PITCH <= peaks.pitch.min() <= peaks.pitch.max() <= MOST_PITCH:
        raise ValueError(f"peaks: expected pitches from {LEAST_PITCH} to {MOST_PITCH}")
    return peaks


def spectrogram(samples: F32) -> F32:
    """Return the power of `samples` (float32, mono, at `RATE`) in each bin of each frame.

    Shape (frames, HIGHEST - LOWEST); a full-scale sine has a power of about 1.
    """
    frames = max(0, (samples.size - WINDOW) // HOP + 1)
    window = (np.hanning(WINDOW) * (4 / WINDOW)).astype(np.float32)
    power = np.empty((frames, HIGHEST - LOWEST), np.float32)
    step = samples.strides[0]
    for begin in range(0, frames, _CHUNK):
        count = min(_CHUNK, frames - begin)
        cut = np.lib.stride_tricks.as_strided(
            samples[begin * HOP :], (count, WINDOW), (HOP * step, step), writeable=False
        )
        bins = np.fft.rfft(cut * window, axis=1)[:, LOWEST:HIGHEST].astype(np.complex64)
        _power(bins, power[begin : begin + count])
    return power


@njit(cache=True, nogil=True, fastmath=True)
def _power(bins: npt.NDArray[np.complex64], out: F32) -> None:
    for i in range(bins.shape[0]):
        for j in range(bins.shape[1]):
            value = bins[i, j]
            out[i, j] = value.real * value.real + value.imag * value.imag


def peaks(samples: F32) -> Peaks:
    """Return the peaks of `samples`: float32, mono, at `RATE` samples a second."""
    return peaks_of(spectrogram(samples))


def peaks_of(power: F32) -> Peaks:
    """Return the peaks of a `spectrogram`."""
    if power.shape[0] < 3:
        return Peaks(np.empty(0, np.int32), np.empty(0, np.int32))
    amplitude = float(np.sqrt(power).mean())
    floor = max(_SILENCE, (_CLEAR * amplitude) ** 2)
    room = power.size // ((HALF_FRAMES + 1) * (HALF_BINS + 1)) + power.shape[0] + 16
    time, pitch = np.empty(room, np.int32), np.empty(room, np.int32)
    found = _peaks(power, floor, amplitude, time, pitch)
    order = np.lexsort((pitch[:found], time[:found]))
    return Peaks(time[:found][order], pitch[:found][order])


@kernel
def _peaks(power: F32, floor: float, mean: float, time: I32, pitch: I32) -> int:
    frames, bins = power.shape
    found = 0
    for t in range(frames):
        for f in range(1, bins - 1):
            here = power[t, f]
            if here <= floor or here <= power[t, f - 1] or here < power[t, f + 1]:
                continue
            if t > 0 and power[t - 1, f] > here:
                continue
            if t + 1 < frames and power[t + 1, f] >= here:
                continue
            if not _largest(power, t, f):
                continue
            if found == time.size:
                return found
            time[found] = round((t + _time_offset(power, t, f, mean)) * FRAME)
            at = f + _vertex(power[t, f - 1], here, power[t, f + 1], mean) + LOWEST
            pitch[found] = round(np.log2(at) * OCTAVE)
            found += 1
    return found


@kernel
def _largest(power: F32, t: int, f: int) -> bool:
    here = power[t, f]
    for i in range(max(0, t - HALF_FRAMES), min(power.shape[0], t + HALF_FRAMES + 1)):
        for j in range(max(0, f - HALF_BINS), min(power.shape[1], f + HALF_BINS + 1)):
            if power[i, j] > here:
                return False
    return True


@kernel
def _time_offset(power: F32, t: int, f: int, mean: float) -> float:
    if t == 0 or t + 1 == power.shape[0]:
        return 0.0
    return _vertex(power[t - 1, f], power[t, f], power[t + 1, f], mean)


@kernel
def _vertex(before: float, here: float, after: float, mean: float) -> float:
    """Where the parabola through three levels, one apart, is highest: -0.5 to 0.5."""
    a = np.log(np.sqrt(before) + 0.1 * mean)
    b = np.log(np.sqrt(here) + 0.1 * mean)
    c = np.log(np.sqrt(after) + 0.1 * mean)
    bend = a - 2.0 * b + c
    if bend > -1e-9:
        return 0.0
    return min(0.5, max(-0.5, 0.5 * (a - c) / bend))
