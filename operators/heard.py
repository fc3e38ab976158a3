"""What reels are known by when their sound is heard: fingerprints as items."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from operators.blocks import Fresh
from operators.metrics import UNHEARD
from operators.reels import FINGERPRINT, LANDMARKS, Reels
from operators.waiting import Asked, part
from trend.acoustics.chromaprint import items
from trend.acoustics.reuploads import FEWEST

PLAIN: Final = 0.125
"""Share of a fingerprint's items that differ from the one before, below which it is of silence or
of one tone, which many sounds hold."""

U32 = npt.NDArray[np.uint32]
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

    def take(self, rows: npt.NDArray[Any]) -> "Heard":
        """Return what is heard of some of them, by indices or a mask."""
        return Heard(self.items.take(rows))

    @classmethod
    def joined(cls, parts: Sequence["Heard"]) -> "Heard":
        """Return what is heard of all parts, in this order."""
        return Heard(Ragged.of([part.items[at] for part in parts for at in range(len(part.items))]))


def heard(fresh: Fresh) -> tuple[Fresh, Asked[Heard]]:
    """Return the reels of a poll whose sound is not heard, and those that wait to be identified.

    A fingerprint that cannot be read, or is of too little, is as good as none.
    """
    said = fresh.reels.lengths[:, FINGERPRINT] >= 0
    if not said.any():
        return part(fresh, said, None)
    rows = np.flatnonzero(said)
    found = _fingerprints(fresh.reels, rows)
    waits = np.zeros(said.size, np.bool_)
    waits[rows] = [one is not None for one in found]
    if not waits.any():
        return part(fresh, waits, None)
    features = Heard(Ragged.of([one for one in found if one is not None]))
    return part(fresh, waits, features, spent=(FINGERPRINT, LANDMARKS))


def _fingerprints(reels: Reels, rows: I64) -> list[U32 | None]:
    """Return the items of the fingerprints of some reels, None for those that tell nothing."""
    found: list[U32 | None] = []
    refused = dict.fromkeys(("broken", "short", "plain"), 0)
    starts, lengths = reels.starts[rows, FINGERPRINT], reels.lengths[rows, FINGERPRINT]
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        text = reels.data[start : start + length].tobytes().decode()
        one, why = _read(text)
        found.append(one)
        if one is None:
            refused[why] += 1
    for why, count in refused.items():
        if count:
            UNHEARD.add(count, "fingerprint", why)
    return found


def _read(text: str) -> tuple[U32 | None, str]:
    try:
        one = items(text)
    except ValueError:
        return None, "broken"
    if one.size < FEWEST:
        return None, "short"
    if np.count_nonzero(np.diff(one)) < PLAIN * one.size:
        return None, "plain"
    return one, ""
