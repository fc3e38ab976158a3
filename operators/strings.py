"""Strings on end in one buffer: a column that costs no Python object a row."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trend.slices import pack

U8 = npt.NDArray[np.uint8]
I32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Strings:
    """n strings, each where the one before it ends.

    >>> Strings.of(["cat", "", "кот"])[2]
    'кот'
    """

    data: U8  # UTF-8
    starts: I32  # [n], bytes
    lengths: I32  # [n], bytes

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Strings":
        """Return strings of Python as such a column."""
        encoded = [text.encode() for text in texts]
        lengths = np.array([len(text) for text in encoded], np.int32)
        return cls._on_end(np.frombuffer(b"".join(encoded), np.uint8), lengths)

    @classmethod
    def cut(cls, data: U8, starts: I32, lengths: I32) -> "Strings":
        """Copy slices of `data`: `starts` and `lengths` of shape (n,), in bytes."""
        packed, places = pack(data, starts, lengths)
        return cls(packed, places, lengths.copy())

    @classmethod
    def joined(cls, parts: Sequence["Strings"]) -> "Strings":
        """Return the strings of all parts, in order."""
        return cls._on_end(
            np.concatenate([part.data for part in parts]),
            np.concatenate([part.lengths for part in parts]),
        )

    @classmethod
    def _on_end(cls, data: U8, lengths: I32) -> "Strings":
        ends = np.cumsum(lengths, dtype=np.int32)
        return cls(data, ends - lengths, lengths)

    def __len__(self) -> int:
        return self.starts.size

    def __getitem__(self, at: int) -> str:
        start = self.starts[at]
        return self.data[start : start + self.lengths[at]].tobytes().decode()
