"""Songs and speech made of numbers, where no recordings are at hand: no two seeds are alike."""

import numpy as np
import numpy.typing as npt

RATE = 16_000
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9), (0, 3, 5, 6, 7, 10))

F32 = npt.NDArray[np.float32]


def song(seed: int, seconds: float) -> F32:
    """Chords, bass, a melody and drums: float32, mono, 16 kHz."""
    rng = np.random.default_rng(seed)
    beat = 60 / rng.uniform(80, 160)
    scale = SCALES[rng.integers(len(SCALES))]
    root = 110 * 2 ** (rng.integers(0, 12) / 12)
    chords = rng.integers(0, len(scale), 8)
    timbre = 0.9 ** np.arange(8) * rng.uniform(0.1, 1, 8)
    out = np.zeros(int((seconds + 4) * RATE))
    for step in range(int(seconds / beat * 2)):
        at = step * beat / 2
        chord = int(chords[(step // 8) % len(chords)])
        if step % 8 == 0:
            for part in (0, 2, 4):
                _note(out, at, 4 * beat, root * _ratio(scale, chord + part), 0.12, timbre)
        if step % 4 == 0:
            _note(out, at, beat, root / 2 * _ratio(scale, chord), 0.3, timbre)
        if rng.random() < 0.6:
            degree = chord + int(rng.integers(0, 9))
            long = beat * float(rng.choice([0.5, 1, 1.5]))
            _note(out, at, long, 2 * root * _ratio(scale, degree), 0.25, timbre)
        if step % 2 == 0 or rng.random() < 0.3:
            _drum(out, at, rng, 0.25 if step % 4 else 0.5)
    out = out[: int(seconds * RATE)]
    return (0.7 * out / max(1e-9, np.abs(out).max())).astype(np.float32)


def _ratio(scale: tuple[int, ...], degree: int) -> float:
    octave, step = divmod(degree, len(scale))
    return float(2 ** (octave + scale[step] / 12))


def _note(
    out: npt.NDArray[np.float64],
    at: float,
    long: float,
    pitch: float,
    loud: float,
    timbre: npt.NDArray[np.float64],
) -> None:
    begin = int(at * RATE)
    t = np.arange(min(out.size - begin, int(long * RATE))) / RATE
    envelope = np.minimum(t / 0.01, 1) * np.exp(-2 * t / long)
    for k, weight in enumerate(timbre, 1):
        if k * pitch < 7000:
            out[begin : begin + t.size] += (
                loud * weight * envelope * np.sin(2 * np.pi * k * pitch * t)
            )


def _drum(out: npt.NDArray[np.float64], at: float, rng: np.random.Generator, loud: float) -> None:
    begin = int(at * RATE)
    t = np.arange(min(out.size - begin, RATE // 8)) / RATE
    sound = np.sin(2 * np.pi * 70 * t) + 0.4 * rng.standard_normal(t.size)
    out[begin : begin + t.size] += loud * np.exp(-40 * t) * sound


def speech(seed: int, seconds: float) -> F32:
    """A voice that babbles: gliding pitch, three formants, syllables and pauses."""
    rng = np.random.default_rng(seed)
    parts = []
    pitch = rng.uniform(90, 220)
    left = int(seconds * RATE)
    while left > 0:
        n = int(rng.uniform(0.08, 0.3) * RATE)
        if rng.random() < 0.2:
            parts.append(np.zeros(n))
        elif rng.random() < 0.25:
            noise = np.diff(rng.standard_normal(n + 1))
            parts.append(0.15 * noise * np.hanning(n))
        else:
            parts.append(_vowel(rng, n, pitch))
        left -= n
    out = np.concatenate(parts)[: int(seconds * RATE)]
    return (0.7 * out / np.abs(out).max()).astype(np.float32)


def _vowel(rng: np.random.Generator, n: int, pitch: float) -> npt.NDArray[np.float64]:
    t = np.arange(n) / RATE
    glide = pitch * (1 + rng.uniform(-0.15, 0.15) + rng.uniform(-0.3, 0.3) * t / t[-1])
    phase = 2 * np.pi * np.cumsum(glide) / RATE
    formants = rng.uniform((300, 900, 2200), (800, 2000, 3000))
    out = np.zeros(n)
    for k in range(1, int(4000 / pitch)):
        near = np.exp(-(((k * pitch - formants) / 150) ** 2)).sum() + 0.02
        out += near / k**0.5 * np.sin(k * phase)
    return out * np.hanning(n) ** 0.5
