"""The sounds that are known: they are told again, however they were changed, and grow online.

Landmarks propose sounds with a tempo and a pitch, and the peaks of each proposal are laid on the
query's. How many more pairs there are than by chance, in deviations of chance, is a query's
evidence; a query without enough is a new sound. Of a long query some windows propose, for a tempo
that is told to a hundredth says little of what is half a minute away; all of it decides.

Which sounds are known, by which numbers and with how many landmarks, is all that an answer depends
on. So the index need not be there from the beginning: the first few queries have only the shapes
indexed that they ask for, which is quicker than a whole index where that is all that is asked.

Memory is bounded. When there are too many sounds, those used least go. A sound in use has all its
landmarks in the index; one that is used less keeps a part of them, with which a recording as it
was, or nearly so, is still found, and has all of them again when it is.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from trend.acoustics.alignment import Alignment, align
from trend.acoustics.index import MAX_SOUNDS, Buckets, add, empty, sweep, used_bytes
from trend.acoustics.landmarks import (
    DENSE,
    SHAPES,
    THIN,
    Landmarks,
    bits,
    landmarks,
    landmarks_around,
)
from trend.acoustics.peaks import FRAME, FRAMES_PER_SECOND, Peaks
from trend.acoustics.proposals import propose, scratch
from trend.acoustics.squeezed import squeeze, stretch

ENOUGH: Final = 9.0
"""Evidence from which on a query is a known sound (`benchmarks.sounds`)."""
SURE: Final = 25.0
"""Evidence from which on no other sound is looked at."""
UNSURE: Final = 0.2
"""Share of what chance is thought to make that it may make more, or less."""
FEWEST_PAIRS: Final = 12
FEW: Final = 4 * DENSE
"""Every how many-eth shape a query asks with at first."""
FEW_LOOKED_AT: Final = 50_000
MOST_LOOKED_AT: Final = 300_000
NEAR_LOOKED_AT: Final = 1_000_000
"""Landmarks of the index that a window looks at: with some of its own, with all, and with those
that it nearly has."""
WINDOW: Final = int(12 * FRAMES_PER_SECOND * FRAME)
"""Longest part of a query that proposes, in eighths of a frame."""
WINDOWS: Final = 4
"""Parts of a long query that propose."""
PROMISING: Final = 3.0
"""Evidence of a window from which on the whole query is laid on a sound."""
BY_SHAPE: Final = 3
"""Queries that have only the shapes indexed that they ask for."""
AT_ONCE: Final = 256
MOST_THREADS: Final = 8
"""Sounds whose landmarks are held at once while many are indexed, and threads that find them."""

LOOKS: Final[tuple[tuple[Callable[[Peaks], Landmarks], int], ...]] = (
    (lambda part: landmarks(part, FEW), FEW_LOOKED_AT),
    (landmarks, MOST_LOOKED_AT),
    (lambda part: landmarks_around(part, THIN), NEAR_LOOKED_AT),
)
"""How a query is looked for, until it is found: the last is for sounds with few landmarks."""

_MADE: Final = ("_buckets", "_room", "_indexed", "_asked")

I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]


class Match(NamedTuple):
    """The known sound that fits a query best.

    Attributes:
        sound: its number.
        known: whether it fits well enough to be the same.
        score: from 0 to 1; `known` from 0.5 on.
        speed: how many times as fast as the known one the query is played.
        pitch: by how many octaves it is higher.
        begin: seconds from the known sound's beginning to the query's.
    """

    sound: int
    known: bool
    score: float
    speed: float
    pitch: float
    begin: float


class KnownSounds:
    """Known sounds by number, from 0 on.

    Args:
        most: sounds that are kept, at least 8.
        dense: of these, how many have all their landmarks in the index.

    >>> rng = np.random.default_rng(0)
    >>> sound = Peaks(np.arange(0, 4000, 16), rng.integers(4000, 9000, 250))
    >>> sounds = KnownSounds()
    >>> sounds.match(sound) is None
    True
    >>> number = sounds.add(sound)
    >>> match = sounds.match(sound)
    >>> match.sound == number, match.known, round(match.speed, 3)
    (True, True, 1.0)
    """

    def __init__(self, most: int = 1_000_000, dense: int = 30_000) -> None:
        if not 8 <= most <= MAX_SOUNDS:
            raise ValueError(f"most: expected 8 to {MAX_SOUNDS}, got {most}")
        if not 8 <= dense <= most:
            raise ValueError(f"dense: expected 8 to {most}, got {dense}")
        self._most = most
        self._dense = dense
        self._no_index()
        self._peaks: list[bytes | None] = []
        self._free: list[int] = []
        self._uses = np.zeros(0, np.int64)
        self._last = np.zeros(0, np.int64)
        self._every = np.zeros(0, np.int32)
        self._clock = 0
        self._whole = 0

    def __getstate__(self) -> dict[str, Any]:
        """All but the index, which is made of the rest."""
        return {name: kept for name, kept in vars(self).items() if name not in _MADE}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._no_index()

    def _no_index(self) -> None:
        self._buckets: Buckets = empty()
        self._room = scratch(max(most for _, most in LOOKS))
        self._indexed: U8 | None = bits(np.zeros(SHAPES, bool))  # None: all shapes are
        self._asked = 0

    def __len__(self) -> int:
        return len(self._peaks) - len(self._free)

    def dense(self) -> int:
        """Return how many sounds have all their landmarks in the index."""
        return self._whole

    def memory(self) -> int:
        """Return the bytes that grow with the sounds: their peaks, and the index in use."""
        peaks = sum(len(squeezed) for squeezed in self._peaks if squeezed is not None)
        return peaks + used_bytes(self._buckets)

    def add(self, peaks: Peaks) -> int:
        """Make a sound known and return its number; a number is used again after its sound went."""
        if len(self) >= self._most or self.dense() >= self._dense:
            self._sweep()
        squeezed = squeeze(peaks)
        if self._free:
            sound = self._free.pop()
            self._peaks[sound] = squeezed
        else:
            sound = len(self._peaks)
            self._peaks.append(squeezed)
            self._grow()
        self._every[sound] = DENSE
        self._whole += 1
        self._uses[sound] = 0
        self._use(sound)
        if self._indexed is None or self._asked:
            self._index(sound, landmarks(peaks, asked=self._indexed))
        return sound

    def match(self, peaks: Peaks) -> Match | None:
        """Return the sound that fits best, or None where nothing is alike. It is not yet used.

        A part of the landmarks is enough for most queries; all are asked when it was not, and
        those that nearly are ones where there are sounds of which a part is kept.
        """
        parts = windows(peaks)
        if self._indexed is not None:
            self._ask(parts)
        best: _Found | None = None
        looks = LOOKS if len(self) > self.dense() else LOOKS[:2]
        for marks_of, most in looks:
            for part in parts:
                found = self._best(peaks, part, marks_of(part), most)
                if best is None or (found is not None and found.weight > best.weight):
                    best = found
                if best is not None and best.weight >= SURE:
                    break
            if best is not None and best.weight >= SURE:
                break
        if best is None:
            return None
        return Match(
            sound=best.sound,
            known=best.weight >= ENOUGH,
            score=best.weight / (best.weight + ENOUGH),
            speed=best.place.tempo,
            pitch=-best.place.pitch,
            begin=best.place.begin / FRAMES_PER_SECOND,
        )

    def _best(self, peaks: Peaks, part: Peaks, marks: Landmarks, most: int) -> "_Found | None":
        """The sound on which the query fits best of those that a window of it proposes."""
        best: _Found | None = None
        proposed = propose(self._buckets, marks, self._room, most)
        for sound, _, tempo, pitch, begin in zip(*proposed, strict=True):
            known = self._known(int(sound))
            found = align(part, known, float(tempo), float(pitch), float(begin))
            weight = evidence(found)
            if part is not peaks and weight >= PROMISING:
                found = align(peaks, known, np.log2(found.tempo), found.pitch, found.begin)
                weight = evidence(found)
            if best is None or weight > best.weight:
                best = _Found(weight, int(sound), found)
            if weight >= SURE:
                break
        return best

    def _known(self, sound: int) -> Peaks:
        squeezed = self._peaks[sound]
        assert squeezed is not None
        return stretch(squeezed)

    def _ask(self, parts: list[Peaks]) -> None:
        """See to it that the shapes of a query are indexed."""
        assert self._indexed is not None
        new: U8 | None = None
        if self._asked < BY_SHAPE:
            wanted = np.zeros(SHAPES, bool)
            for part in parts:
                wanted[landmarks(part).shape] = True
                wanted[landmarks_around(part, THIN).shape] = True
            new = bits(wanted) & ~self._indexed
            self._indexed |= new
        else:
            self._buckets = empty()
            self._indexed = None
        self._asked += 1
        sounds = np.flatnonzero(self._every).tolist()
        with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as pool:
            for begin in range(0, len(sounds), AT_ONCE):
                some = sounds[begin : begin + AT_ONCE]
                marks = pool.map(lambda sound: self._marks(sound, new), some)
                for sound, found in zip(some, marks, strict=True):
                    self._index(sound, found)

    def _marks(self, sound: int, asked: U8 | None) -> Landmarks:
        return landmarks(self._known(sound), int(self._every[sound]), asked=asked)

    def _index(self, sound: int, marks: Landmarks) -> None:
        self._buckets = add(self._buckets, sound, marks)

    def use(self, sound: int) -> None:
        """Note that a sound was heard again, so that it stays; a part of a sound becomes whole."""
        self._use(sound)
        if self._every[sound] == THIN and self.dense() >= self._dense:
            self._sweep()
        if self._every[sound] == THIN:
            if self._indexed is None or self._asked:
                rest = landmarks(self._known(sound), DENSE, THIN, asked=self._indexed)
                self._index(sound, rest)
            self._every[sound] = DENSE
            self._whole += 1

    def _use(self, sound: int) -> None:
        self._clock += 1
        self._uses[sound] += 1
        self._last[sound] = self._clock

    def _grow(self) -> None:
        if self._uses.size < len(self._peaks):
            more = max(1024, self._uses.size // 2)
            self._uses = np.append(self._uses, np.zeros(more, np.int64))
            self._last = np.append(self._last, np.zeros(more, np.int64))
            self._every = np.append(self._every, np.zeros(more, np.int32))

    def _sweep(self) -> None:
        """Let an eighth of the sounds go if there are too many, and thin out those used less."""
        alive = np.flatnonzero(self._every)
        if alive.size >= self._most:
            gone = self._ranked(alive)[self._most - self._most // 8 :]
            for sound in gone.tolist():
                self._peaks[sound] = None
                self._free.append(sound)
            self._every[gone] = 0
        dense = np.flatnonzero(self._every == DENSE)
        self._every[self._ranked(dense)[self._dense - self._dense // 8 :]] = THIN
        self._whole = int((self._every == DENSE).sum())
        self._uses //= 2
        if self._indexed is None or self._asked:
            sweep(self._buckets, self._every)

    def _ranked(self, sounds: I64) -> I64:
        """The sounds, those used most and last first."""
        return sounds[np.lexsort((-self._last[sounds], -self._uses[sounds]))]


class _Found(NamedTuple):
    weight: float
    sound: int
    place: Alignment


def windows(peaks: Peaks) -> list[Peaks]:
    """Return the parts of a query that propose, evenly spread: itself where it is short."""
    if not peaks.time.size or peaks.time[-1] < 1.5 * WINDOW:
        return [peaks]
    last = int(peaks.time[-1])
    count = min(WINDOWS, max(2, last // WINDOW))
    found = []
    for begin in np.linspace(0, last - WINDOW, count).astype(int).tolist():
        low, high = np.searchsorted(peaks.time, [begin, begin + WINDOW])
        found.append(Peaks(peaks.time[low:high], peaks.pitch[low:high]))
    return found


def evidence(found: Alignment) -> float:
    """Return by how many deviations there are more pairs than by chance, at least 0.

    How many chance makes is known to a fifth only, so that a long query is no surer of it.
    """
    if found.pairs < FEWEST_PAIRS:
        return 0.0
    deviation = np.sqrt(1 + found.chance + (UNSURE * found.chance) ** 2)
    return max(0.0, (found.pairs - found.chance) / float(deviation))
