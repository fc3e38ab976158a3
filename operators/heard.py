"""What reels are known by when their sound is heard: fingerprints as items, and peaks."""

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from operators.blocks import Fresh
from operators.metrics import UNHEARD
from operators.reels import FINGERPRINT, LANDMARKS, VERSION, Reels
from operators.sounds import LANDMARKS_VERSION
from operators.waiting import Asked, part
from trend.acoustics.chromaprint import items as items_of
from trend.acoustics.known import FEWEST_PAIRS
from trend.acoustics.peaks import Peaks, unpack
from trend.acoustics.reuploads import FEWEST

PLAIN: Final = 0.125
"""Share of a fingerprint's items that differ from the one before, below which it is of silence or
of one tone, which many sounds hold."""

MOST_PEAKS: Final = 1 << 15
"""Of landmarks: twice what five minutes have."""

U32 = npt.NDArray[np.uint32]
_NOTHING: Final = np.zeros(0, np.uint32)
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ragged:
    """n arrays, one after the other."""

    values: U32
    bounds: I64  # [n + 1] array i is `values[bounds[i] : bounds[i + 1]]`

    @classmethod
    def of(cls, parts: Sequence[U32]) -> Self:
        """Return arrays in one."""
        bounds = np.zeros(len(parts) + 1, np.int64)
        np.cumsum([one.size for one in parts], out=bounds[1:])
        return cls(np.concatenate([np.zeros(0, np.uint32), *parts]), bounds)

    @classmethod
    def joined(cls, parts: Sequence["Ragged"]) -> "Ragged":
        """Return the arrays of all parts, in this order."""
        return cls.of([part[at] for part in parts for at in range(len(part))])

    def __len__(self) -> int:
        return self.bounds.size - 1

    def __getitem__(self, at: int) -> U32:
        return self.values[self.bounds[at] : self.bounds[at + 1]]

    def take(self, rows: npt.NDArray[Any]) -> "Ragged":
        """Return some of them, by indices or a mask."""
        return Ragged.of([self[at] for at in np.arange(len(self))[rows].tolist()])


@dataclass(frozen=True, slots=True)
class Heard:
    """What is heard of n reels; nothing of one is an empty array, but each has something."""

    items: Ragged  # of the fingerprint
    packed: Ragged  # peaks, as `trend.acoustics.peaks.pack` has them

    def peaks(self, at: int) -> Peaks:
        """Return the peaks of one."""
        return unpack(self.packed[at])

    def take(self, rows: npt.NDArray[Any]) -> "Heard":
        """Return what is heard of some of them, by indices or a mask."""
        return Heard(self.items.take(rows), self.packed.take(rows))

    @classmethod
    def joined(cls, parts: Sequence["Heard"]) -> "Heard":
        """Return what is heard of all parts, in this order."""
        return Heard(
            Ragged.joined([part.items for part in parts]),
            Ragged.joined([part.packed for part in parts]),
        )


def heard(fresh: Fresh) -> tuple[Fresh, Asked[Heard]]:
    """Return the reels of a poll whose sound is not heard, and those that wait to be identified.

    What cannot be read, or is of too little, is as good as nothing.
    """
    reels = fresh.reels
    said = (reels.lengths[:, FINGERPRINT] >= 0) | (reels.lengths[:, LANDMARKS] >= 0)
    if not said.any():
        return part(fresh, said, None)
    rows = np.flatnonzero(said)
    versions = reels.numbers[rows, VERSION].tolist()
    items = [_noted("fingerprint", _items(text)) for text in _texts(reels, rows, FINGERPRINT)]
    peaks = [
        _noted("landmarks", _peaks(text, version))
        for text, version in zip(_texts(reels, rows, LANDMARKS), versions, strict=True)
    ]
    waits = np.zeros(said.size, np.bool_)
    found = [at for at in range(rows.size) if items[at].size or peaks[at].size]
    waits[rows[found]] = True
    if not found:
        return part(fresh, waits, None)
    features = Heard(Ragged.of([items[at] for at in found]), Ragged.of([peaks[at] for at in found]))
    return part(fresh, waits, features, spent=(FINGERPRINT, LANDMARKS))


def _texts(reels: Reels, rows: I64, column: int) -> list[bytes | None]:
    starts, lengths = reels.starts[rows, column], reels.lengths[rows, column]
    return [
        None if length < 0 else reels.data[start : start + length].tobytes()
        for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)
    ]


def _noted(field: str, read: U32 | str) -> U32:
    """Count why something could not be read, and take it for nothing."""
    if isinstance(read, str):
        UNHEARD.add(1, field, read)
        return _NOTHING
    return read


def _items(text: bytes | None) -> U32 | str:
    """Return the items of a fingerprint, or what is wrong with it."""
    if text is None:
        return _NOTHING
    try:
        found = items_of(text.decode())
    except ValueError:
        return "broken"
    if found.size < FEWEST:
        return "short"
    return "plain" if np.count_nonzero(found[1:] != found[:-1]) < PLAIN * found.size else found


def _peaks(text: bytes | None, version: int) -> U32 | str:
    """Return the peaks that landmarks are made of, or what is wrong with them."""
    if text is None:
        return _NOTHING
    if version != LANDMARKS_VERSION:
        return "version"
    data = b64decode(text)
    if len(data) % 4 or len(data) > 4 * MOST_PEAKS:
        return "broken"
    packed = np.frombuffer(data, "<u4").astype(np.uint32)
    try:
        unpack(packed)
    except ValueError:
        return "broken"
    return "short" if packed.size < FEWEST_PAIRS else packed
