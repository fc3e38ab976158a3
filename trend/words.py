"""Hashtags and phrases of a text.

A phrase is 2 to 4 words in a row. Its id is its words with single spaces between them; in scripts
that write no spaces between words (Han, kana, Thai, Lao, Khmer, Myanmar …) a letter with its marks
stands for a word and the id has no spaces. What is a word:

- letters, marks and digits, with apostrophes and hyphens that stand between two of them;
- links, @mentions and #tags are no words, and end a phrase as all punctuation, symbols and line
  ends do;
- a phrase does not mix scripts with and without spaces, and spaces end a phrase of the latter.

A phrase does not begin or end with a frequent word (`trend.stopwords`) or a single letter (a
default that works in every alphabet), and is not made of digits alone. A hashtag is letters, marks,
digits and underscores after `#`, at least one of them a letter.

Texts are UTF-8 in normal form (NFKC, case-folded). An id is a slice of its text: where words stand
further apart than one space, or with apostrophes of another form, they are first moved together, to
the left, over what was read already.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.characters import DENSE, DIGIT, JOINER, LETTER, MARK, SPACE, Table, decode, letters_at
from trend.hashing import hash_slice
from trend.kinds import HASHTAG, PHRASE
from trend.stopwords import is_stop
from trend.unaligned import Int

MAX_WORDS: Final = 4
MAX_ID_BYTES: Final = 256
"""A longer phrase or hashtag is no signal."""

FOUND = np.dtype(
    [
        ("signal", np.uint64),  # hash of the id, seeded by kind
        ("at", np.int64),  # start of the label in the buffer, bytes
        ("reel", np.int32),  # row of the reel
        ("length", np.uint16),  # of the label, bytes
        ("kind", np.uint8),
    ],
    align=True,
)
"""One use of one signal by one reel, before it is given to a shard."""

SEEN = np.dtype([("signal", np.uint64), ("reel", np.int64)])
"""A slot of the set of one reel's signals; a slot of another reel is free."""

WORD = np.dtype([("start", np.int64), ("edge", np.int64), ("digits", np.int64)])
"""A word before the present one: where it starts, if it may be an edge, if it is digits only."""

_HASH: Final = 0x23
_AT: Final = 0x40
_UNDERSCORE: Final = 0x5F
_LINKS: Final = (b"https://", b"http://", b"www.")


@njit(cache=True, forceinline=True)
def add(
    found: npt.NDArray[np.void],
    count: Int,
    seen: npt.NDArray[np.void],
    reel: Int,
    kind: int,
    signal: np.uint64,
    at: Int,
    length: Int,
) -> Int:
    """Note a signal unless this reel has it already; returns the number of entries in `found`.

    `seen` is an open-addressing set of SEEN that must have more room than one reel has signals.
    """
    mask = np.int64(seen.size - 1)
    slot = np.int64(signal & np.uint64(mask))
    while seen[slot]["reel"] == reel:
        if seen[slot]["signal"] == signal:
            return count
        slot = (slot + 1) & mask
    seen[slot]["reel"] = reel
    seen[slot]["signal"] = signal
    found[count]["signal"] = signal
    found[count]["at"] = at
    found[count]["length"] = length
    found[count]["reel"] = reel
    found[count]["kind"] = kind
    return count + 1


@njit(cache=True, forceinline=True)
def add_tag(
    data: npt.NDArray[np.uint8],
    start: Int,
    stop: Int,
    found: npt.NDArray[np.void],
    count: Int,
    seen: npt.NDArray[np.void],
    reel: Int,
) -> Int:
    """Note the hashtag `data[start:stop]` if it is not empty and not too long; the new `count`."""
    length = stop - start
    if length < 1 or length > MAX_ID_BYTES:
        return count
    signal = hash_slice(data, start, length, np.uint64(HASHTAG))
    return add(found, count, seen, reel, HASHTAG, signal, start, length)


# One piece, because a call for each word's phrases makes the whole pass a third slower.
@njit(cache=True, forceinline=True)
def scan(  # noqa: PLR0912, PLR0915
    data: npt.NDArray[np.uint8],
    at: Int,
    end: Int,
    classes: Table,
    stops: npt.NDArray[np.uint64],
    words: npt.NDArray[np.void],
    found: npt.NDArray[np.void],
    count: Int,
    seen: npt.NDArray[np.void],
    reel: Int,
    max_phrases: Int,
    max_tags: int,
) -> tuple[Int, Int]:
    """Find the phrases and hashtags of one text, in the order of their last characters.

    Parameters: `data` uint8, of which the text is `[at, end)`, which is changed; `classes` of
    `trend.characters.word_table`; `stops` of `trend.stopwords.stop_table`; `words` WORD of shape
    (3,), to work in; `found`, `count`, `seen`, `reel` as in `add`; at most `max_phrases` phrases
    and `max_tags` hashtags new to the reel are noted.

    Returns the new `count`, and the number of phrases noted.
    """
    out = at  # where the next word goes
    held: Int = 0  # words of the running phrase in `words`, nearest first
    dense = False
    phrases: Int = 0
    tags: Int = 0
    while at < end and (phrases < max_phrases or tags < max_tags):
        code, width = decode(data, at)
        kind = classes[code]
        if kind == SPACE:
            at += width
            held = 0 if dense else held
            continue
        if kind not in (LETTER, DIGIT, DENSE):
            at += width
            held = 0
            if code == _HASH:
                before = count
                start = at
                at, lettered = _skip_tag(data, at, end, classes)
                if lettered and tags < max_tags:
                    count = add_tag(data, start, at, found, count, seen, reel)
                tags += count - before
            elif code == _AT:
                at = _skip_mention(data, at, end, classes)
            continue
        if _is_link(data, at, end):
            at = _skip_link(data, at, end)
            held = 0
            continue
        held = held if dense == (kind == DENSE) else 0
        dense = kind == DENSE
        if held == 0:
            out = at
        elif not dense:
            data[out] = 0x20
            out += 1
        start = out
        if dense:
            at, out = _move_letter(data, at, end, classes, out)
            characters, only_digits = 2, False
        else:
            at, out, characters, only_digits = _move_word(data, at, end, classes, out)
        edge = (characters > 1 or only_digits) and not is_stop(
            stops, hash_slice(data, start, out - start, np.uint64(0))
        )
        all_digits = only_digits
        for i in range(held if edge else 0):
            all_digits = all_digits and words[i]["digits"]
            begin = words[i]["start"]
            length = out - begin
            if words[i]["edge"] and not all_digits and length <= MAX_ID_BYTES:
                if phrases == max_phrases:
                    break
                signal = hash_slice(data, begin, length, np.uint64(PHRASE))
                before = count
                count = add(found, count, seen, reel, PHRASE, signal, begin, length)
                phrases += count - before
        held = _hold(words, held, start, edge, only_digits)
    return count, phrases


@njit(cache=True, forceinline=True)
def _hold(words: npt.NDArray[np.void], held: Int, start: Int, edge: bool, only_digits: bool) -> Int:
    """Put a word before those held; returns how many are held then."""
    held = min(held + 1, MAX_WORDS - 1)
    for i in range(held - 1, 0, -1):
        words[i] = words[i - 1]
    words[0]["start"] = start
    words[0]["edge"] = edge
    words[0]["digits"] = only_digits
    return held


@njit(cache=True, inline="always")
def _move(data: npt.NDArray[np.uint8], at: Int, width: Int, out: Int) -> Int:
    """Move some bytes to the left; returns where they end."""
    if out < at:
        for i in range(width):
            data[out + i] = data[at + i]
    return out + width


@njit(cache=True, forceinline=True)
def _move_word(
    data: npt.NDArray[np.uint8],
    at: Int,
    end: Int,
    classes: Table,
    out: Int,
) -> tuple[Int, Int, int, bool]:
    """Move a word; returns where it ended and ends, its characters, and if all are digits."""
    characters = 0
    only_digits = True
    while at < end:
        letters = letters_at(data, at, end)
        if letters > 0:
            out = _move(data, at, letters, out)
            at += letters
            characters += int(letters)
            only_digits = False
            continue
        code, width = decode(data, at)
        kind = classes[code]
        if kind == LETTER:
            only_digits = False
            characters += 1
        elif kind == DIGIT:
            characters += 1
        elif kind == JOINER:
            if at + width >= end:
                break
            after = classes[decode(data, at + width)[0]]
            if after not in (LETTER, DIGIT):
                break
            if code in (0x2018, 0x2019, 0x2BC, 0x2010):
                data[out] = 0x2D if code == 0x2010 else 0x27
                out += 1
                at += width
                continue
        elif kind != MARK:
            break
        out = _move(data, at, width, out)
        at += width
    return at, out, characters, only_digits


@njit(cache=True, forceinline=True)
def _move_letter(
    data: npt.NDArray[np.uint8],
    at: Int,
    end: Int,
    classes: Table,
    out: Int,
) -> tuple[Int, Int]:
    """Move one letter and its marks; returns where it ended and ends."""
    _, width = decode(data, at)
    while True:
        out = _move(data, at, width, out)
        at += width
        if at >= end:
            break
        code, width = decode(data, at)
        if classes[code] != MARK:
            break
    return at, out


@njit(cache=True, forceinline=True)
def _skip_tag(data: npt.NDArray[np.uint8], at: Int, end: Int, classes: Table) -> tuple[Int, bool]:
    """Where a hashtag ends, and whether it has a letter."""
    lettered = False
    while at < end:
        letters = letters_at(data, at, end)
        if letters > 0:
            at += letters
            lettered = True
            continue
        code, width = decode(data, at)
        kind = classes[code]
        if kind in (LETTER, DENSE):
            lettered = True
        elif kind not in (MARK, DIGIT) and code != _UNDERSCORE:
            break
        at += width
    return at, lettered


@njit(cache=True, forceinline=True)
def _skip_mention(data: npt.NDArray[np.uint8], at: Int, end: Int, classes: Table) -> Int:
    while at < end:
        code, width = decode(data, at)
        kind = classes[code]
        if kind not in (LETTER, DENSE, MARK, DIGIT, JOINER) and code != 0x2E:
            break
        at += width
    return at


@njit(cache=True, forceinline=True)
def _skip_link(data: npt.NDArray[np.uint8], at: Int, end: Int) -> Int:
    while at < end and 0x20 < data[at] < 0x7F:
        at += 1
    return at


@njit(cache=True, forceinline=True)
def _is_link(data: npt.NDArray[np.uint8], at: Int, end: Int) -> bool:
    if data[at] != 0x68 and data[at] != 0x77:  # h, w
        return False
    for prefix in _LINKS:
        if at + len(prefix) <= end:
            same = True
            for i in range(len(prefix)):
                same = same and data[at + i] == prefix[i]
            if same:
                return True
    return False


@njit(cache=True, forceinline=True)
def trim_tag(data: npt.NDArray[np.uint8], at: Int, end: Int, classes: Table) -> tuple[Int, Int]:
    """A hashtag without the `#` before it and the white space around it: its start and stop."""
    while at < end and (data[at] == _HASH or _space_width(data, at, classes) > 0):
        at += max(1, _space_width(data, at, classes))
    while at < end:
        last = end - 1
        while data[last] & 0xC0 == 0x80:
            last -= 1
        if _space_width(data, last, classes) == 0:
            break
        end = last
    return at, end


@njit(cache=True, forceinline=True)
def _space_width(data: npt.NDArray[np.uint8], at: Int, classes: Table) -> Int:
    """Bytes of the white space or control character at `at`, 0 if it is something else."""
    code, width = decode(data, at)
    return width if classes[code] == SPACE or code < 0x20 else 0
