"""The looks of a poll's reels: their embeddings as vectors, for those that have a good one.

An embedding that is none (an odd number of bytes, too many dimensions, not finite, not of unit
length) is as good as absent; it is counted, and the reel goes on without it.
"""

from binascii import a2b_base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from operators.blocks import Fresh
from operators.metrics import EMBEDDINGS_REFUSED
from operators.reels import CAPTION, EMBEDDING, MODEL, REEL_ID, TEXTS, Reels
from operators.reels import joined as as_one
from operators.strings import Strings
from trend.formats.vectors import MAX_DIMENSIONS
from trend.hashing import hash_slices
from trend.seen import digests

UNIT: Final = 0.01
"""How far the length of a vector may be from 1: float16 of a good one is off by a tenth of it."""

_NAMES: Final = (REEL_ID, CAPTION)
_OTHERS: Final = tuple(column for column in range(len(TEXTS)) if column not in _NAMES)

U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Looks:
    """The reels of one poll with an embedding, and how far its partition is complete."""

    partition: str
    reel: U64  # [n] hashes, as in `Fresh`; so are the next four
    author: U64
    tick: I32
    apply: I32
    again: Bools
    model: U64  # [n] hash of the model's name
    digest: U64  # [n] hash of the embedding and the names
    vectors: Strings  # [n] little-endian float16
    names: Reels  # [n] with their ids, captions and hashtags alone
    closed: int
    end: bool

    def __len__(self) -> int:
        return self.reel.size

    def take(self, rows: npt.NDArray[np.int64] | Bools) -> "Looks":
        """Some of the reels."""
        vectors = self.vectors
        return replace(
            self,
            reel=self.reel[rows],
            author=self.author[rows],
            tick=self.tick[rows],
            apply=self.apply[rows],
            again=self.again[rows],
            model=self.model[rows],
            digest=self.digest[rows],
            vectors=Strings.cut(vectors.data, vectors.starts[rows], vectors.lengths[rows]),
            names=self.names.take(rows).packed(),
        )


def joined(parts: Sequence[Looks]) -> Looks:
    """The reels of all parts, in this order."""
    if len(parts) == 1:
        return parts[0]
    return replace(
        parts[0],
        reel=np.concatenate([part.reel for part in parts]),
        author=np.concatenate([part.author for part in parts]),
        tick=np.concatenate([part.tick for part in parts]),
        apply=np.concatenate([part.apply for part in parts]),
        again=np.concatenate([part.again for part in parts]),
        model=np.concatenate([part.model for part in parts]),
        digest=np.concatenate([part.digest for part in parts]),
        vectors=Strings.joined([part.vectors for part in parts]),
        names=as_one(*(part.names for part in parts)),
    )


def looks(fresh: Fresh) -> list[Looks]:
    """The looks of a poll; none where there is nothing to tell."""
    reels = fresh.reels
    rows = np.flatnonzero(reels.lengths[:, EMBEDDING] >= 0)
    if not rows.size and not fresh.announce:
        return []
    vectors = _decoded(reels, rows)
    good = _good(vectors)
    rows = rows[good]
    model = hash_slices(
        reels.data,
        np.ascontiguousarray(reels.starts[rows, MODEL]),
        np.ascontiguousarray(reels.lengths[rows, MODEL]),
        np.uint64(0),
    )
    return [
        Looks(
            fresh.partition,
            fresh.reel[rows],
            fresh.author[rows],
            fresh.tick[rows],
            fresh.apply[rows],
            fresh.again[rows],
            model,
            _digests(reels.take(rows)),
            Strings.cut(vectors.data, vectors.starts[good], vectors.lengths[good]),
            reels.take(rows).without(*_OTHERS).packed(),
            fresh.closed,
            fresh.end,
        )
    ]


def without_looks(fresh: Fresh) -> Fresh:
    """The same reels without their embeddings, which no other step needs."""
    reels = fresh.reels
    if not (reels.lengths[:, EMBEDDING] >= 0).any():
        return fresh
    return replace(fresh, reels=reels.without(MODEL, EMBEDDING))


def _digests(reels: Reels) -> U64:
    return digests(
        reels.data,
        reels.starts,
        reels.lengths,
        (CAPTION, MODEL, EMBEDDING),
        reels.tag_first,
        reels.tag_count,
        reels.tag_starts,
        reels.tag_lengths,
    )


def _decoded(reels: Reels, rows: npt.NDArray[np.int64]) -> Strings:
    """The bytes of the embeddings of some rows."""
    data = reels.data.data
    starts = reels.starts[rows, EMBEDDING]
    ends = starts + reels.lengths[rows, EMBEDDING]
    decoded = [a2b_base64(data[a:b]) for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
    lengths = np.array([len(one) for one in decoded], np.int32)
    after = np.cumsum(lengths, dtype=np.int32)
    return Strings(np.frombuffer(b"".join(decoded), np.uint8), after - lengths, lengths)


def _good(vectors: Strings) -> Bools:
    """Which are vectors of unit length; the others are counted."""
    lengths = vectors.lengths
    good: Bools = (lengths > 0) & (lengths % 2 == 0) & (lengths <= 2 * MAX_DIMENSIONS)
    EMBEDDINGS_REFUSED.add(int(np.count_nonzero(~good)), "size")
    for length in np.unique(lengths[good]).tolist():
        rows = np.flatnonzero(lengths == length)
        cut = Strings.cut(vectors.data, vectors.starts[rows], vectors.lengths[rows])
        some = matrix(cut, length // 2).astype(np.float32)
        finite = np.isfinite(some).all(1)
        some[~finite] = 0.0
        unit = np.abs(np.sqrt(np.einsum("nd,nd->n", some, some)) - 1.0) <= UNIT
        good[rows] = finite & unit
        EMBEDDINGS_REFUSED.add(int(np.count_nonzero(~finite)), "not_finite")
        EMBEDDINGS_REFUSED.add(int(np.count_nonzero(finite & ~unit)), "not_unit")
    return good


def matrix(vectors: Strings, dimensions: int) -> npt.NDArray[np.float16]:
    """Vectors of so many dimensions each, that lie in their buffer on end: (n, dimensions)."""
    return vectors.data.view("<f2").reshape(len(vectors), dimensions)
