"""Text in one form for one meaning: NFKC, case-folded, without characters that show nothing.

The form is toNFKC_Casefold of the Unicode standard (3.13): `Ｔａｎｚ`, `TANZ`, and `tanz` with a
zero-width space in it, are one text. Any script; idempotent.
"""

import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trend.characters import IGNORABLE
from trend.folding import GROWTH, SLACK, fold, foldings

U8 = npt.NDArray[np.uint8]
I32 = npt.NDArray[np.int32]

_HIDDEN = dict.fromkeys(code for block in IGNORABLE for code in block)


@dataclass(frozen=True, slots=True)
class Normal:
    """n texts in normal form, as slices of a buffer that may be written to."""

    data: U8  # UTF-8
    starts: I32  # [n], bytes
    lengths: I32  # [n], bytes; 0 for a null
    size: int  # bytes of `data` that are in use; the rest is free


def normalise(data: U8, starts: I32, lengths: I32, spare: int = 0) -> Normal:
    """Each of n slices of `data` in normal form, with so many bytes to spare behind all of them.

    `starts` and `lengths` have the shape (n,), in bytes; a negative length is a null.

    >>> text = np.frombuffer("Straße ＴＡＮＺ dan\\u200bce".encode(), np.uint8)
    >>> normal = normalise(text, np.zeros(1, np.int32), np.array([text.size], np.int32))
    >>> normal.data[: normal.size].tobytes().decode()
    'strasse tanz dance'
    """
    room = GROWTH * int(np.maximum(lengths, 0).sum(dtype=np.int64))
    out = np.empty(room + SLACK + spare, np.uint8)
    out_starts, out_lengths = np.empty_like(starts), np.empty_like(lengths)
    known = foldings()
    size, hard = fold(data, starts, lengths, known.of, known.texts, out, out_starts, out_lengths)
    if hard == 0:
        return Normal(out, out_starts, out_lengths, int(size))
    rows = np.flatnonzero(out_lengths < 0)
    texts = [
        in_full(data[starts[row] : starts[row] + lengths[row]].tobytes().decode()).encode()
        for row in rows
    ]
    out_lengths[rows] = [len(text) for text in texts]
    ends = size + np.cumsum(out_lengths[rows])
    out_starts[rows] = ends - out_lengths[rows]
    behind = np.frombuffer(b"".join(texts), np.uint8)
    out = np.concatenate([out[:size], behind, np.empty(spare, np.uint8)])
    return Normal(out, out_starts, out_lengths, int(ends[-1]))


def in_full(text: str) -> str:
    """The normal form of any text, by the book.

    >>> in_full("VIE\\u0323\\u0302T")
    'việt'
    """
    shown = unicodedata.normalize("NFKC", text.translate(_HIDDEN))
    return unicodedata.normalize("NFKC", shown.casefold())
