"""The sound of a reel: its fingerprints, unless it is nothing but talk.

Who talks makes a sound that nobody uses again, so talk gets no fingerprints: it is no sound that
could trend.
"""

from collections.abc import Sequence
from typing import Final

from extractors.fingerprint import fingerprint
from extractors.media import F32, RATE, Fields, Media, MissingError
from schemas.reels import Audio, Landmarks
from trend.acoustics.peaks import pack, peaks_of, spectrogram
from trend.acoustics.qualities import qualities

VERSION: Final = 1
"""Of landmarks: little-endian uint32 of `trend.acoustics.peaks.pack`."""
FEWEST: Final = 20
"""Peaks; a sound with fewer cannot be told from others."""


class Sound:
    """Gives reels `audio.fingerprint` and `audio.landmarks`: an extractor."""

    name = "sound"
    gives = frozenset({"audio.fingerprint", "audio.landmarks"})
    needs = frozenset({"pcm"})
    max_batch = 1
    max_wait_s = 0.0

    def __init__(self) -> None:
        try:
            import numpy as np

            fingerprint(np.zeros(RATE, np.float32))
            self.missing: str | None = None
            """Why there are no fingerprints of Chromaprint; landmarks there are."""
        except MissingError as error:
            self.missing = str(error)

    def extract(self, media: Sequence[Media]) -> Sequence[Fields]:
        """Return `audio` of each, an `Audio` with those two; empty for talk."""
        return [{} if one.pcm is None else self._heard(one.pcm) for one in media]

    def close(self) -> None:
        """Nothing is held."""

    def _heard(self, pcm: F32) -> Fields:
        power = spectrogram(pcm)
        found = peaks_of(power)
        if found.time.size < FEWEST or qualities(pcm, power).talk:
            return {}
        landmarks = Landmarks(version=VERSION, data=pack(found).astype("<u4").tobytes())
        chroma = None if self.missing else fingerprint(pcm)
        return {"audio": Audio(fingerprint=chroma, landmarks=landmarks)}
