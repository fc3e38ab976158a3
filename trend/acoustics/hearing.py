"""Which of the sounds heard so far a reel has: by its fingerprint first, then by its landmarks.

A recording is what one reel was heard as. Each is of a sound, and a sound may have several: as it
was, sped up, or too noisy to be told from the first one by its fingerprint alone. A query that lies
on recordings of several sounds shows that they are one.

Memory is bounded: when the fingerprints take too much, the recordings used least go; landmarks are
bounded by `trend.acoustics.known`. A sound without a recording is forgotten.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from trend.acoustics.known import KnownSounds
from trend.acoustics.peaks import FRAME, FRAMES_PER_SECOND, Peaks
from trend.acoustics.reuploads import Reuploads

COVERED: Final = 0.5
"""Share of a query that a recording must be, or the query is of another sound."""
FINGERPRINTS: Final = 0.25
"""Share of the memory that is for fingerprints once there are landmarks."""
KEPT: Final = 0.875
"""Share of the fingerprints' memory that is full after those used least went."""
DENSE_BYTES: Final = 60_000
THIN_BYTES: Final = 25_000
"""Of half a minute of sound, with all its landmarks and with a part."""
LEAST: Final = 8
"""Sounds of `KnownSounds`."""

U32 = npt.NDArray[np.uint32]
I64 = npt.NDArray[np.int64]


class Heard(NamedTuple):
    """Attributes:
    sounds: numbers of all that it is of, the oldest first; none where it is new.
    learn_items, learn_peaks: whether its fingerprint and its peaks are not known as such.
    """

    sounds: list[int]
    learn_items: bool
    learn_peaks: bool


class Hearing:
    """Recordings of sounds, which are known by numbers: an older sound has a smaller one.

    Args:
        memory: that the recordings may take, in bytes.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._uploads = Reuploads()
        self._of = np.zeros(0, np.int64)
        """By recording with a fingerprint: its sound."""
        self._uses = np.zeros(0, np.int64)
        self._last = np.zeros(0, np.int64)
        self._known: KnownSounds | None = None
        """Recordings with landmarks; made when there is the first."""
        self._of_known: list[int] = []
        self._seconds: list[float] = []
        self._with_peaks: set[int] = set()
        """Sounds of which landmarks were learnt."""
        self._clock = 0

    def __len__(self) -> int:
        """Return how many recordings there are."""
        return len(self._uploads) + (len(self._known) if self._known is not None else 0)

    def memory(self) -> int:
        """Return the bytes in use."""
        known = self._known.memory() if self._known is not None else 0
        return self._uploads.memory() + known

    def hear(self, items: U32, peaks: Peaks) -> Heard:
        """Return which sounds a query is of; nothing of one is empty.

        Its landmarks are looked for only if its fingerprint is new, or of a sound whose landmarks
        are not known: they cost a hundred times as much.
        """
        self._clock += 1
        sounds = self._uploaded(items)
        new = items.size > 0 and not sounds
        ask = peaks.time.size > 0 and not sounds & self._with_peaks
        if ask:
            sounds |= self._landmarked(peaks)
        return Heard(sorted(sounds), new, ask and not sounds & self._with_peaks)

    def _uploaded(self, items: U32) -> set[int]:
        sounds: set[int] = set()
        for found in self._uploads.matches(items):
            end = min(found.begin + items.size, self._uploads.size(found.sound))
            if end - max(found.begin, 0) >= COVERED * items.size:
                if not sounds:
                    self._uses[found.sound] += 1
                    self._last[found.sound] = self._clock
                sounds.add(int(self._of[found.sound]))
        return sounds

    def _landmarked(self, peaks: Peaks) -> set[int]:
        found = self._known.match(peaks) if self._known is not None else None
        if self._known is None or found is None or not found.known:
            return set()
        long = _seconds(peaks) * found.speed
        end = min(found.begin + long, self._seconds[found.sound])
        if end - max(found.begin, 0.0) < COVERED * long:
            return set()
        self._known.use(found.sound)
        return {self._of_known[found.sound]}

    def learn(self, heard: Heard, items: U32, peaks: Peaks, sound: int) -> None:
        """Keep what was not known of a query, as a recording of a sound."""
        if heard.learn_items:
            number = self._uploads.add(items)
            if number >= self._of.size:
                more = np.zeros(max(1024, number // 2), np.int64)
                self._of = np.append(self._of, more)
                self._uses = np.append(self._uses, more)
                self._last = np.append(self._last, more)
            self._of[number], self._uses[number], self._last[number] = sound, 1, self._clock
        if heard.learn_peaks:
            if self._known is None:
                self._known = self._empty()
            number = self._known.add(peaks)
            if number == len(self._of_known):
                self._of_known.append(sound)
                self._seconds.append(0.0)
            self._of_known[number], self._seconds[number] = sound, _seconds(peaks)
            self._with_peaks.add(sound)

    def _empty(self) -> KnownSounds:
        memory = self._memory * (1 - FINGERPRINTS)
        dense = max(LEAST, int(0.75 * memory / DENSE_BYTES))
        return KnownSounds(dense + max(LEAST, int(0.25 * memory / THIN_BYTES)), dense)

    def merge(self, ended: int, into: int) -> None:
        """Have all recordings of a sound be of an older one."""
        count = len(self._uploads)
        self._of[:count][self._of[:count] == ended] = into
        self._of_known = [into if one == ended else one for one in self._of_known]
        if ended in self._with_peaks:
            self._with_peaks = self._with_peaks - {ended} | {into}

    def full(self) -> bool:
        """Return whether the fingerprints take more than they may."""
        return self._uploads.memory() > self._room()

    def _room(self) -> float:
        return self._memory * (1.0 if self._known is None else FINGERPRINTS)

    def shrink(self) -> int:
        """Let the recordings used least go, the oldest of them first; return how many went."""
        numbers = np.arange(len(self._uploads))
        uses, last = self._uses[: numbers.size], self._last[: numbers.size]
        order = np.lexsort((-last, -uses))
        kept = np.sort(self._uploads.fitting(order, int(KEPT * self._room())))
        self._uploads = self._uploads.only(kept)
        self._of, self._uses, self._last = self._of[kept], uses[kept] // 2, last[kept]
        return int(numbers.size - kept.size)

    def sounds(self) -> I64:
        """Return the sounds that have recordings, rising."""
        return np.union1d(self._of[: len(self._uploads)], np.array(self._of_known, np.int64))

    def renumber(self, sounds: I64) -> None:
        """Number the sounds anew: the i-th of `sounds`, rising and all there are, is i."""
        count = len(self._uploads)
        self._of[:count] = np.searchsorted(sounds, self._of[:count])
        self._of_known = np.searchsorted(sounds, np.array(self._of_known, np.int64)).tolist()
        with_peaks = np.array(sorted(self._with_peaks), np.int64)
        there = with_peaks[np.isin(with_peaks, sounds)]
        self._with_peaks = set(np.searchsorted(sounds, there).tolist())


def _seconds(peaks: Peaks) -> float:
    if not peaks.time.size:
        return 0.0
    return float(peaks.time[-1]) / FRAME / FRAMES_PER_SECOND
