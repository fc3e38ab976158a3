"""The sounds that are known: they are told again, however they were changed, and grow online.

Landmarks propose sounds with a tempo and a pitch, and the peaks of each proposal are laid on the
query's. How many more pairs there are than by chance, in deviations of chance, is a query's
evidence; a query without enough is a new sound.

Memory is bounded. When there are too many sounds, those used least go. A sound in use has all its
landmarks in the index; one that is used less keeps a part of them, with which a recording as it
was, or nearly so, is still found, and has all of them again when it is.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from trend.acoustics.alignment import Alignment, align
from trend.acoustics.index import MAX_SOUNDS, Buckets, add, empty, swept, used_bytes
from trend.acoustics.landmarks import DENSE, THIN, landmarks
from trend.acoustics.peaks import FRAMES_PER_SECOND, Peaks, pack, unpack
from trend.acoustics.proposals import propose, scratch

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
"""Landmarks of the index that a query looks at, with some of its own and with all."""
VOTES: Final = 200_000
"""Votes that a query counts at most."""
BUCKET: Final = 4096
"""Landmarks of one shape, pitch and span that are kept at most."""

_MADE: Final = ("_buckets", "_room")

U32 = npt.NDArray[np.uint32]
I32 = npt.NDArray[np.int32]


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
        self._buckets: Buckets = empty()
        self._room = scratch(VOTES)
        self._peaks: list[U32 | None] = []
        self._free: list[int] = []
        self._uses = np.zeros(0, np.int64)
        self._last = np.zeros(0, np.int64)
        self._every = np.zeros(0, np.int32)
        self._clock = 0

    def __getstate__(self) -> dict[str, Any]:
        """All but the index, which is made of the rest."""
        return {name: kept for name, kept in vars(self).items() if name not in _MADE}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._room = scratch(VOTES)
        self._buckets = empty()
        for sound, packed in enumerate(self._peaks):
            if packed is not None:
                marks = landmarks(unpack(packed), int(self._every[sound]))
                self._buckets = add(self._buckets, sound, marks, BUCKET)

    def __len__(self) -> int:
        return len(self._peaks) - len(self._free)

    def dense(self) -> int:
        """Return how many sounds have all their landmarks in the index."""
        return int((self._every == DENSE).sum())

    def memory(self) -> int:
        """Return the bytes that grow with the sounds: their peaks, and the index in use."""
        peaks = sum(packed.nbytes for packed in self._peaks if packed is not None)
        return peaks + used_bytes(self._buckets)

    def add(self, peaks: Peaks) -> int:
        """Make a sound known and return its number; a number is used again after its sound went."""
        if len(self) >= self._most or self.dense() >= self._dense:
            self._sweep()
        packed = pack(peaks)
        if self._free:
            sound = self._free.pop()
            self._peaks[sound] = packed
        else:
            sound = len(self._peaks)
            self._peaks.append(packed)
            self._grow()
        self._every[sound] = DENSE
        self._uses[sound] = 0
        self._use(sound)
        self._buckets = add(self._buckets, sound, landmarks(peaks), BUCKET)
        return sound

    def match(self, peaks: Peaks) -> Match | None:
        """Return the sound that fits best, or None where nothing is alike. It is not yet used.

        A part of the landmarks is enough for most queries; all are asked when it was not.
        """
        best = self._best(peaks, FEW, FEW_LOOKED_AT)
        if best is None or best[0] < SURE:
            best = self._best(peaks, DENSE, MOST_LOOKED_AT) or best
        if best is None:
            return None
        weight, number, found = best
        return Match(
            sound=number,
            known=weight >= ENOUGH,
            score=weight / (weight + ENOUGH),
            speed=found.tempo,
            pitch=-found.pitch,
            begin=found.begin / FRAMES_PER_SECOND,
        )

    def _best(self, peaks: Peaks, every: int, most: int) -> tuple[float, int, Alignment] | None:
        best: tuple[float, int, Alignment] | None = None
        proposed = propose(self._buckets, landmarks(peaks, every), self._room, most)
        for sound, _, tempo, pitch, begin in zip(*proposed, strict=True):
            packed = self._peaks[int(sound)]
            assert packed is not None
            found = align(peaks, unpack(packed), float(tempo), float(pitch), float(begin))
            weight = evidence(found)
            if best is None or weight > best[0]:
                best = (weight, int(sound), found)
            if weight >= SURE:
                break
        return best

    def use(self, sound: int) -> None:
        """Note that a sound was heard again, so that it stays; a part of a sound becomes whole."""
        self._use(sound)
        if self._every[sound] == THIN and self.dense() >= self._dense:
            self._sweep()
        packed = self._peaks[sound]
        if self._every[sound] == THIN and packed is not None:
            rest = landmarks(unpack(packed), DENSE, THIN)
            self._buckets = add(self._buckets, sound, rest, BUCKET)
            self._every[sound] = DENSE

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
        order = alive[np.lexsort((-self._last[alive], -self._uses[alive]))]
        keep = self._most - self._most // 8 if order.size >= self._most else order.size
        for sound in order[keep:]:
            self._peaks[sound] = None
            self._free.append(int(sound))
        self._every[order[keep:]] = 0
        dense = self._dense - self._dense // 8
        self._every[order[dense:keep]] = THIN
        self._uses //= 2
        self._buckets = swept(self._buckets, self._every)


def evidence(found: Alignment) -> float:
    """Return by how many deviations there are more pairs than by chance, at least 0.

    How many chance makes is known to a fifth only, so that a long query is no surer of it.
    """
    if found.pairs < FEWEST_PAIRS:
        return 0.0
    deviation = np.sqrt(1 + found.chance + (UNSURE * found.chance) ** 2)
    return max(0.0, (found.pairs - found.chance) / float(deviation))
