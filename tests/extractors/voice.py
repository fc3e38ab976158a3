"""A voice that says nothing: pulses of the cords through the formants of changing vowels."""

import numpy as np

from extractors.media import F32, RATE

VOWELS = np.array(
    [[730, 1090, 2440], [270, 2290, 3010], [300, 870, 2240], [530, 1840, 2480], [570, 840, 2410]]
)


def voice(seconds: float, seed: int = 0) -> F32:
    """Samples, float32 at 16 kHz, that detectors of voices take for one."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    pitch = 120 * (1 + 0.15 * np.sin(4.4 * time) + 0.03 * np.sin(27 * time))
    pulses = np.diff(np.floor(np.cumsum(pitch) / RATE), prepend=0) + rng.normal(0, 0.003, time.size)
    heard = np.zeros(time.size)
    frequencies = np.fft.rfftfreq(8192, 1 / RATE)
    for start in range(0, time.size, RATE // 5):
        some = pulses[start : start + RATE // 5]
        formants = zip(VOWELS[rng.integers(len(VOWELS))], (1, 0.5, 0.25), strict=True)
        response = sum(much / (1 + ((frequencies - at) / 80) ** 2) for at, much in formants)
        filtered = np.convolve(some, np.roll(np.fft.irfft(response), 256)[:1024])[: some.size]
        heard[start : start + RATE // 5] = filtered * np.sqrt(np.hanning(some.size))
    return (0.5 * heard / np.abs(heard).max()).astype(np.float32)
