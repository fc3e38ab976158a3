"""How a sound is: loudness, tempo, brightness, and whether it is only talk.

Loudness is that of ITU-R BS.1770-4 (K-weighted, gated, in LUFS), tempo the strongest period of the
onsets, drawn to 120 a minute (Ellis, "Beat tracking by dynamic programming", 2007). Talk is told by
three of the features of Scheirer & Slaney (1997): speech has many quiet moments, its brightness
jumps, and its spectrum is another one an eighth of a second later. All three must say so.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.acoustics.peaks import F32, FRAMES_PER_SECOND, HIGHEST, LOWEST, RATE, WINDOW

F64 = npt.NDArray[np.float64]

SILENT: Final = -70.0
"""LUFS and dB that nothing is below."""
QUIET_SHARE: Final = 0.24
JUMPS: Final = 0.6
STEADINESS: Final = 0.4
"""A sound with more quiet frames, greater jumps of brightness and less steadiness is talk."""

_BLOCK: Final = RATE * 2 // 5
_STEP: Final = _BLOCK // 4
_SLOWEST: Final = 40.0
_FASTEST: Final = 220.0
_EIGHTH: Final = 8
_LOW_BINS: Final = 400
_ACTIVE_DB: Final = 20.0


class Qualities(NamedTuple):
    """Attributes:
    loudness: LUFS, at least -70.
    level: of the root mean square, dB of full scale, at least -70.
    tempo: beats a minute; 0 where there is no beat.
    brightness: centroid of the power spectrum, Hz.
    crossings: of zero a second.
    talk: whether it is nothing but talk.
    """

    loudness: float
    level: float
    tempo: float
    brightness: float
    crossings: float
    talk: bool


def qualities(samples: F32, power: F32) -> Qualities:
    """Return how `samples` (float32, mono, 16 kHz) are; `power` is their `spectrogram`."""
    square = float(np.mean(np.square(samples, dtype=np.float64))) if samples.size else 0.0
    crossings = np.count_nonzero(np.diff(np.signbit(samples))) if samples.size else 0
    level = 10 * np.log10(max(square, 10 ** (SILENT / 10)))
    if power.shape[0] < FRAMES_PER_SECOND or not power.any():
        return Qualities(loudness(samples), float(level), 0.0, 0.0, 0.0, False)
    bins = np.arange(LOWEST, HIGHEST) * (RATE / WINDOW)
    total = power.sum(axis=1, dtype=np.float64)
    centroids = (power @ bins.astype(np.float32)) / np.maximum(total, 1e-20)
    return Qualities(
        loudness=loudness(samples),
        level=float(level),
        tempo=tempo(power),
        brightness=float((centroids * total).sum() / total.sum()),
        crossings=float(crossings) * RATE / samples.size,
        talk=_is_talk(power, total, centroids),
    )


def _is_talk(power: F32, total: F64, centroids: F64) -> bool:
    amplitude = np.sqrt(total)
    second = int(FRAMES_PER_SECOND)
    mean = np.convolve(amplitude, np.ones(second) / second, "same")
    quiet = float(np.mean(amplitude < 0.5 * mean))
    level = 10 * np.log10(total + 1e-12)
    active = level > np.quantile(level, 0.95) - _ACTIVE_DB
    jumps = float(centroids[active].std() / centroids[active].mean())
    logs = np.log(power[:, :_LOW_BINS] + np.float32(1e-3 * power.mean() + 1e-12))
    logs -= logs.mean(axis=1, keepdims=True)
    long = np.sqrt((logs * logs).sum(axis=1))
    alike = (logs[_EIGHTH:] * logs[:-_EIGHTH]).sum(axis=1)
    steadiness = float(np.mean(alike / (long[_EIGHTH:] * long[:-_EIGHTH] + 1e-9)))
    return quiet > QUIET_SHARE and jumps > JUMPS and steadiness < STEADINESS


def tempo(power: F32) -> float:
    """Return beats a minute, 0 where nothing comes again; `power` is a `spectrogram`."""
    if power.shape[0] < 4 * FRAMES_PER_SECOND:
        return 0.0
    logs = np.log(power[:, : 16 * (power.shape[1] // 16)] + np.float32(1e-3 * power.mean() + 1e-12))
    bands = logs.reshape(logs.shape[0], 16, -1).mean(axis=2)
    onsets = np.maximum(np.diff(bands, axis=0), 0).sum(axis=1).astype(np.float64)
    onsets -= onsets.mean()
    spectrum = np.fft.rfft(onsets, 2 * onsets.size)
    again = np.fft.irfft(spectrum * np.conj(spectrum))[: onsets.size]
    if again[0] <= 0:
        return 0.0
    first, last = (int(60 * FRAMES_PER_SECOND / bpm) for bpm in (_FASTEST, _SLOWEST))
    lags = np.arange(first, min(last, onsets.size - 2) + 1)
    likely = np.exp(-0.5 * np.log2(lags * 120 / (60 * FRAMES_PER_SECOND)) ** 2)
    best = int(lags[np.argmax(again[lags] * likely)])
    if again[best] < 4 / np.sqrt(onsets.size) * again[0]:  # as chance may have it
        return 0.0
    before, here, after = again[best - 1 : best + 2]
    bend = before - 2 * here + after
    offset = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(60 * FRAMES_PER_SECOND / (best + min(0.5, max(-0.5, offset))))


def loudness(samples: F32) -> float:
    """Return the integrated loudness in LUFS, at least -70.

    >>> t = np.arange(5 * RATE) / RATE
    >>> round(loudness(np.sin(2 * np.pi * 997 * t).astype(np.float32)), 1)
    -3.0
    """
    if samples.size < _BLOCK:
        return SILENT
    steps = _k_weighted(samples, _SHELF, _HIGH_PASS)
    blocks = np.convolve(steps, np.ones(4) / 4, "valid")
    heard = blocks[blocks > _power_of(SILENT)]
    if not heard.size:
        return SILENT
    heard = heard[heard > heard.mean() / 10]
    return max(SILENT, float(-0.691 + 10 * np.log10(heard.mean())))


def _power_of(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))


def _shelf() -> tuple[float, float, float, float, float]:
    """The first filter of BS.1770 at our rate: a shelf of 4 dB from 1.7 kHz on."""
    k = np.tan(np.pi * 1681.974450955533 / RATE)
    high = 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    q = 0.7071752369554196
    a0 = 1 + k / q + k * k
    return (
        float((high + band * k / q + k * k) / a0),
        float(2 * (k * k - high) / a0),
        float((high - band * k / q + k * k) / a0),
        float(2 * (k * k - 1) / a0),
        float((1 - k / q + k * k) / a0),
    )


def _high_pass() -> tuple[float, float]:
    """The second one: nothing below 38 Hz; its numerator is 1, -2, 1."""
    k = np.tan(np.pi * 38.13547087602444 / RATE)
    q = 0.5003270373238773
    a0 = 1 + k / q + k * k
    return float(2 * (k * k - 1) / a0), float((1 - k / q + k * k) / a0)


_SHELF: Final = _shelf()
_HIGH_PASS: Final = _high_pass()


@njit(cache=True, nogil=True)
def _k_weighted(
    samples: F32, shelf: tuple[float, float, float, float, float], high_pass: tuple[float, float]
) -> F64:
    """Mean power of the weighted samples in each tenth of a second."""
    b0, b1, b2, a1, a2 = shelf
    c1, c2 = high_pass
    steps = np.zeros(samples.size // _STEP)
    x1 = x2 = y1 = y2 = z1 = z2 = 0.0
    for step in range(steps.size):
        power = 0.0
        for i in range(step * _STEP, (step + 1) * _STEP):
            x = np.float64(samples[i])
            y = b0 * x + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2
            z = y - 2.0 * y1 + y2 - c1 * z1 - c2 * z2
            x2, x1 = x1, x
            y2, y1 = y1, y
            z2, z1 = z1, z
            power += z * z
        steps[step] = power / _STEP
    return steps
