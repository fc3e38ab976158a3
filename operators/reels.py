"""A poll's reels in columns, with their texts as slices of one buffer.

No step makes a Python string of a text: a column of strings would cost more than all that is asked
of it. The kernels of `trend` read the slices where they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trend.slices import pack

U8 = npt.NDArray[np.uint8]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

TEXTS: Final = (
    "reel_id",
    "author_id",
    "caption",
    "audio_id",
    "title",
    "artist",
    "transcript",
    "ocr_text",
    "language",
    "region",
    "fingerprint",
    "landmarks",
)
"""The texts of a reel, in the order of the columns of `Reels.starts` and `Reels.lengths`."""

NUMBERS: Final = ("author_followers", "views", "likes", "shares", "saves", "version")
"""The numbers of a reel, in the order of the columns of `Reels.numbers`; the version is that of the
landmarks."""

(
    REEL_ID,
    AUTHOR_ID,
    CAPTION,
    AUDIO_ID,
    TITLE,
    ARTIST,
    TRANSCRIPT,
    OCR_TEXT,
    LANGUAGE,
    REGION,
    FINGERPRINT,
    LANDMARKS,
) = range(len(TEXTS))
VERSION: Final = NUMBERS.index("version")


@dataclass(frozen=True, slots=True)
class Reels:
    """n reels as slices of one buffer."""

    data: U8  # UTF-8 bytes, JSON escapes undone; every text is a slice of it
    starts: I32  # [n, len(TEXTS)]
    lengths: I32  # [n, len(TEXTS)], bytes; -1: null
    time: I64  # [n] published_at, microseconds since 1970 UTC
    numbers: I64  # [n, len(NUMBERS)]; -1: null
    tag_first: I32  # [n] index of the reel's first hashtag in tag_starts
    tag_count: I32  # [n] 0: none (or empty list): they are then taken from the caption
    tag_starts: I32  # [t]
    tag_lengths: I32  # [t]

    @classmethod
    def none(cls) -> "Reels":
        """Return no reels."""
        texts, one = np.zeros((0, len(TEXTS)), np.int32), np.zeros(0, np.int32)
        time, numbers = np.zeros(0, np.int64), np.zeros((0, len(NUMBERS)), np.int64)
        return cls(np.zeros(0, np.uint8), texts, texts, time, numbers, one, one, one, one)

    def __len__(self) -> int:
        return self.time.size

    def take(self, rows: slice | npt.NDArray[Any]) -> "Reels":
        """Return some of the reels, by a slice, indices or a mask; the texts are not copied."""
        return replace(
            self,
            starts=self.starts[rows],
            lengths=self.lengths[rows],
            time=self.time[rows],
            numbers=self.numbers[rows],
            tag_first=self.tag_first[rows],
            tag_count=self.tag_count[rows],
        )

    def texts(self, name: str) -> list[str | None]:
        """Return a text of each reel: slow, for what is rare."""
        column = TEXTS.index(name)
        places = zip(self.starts[:, column].tolist(), self.lengths[:, column].tolist(), strict=True)
        return [
            None if length < 0 else self.data[start : start + length].tobytes().decode()
            for start, length in places
        ]

    def tags(self) -> tuple[I32, I32, I64]:
        """The reels' hashtags on end: their starts, their lengths, and the reels' bounds in them.

        The bounds have the shape (n + 1,): the hashtags of reel i are those from `bounds[i]` to
        `bounds[i + 1]`.
        """
        bounds = np.zeros(len(self) + 1, np.int64)
        np.cumsum(self.tag_count, out=bounds[1:])
        tags = np.repeat(self.tag_first - bounds[:-1], self.tag_count) + np.arange(bounds[-1])
        return self.tag_starts[tags], self.tag_lengths[tags], bounds

    def with_texts(self, column: int, texts: Sequence[bytes | None]) -> "Reels":
        """Return the same reels with these texts in a column; None: null."""
        lengths = np.array([-1 if text is None else len(text) for text in texts], np.int32)
        ends = np.cumsum(np.maximum(lengths, 0), dtype=np.int32) + np.int32(self.data.size)
        starts, sizes = self.starts.copy(), self.lengths.copy()
        starts[:, column], sizes[:, column] = ends - np.maximum(lengths, 0), lengths
        added = np.frombuffer(b"".join(text or b"" for text in texts), np.uint8)
        data = np.concatenate([self.data, added])
        return replace(self, data=data, starts=starts, lengths=sizes)

    def without(self, *columns: int) -> "Reels":
        """Return the same reels with nothing in some columns."""
        lengths = self.lengths.copy()
        lengths[:, columns] = -1
        return replace(self, lengths=lengths)

    def packed(self) -> "Reels":
        """Return the same reels in a buffer that holds nothing else."""
        starts, lengths, bounds = self.tags()
        data, places = pack(
            self.data,
            np.concatenate([self.starts.ravel(), starts]),
            np.concatenate([self.lengths.ravel(), lengths]),
        )
        texts = self.starts.size
        return replace(
            self,
            data=data,
            starts=places[:texts].reshape(self.starts.shape),
            lengths=self.lengths.copy(),
            time=self.time.copy(),
            numbers=self.numbers.copy(),
            tag_count=self.tag_count.copy(),
            tag_first=bounds[:-1].astype(np.int32),
            tag_starts=places[texts:],
            tag_lengths=lengths,
        )

    def __reduce__(self) -> tuple[Callable[..., "Reels"], tuple[Any, ...]]:
        packed = self.packed()
        return Reels, tuple(getattr(packed, field.name) for field in fields(packed))


def joined(*parts: Reels) -> Reels:
    """Return the reels of all parts, in this order."""
    if not parts:
        return Reels.none()
    at = np.cumsum([0, *(part.data.size for part in parts)], dtype=np.int32)
    tag = np.cumsum([0, *(part.tag_starts.size for part in parts)], dtype=np.int32)
    numbered = list(zip(parts, at, tag, strict=False))
    return Reels(
        np.concatenate([part.data for part in parts]),
        np.concatenate([part.starts + at for part, at, _ in numbered]),
        np.concatenate([part.lengths for part in parts]),
        np.concatenate([part.time for part in parts]),
        np.concatenate([part.numbers for part in parts]),
        np.concatenate([part.tag_first + tag for part, _, tag in numbered]),
        np.concatenate([part.tag_count for part in parts]),
        np.concatenate([part.tag_starts + at for part, at, _ in numbered]),
        np.concatenate([part.tag_lengths for part in parts]),
    )
