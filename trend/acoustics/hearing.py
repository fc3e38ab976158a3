"""Recordings of what reels are heard as: by their fingerprints, and by their landmarks.

A recording is what one reel was heard as. Which sound it is of is not known here: a sound may have
several recordings, as it was, sped up, or too noisy to be told from the first by its fingerprint.
A query that lies on several shows that these are of one sound.

Memory is bounded: where fingerprints take too much, the recordings used least go; landmarks are
bounded by `trend.acoustics.known`.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from trend.acoustics.known import KnownSounds
from trend.acoustics.peaks import FRAME, FRAMES_PER_SECOND, Peaks
from trend.acoustics.reuploads import Reuploads

COVERED: Final = 0.5
"""Share of a query that a recording must be, or the query is of another sound."""
KEPT: Final = 0.875
"""Share of the fingerprints' memory that is full after those used least went."""
DENSE_BYTES: Final = 60_000
THIN_BYTES: Final = 25_000
"""Of half a minute of sound, with all its landmarks and with a part."""
LEAST: Final = 8
"""Sounds of `KnownSounds`."""
NONE: Final = -1

U32 = npt.NDArray[np.uint32]
I64 = npt.NDArray[np.int64]


class Uploaded(NamedTuple):
    """Attributes:
    recordings: numbers of all that the query is of, the most alike first.
    learnt: its own number, where there was none; else `NONE`.
    asks: whether its landmarks are to be asked for.
    """

    recordings: list[int]
    learnt: int
    asks: bool


class Uploads:
    """Recordings known by fingerprints.

    Args:
        memory: that they may take, in bytes.
    """

    def __init__(self, memory: int) -> None:
        self.limit = memory
        self._uploads = Reuploads()
        self._uses = np.zeros(0, np.int64)
        self._last = np.zeros(0, np.int64)
        self._asked = np.zeros(0, np.bool_)
        """Recordings of which landmarks were asked for."""
        self._clock = 0

    def __len__(self) -> int:
        return len(self._uploads)

    def memory(self) -> int:
        """Return the bytes in use."""
        return self._uploads.used()

    def hear(self, items: U32, has_peaks: bool) -> Uploaded:
        """Return the recordings that a query is of, and make one of it if there is none.

        Landmarks cost hundreds of times as much. They are asked for where the fingerprint is new or
        not there, or where those of its recording were not known.
        """
        self._clock += 1
        found = self._matches(items)
        learnt = NONE
        if not found and items.size:
            learnt = self._add(items)
        own = [learnt] if learnt != NONE else found
        asks = has_peaks and not self._asked[own].any()
        if asks:
            self._asked[own] = True
        return Uploaded(found, learnt, asks)

    def _matches(self, items: U32) -> list[int]:
        found = []
        for one in self._uploads.matches(items):
            end = min(one.begin + items.size, self._uploads.size(one.sound))
            if end - max(one.begin, 0) >= COVERED * items.size:
                found.append(one.sound)
        if found:
            self._use(found[0])
        return found

    def _use(self, recording: int) -> None:
        self._uses[recording] += 1
        self._last[recording] = self._clock

    def _add(self, items: U32) -> int:
        number = self._uploads.add(items)
        if number >= self._uses.size:
            more = np.zeros(max(1024, number // 2), np.int64)
            self._uses, self._last = np.append(self._uses, more), np.append(self._last, more)
            self._asked = np.append(self._asked, more > 0)
        self._uses[number], self._asked[number] = 0, False
        self._use(number)
        return number

    def shrink(self) -> I64 | None:
        """Let the recordings used least go, the oldest first, if all take too much.

        Returns the numbers of those that stay, rising: the i-th of them is i from then on. None:
        nothing changed.
        """
        if self.memory() <= self.limit:
            return None
        numbers = np.arange(len(self._uploads))
        uses, last = self._uses[: numbers.size], self._last[: numbers.size]
        order = np.lexsort((-last, -uses))
        kept = np.sort(self._uploads.fitting(order, int(KEPT * self.limit)))
        self._uploads = self._uploads.only(kept)
        self._uses, self._last, self._asked = uses[kept] // 2, last[kept], self._asked[kept]
        return kept


class Landmarked:
    """Recordings known by landmarks, by numbers that are used again after their recording went.

    Args:
        memory: that they may take, in bytes; about, as it depends on how long they are.
    """

    def __init__(self, memory: int) -> None:
        self.limit = memory
        self._known: KnownSounds | None = None
        self._seconds: list[float] = []

    def __len__(self) -> int:
        return 0 if self._known is None else len(self._known)

    def memory(self) -> int:
        """Return the bytes in use."""
        return 0 if self._known is None else self._known.memory()

    def hear(self, peaks: Peaks) -> int:
        """Return the recording that a query is of, or `NONE`."""
        found = None if self._known is None else self._known.match(peaks)
        if self._known is None or found is None or not found.known:
            return NONE
        long = _seconds(peaks) * found.speed
        end = min(found.begin + long, self._seconds[found.sound])
        if end - max(found.begin, 0.0) < COVERED * long:
            return NONE
        self._known.use(found.sound)
        return found.sound

    def learn(self, peaks: Peaks) -> int:
        """Make a recording, and return its number."""
        if self._known is None:
            dense = max(LEAST, int(0.75 * self.limit / DENSE_BYTES))
            thin = max(LEAST, int(0.25 * self.limit / THIN_BYTES))
            self._known = KnownSounds(dense + thin, dense)
        number = self._known.add(peaks)
        if number == len(self._seconds):
            self._seconds.append(0.0)
        self._seconds[number] = _seconds(peaks)
        return number


def _seconds(peaks: Peaks) -> float:
    if not peaks.time.size:
        return 0.0
    return float(peaks.time[-1]) / FRAME / FRAMES_PER_SECOND
