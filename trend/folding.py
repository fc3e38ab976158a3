"""Text in one form for one meaning, as far as each character can be replaced by itself.

The form is toNFKC_Casefold of the Unicode standard (3.13): NFKC, case-folded, without the code
points that show nothing. For most texts it is found character by character: the folding of a
character is then a string that neither composes nor changes places with what stands before it. A
text with a character of another sort (`HARD`), or with marks that are not in canonical order (the
quick check of UAX #15), is left to somebody who knows the whole of Unicode.
"""

import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.characters import (
    CODE_POINTS,
    EIGHT,
    HAN,
    HANGUL,
    HIGH_BITS,
    IGNORABLE,
    ascii_bytes,
    characters,
    decode_word,
    word_at,
)
from trend.lending import lent
from trend.unaligned import Int, store64

HARD: Final = 255
"""In `Foldings.of`: only the full normalisation is right for this code point."""

GROWTH: Final = 2
"""A text's normal form must not take more than so many times its bytes to be made here."""

SLACK: Final = 8
"""Bytes beyond the last text that may be written to."""

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Foldings:
    """What each code point becomes."""

    of: npt.NDArray[np.uint32]
    """Of shape (0x110000,). Below `HARD`: it stays as it is, and this is its canonical combining
    class, 0 but for marks. Above: the first `of & 255` bytes of `texts[of >> 8]` take its place."""
    texts: npt.NDArray[np.uint64]
    """UTF-8 of up to eight bytes, little-endian."""


@cache
def foldings() -> Foldings:
    """Return the foldings of all code points, made from `unicodedata` once per process."""
    of = np.full(CODE_POINTS, HARD, np.uint32)
    composing = _composing()
    texts = [0, 0]
    for code, character in characters():
        compatible = unicodedata.normalize("NFKC", character)
        folded = compatible.casefold()
        if folded != character:
            folded = unicodedata.normalize("NFKC", folded)
        if folded == character:
            if character not in composing and unicodedata.category(character) != "Cn":
                of[code] = unicodedata.combining(character)
        elif all(_stands_alone(text, composing) for text in (compatible, folded)):
            encoded = folded.encode()
            if len(encoded) <= 8:
                of[code] = len(texts) << 8 | len(encoded)
                texts.append(int.from_bytes(encoded, "little"))
    for block in IGNORABLE:
        of[block.start : block.stop] = 1 << 8
    for block in (*HAN, HANGUL):
        of[block.start : block.stop] = 0
    of.setflags(write=False)
    return Foldings(of, np.array(texts, np.uint64))


def _stands_alone(text: str, composing: frozenset[str]) -> bool:
    """Whether a text in NFKC neither joins nor reorders with what stands before it or after it."""
    decomposed = unicodedata.normalize("NFKD", text)
    return decomposed[0] not in composing and not any(
        unicodedata.combining(character) for character in (decomposed[0], text[-1])
    )


def _composing() -> frozenset[str]:
    """Characters that may join the one before them into one character."""
    found = {*map(chr, range(0x1161, 0x1176)), *map(chr, range(0x11A8, 0x11C3))}
    for _, character in characters():
        parts = unicodedata.decomposition(character).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            found.add(chr(int(parts[1], 16)))
    return frozenset(found)


@njit(cache=True, inline="always")
def _lower(word: np.uint64) -> np.uint64:
    """Eight characters in lower case, up to the first that is not ASCII."""
    above_z = word + EIGHT * np.uint64(0x7F - ord("Z"))
    from_a = word + EIGHT * np.uint64(0x80 - ord("A"))
    return word | ((above_z ^ from_a) & HIGH_BITS) >> np.uint64(2)


@njit(cache=True, nogil=True)
def fold(
    data: Bytes,
    starts: npt.NDArray[np.int32],
    lengths: npt.NDArray[np.int32],
    of: npt.NDArray[np.uint32],
    texts: npt.NDArray[np.uint64],
    out: Bytes,
    out_starts: npt.NDArray[np.int32],
    out_lengths: npt.NDArray[np.int32],
) -> tuple[Int, int]:
    """Write the normal form of n texts to `out`, one after the other.

    Parameters: `data` uint8, UTF-8; `starts`, `lengths` of shape (n,), in bytes, a negative length
    for none; `of`, `texts` of `Foldings`; `out` with room for `GROWTH` times the bytes of all
    texts and `SLACK` more; `out_starts`, `out_lengths` of shape (n,), which are filled. The length
    of a text that is hard is -1.

    Returns how many bytes were written, and how many texts are hard.
    """
    data, of, texts, out = lent(data), lent(of), lent(texts), lent(out)
    hard = 0
    to: Int = 0
    for row in range(starts.size):
        out_starts[row] = to
        at = np.int64(starts[row])
        end = at + max(0, lengths[row])
        stop = _fold_one(data, at, end, of, texts, out, to)
        out_lengths[row] = stop - to
        if stop < 0:
            out_lengths[row] = -1
            hard += 1
        else:
            to = stop
    return to, hard


@njit(cache=True, forceinline=True)
def _fold_one(
    data: Bytes,
    at: Int,
    end: Int,
    of: npt.NDArray[np.uint32],
    texts: npt.NDArray[np.uint64],
    out: Bytes,
    to: Int,
) -> Int:
    """Write the normal form of `data[at:end]` to `out[to:]`; where it ends, -1 if it is hard."""
    limit = to + GROWTH * (end - at)
    last = 0
    while at < end:
        word = word_at(data, at)
        width = min(ascii_bytes(word), end - at)
        if width > 0:
            store64(out, to, _lower(word))
            to += width
            last = 0
        else:
            code, width = decode_word(word)
            folding = of[code]
            if folding == HARD or 0 < folding < last:
                return -1
            if folding < HARD:
                store64(out, to, word)
                to += width
                last = folding
            elif folding & 0xFF > 0:
                store64(out, to, texts[folding >> 8])
                to += np.int64(folding & 0xFF)
                last = 0
                if to + (end - at - width) > limit:
                    return -1
        at += width
    return to
