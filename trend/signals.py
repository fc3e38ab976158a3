"""The signals of many reels: found in one pass, then brought together by shard in another."""

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.characters import Table
from trend.hashing import hash_slice
from trend.kinds import SOUND
from trend.lending import lent
from trend.unaligned import Int, copy
from trend.words import FOUND, MAX_WORDS, SEEN, WORD, add, add_tag, scan, trim_tag

MAX_HASHTAGS: Final = 100
"""Per reel; further ones are ignored."""

SHARD_BITS: Final = 6
"""A signal's shard is the top bits of its hash."""

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]


def find(
    data: Bytes,
    text_starts: Places,
    text_lengths: Places,
    tag_bounds: Ints,
    sound_starts: Places,
    sound_lengths: Places,
    label_lengths: Places,
    classes: Table,
    stops: npt.NDArray[np.uint64],
    max_phrases: int,
) -> npt.NDArray[np.void]:
    """The sound, hashtags and phrases of each of n reels, each once a reel.

    Parameters, all places and lengths in bytes of `data` (uint8, UTF-8): `text_*` the n captions,
    the n transcripts and the hashtags that the reels came with, all in normal form; the hashtags of
    reel i are the texts from `2 * n + tag_bounds[i]` to `2 * n + tag_bounds[i + 1]`. `sound_*` of
    shape (n,), length below 1 for none; `label_lengths`, below 2**16, of the sounds' labels, which
    begin with the ids. `classes` and `stops` as in `trend.words.scan`, which changes captions and
    transcripts.

    Where a reel came without hashtags they are taken from its caption. Returns FOUND, in the order
    of the reels, with `at` a place in `data`.
    """
    n = sound_starts.size
    room = max_phrases + MAX_HASHTAGS + 1
    seen = np.empty(1 << (2 * room - 1).bit_length(), SEEN)
    seen["reel"] = -1
    words = np.empty(MAX_WORDS - 1, WORD)
    found = np.empty(16 * n + room, FOUND)
    reel = 0
    count: Int = 0
    while True:
        reel, count = _find(
            data,
            text_starts,
            text_lengths,
            tag_bounds,
            sound_starts,
            sound_lengths,
            label_lengths,
            classes,
            stops,
            max_phrases,
            seen,
            words,
            found,
            reel,
            count,
        )
        if reel == n:
            return found[:count]
        found = np.concatenate([found[:count], np.empty(found.size, FOUND)])


@njit(cache=True, nogil=True)
def _find(
    data: Bytes,
    text_starts: Places,
    text_lengths: Places,
    tag_bounds: Ints,
    sound_starts: Places,
    sound_lengths: Places,
    label_lengths: Places,
    classes: Table,
    stops: npt.NDArray[np.uint64],
    max_phrases: int,
    seen: npt.NDArray[np.void],
    words: npt.NDArray[np.void],
    found: npt.NDArray[np.void],
    reel: int,
    count: Int,
) -> tuple[int, Int]:
    """Go on with `find` from `reel` on until `found` might not hold another; the new two."""
    data, classes, stops = lent(data), lent(classes), lent(stops)
    seen, words, found = lent(seen), lent(words), lent(found)
    n = sound_starts.size
    room = max_phrases + MAX_HASHTAGS + 1
    while reel < n and count + room <= found.size:
        if sound_lengths[reel] > 0:
            start = np.int64(sound_starts[reel])
            length = np.int64(sound_lengths[reel])
            signal = hash_slice(data, start, length, np.uint64(SOUND))
            count = add(found, count, seen, reel, SOUND, signal, start, label_lengths[reel])
        before = count
        for text in range(2 * n + tag_bounds[reel], 2 * n + tag_bounds[reel + 1]):
            if count < before + MAX_HASHTAGS:
                at = np.int64(text_starts[text])
                first, stop = trim_tag(data, at, at + text_lengths[text], classes)
                count = add_tag(data, first, stop, found, count, seen, reel)
        untagged = count == before
        left: Int = max_phrases
        for text in (reel, n + reel):
            max_tags = MAX_HASHTAGS if untagged and text == reel else 0
            if text_lengths[text] > 0:
                at = np.int64(text_starts[text])
                end = at + text_lengths[text]
                count, phrases = scan(
                    data, at, end, classes, stops, words, found, count, seen, reel, left, max_tags
                )
                left -= phrases
        reel += 1
    return reel, count


@njit(cache=True, nogil=True)
def group(
    found: npt.NDArray[np.void],
    data: Bytes,
    authors: npt.NDArray[np.uint64],
    reels: npt.NDArray[np.uint64],
    ticks: npt.NDArray[np.int32],
    applies: npt.NDArray[np.int32],
    again: npt.NDArray[np.bool_],
    rows: npt.NDArray[np.void],
    labels: Bytes,
) -> tuple[Ints, Ints]:
    """Sort found signals by shard, keeping their order within one (a counting sort).

    Parameters: `found` of `find` and its `data`; `authors` … `again` of shape (n,), one entry a
    reel; `rows` USE of shape (found.size,) and `labels` uint8 with room for all labels: both are
    filled.

    Returns the bounds of the shards in `rows` and in `labels`, int64 of shape (65,). `label_at`
    counts from the start of the shard's labels.
    """
    found, data, rows, labels = lent(found), lent(data), lent(rows), lent(labels)
    shards = 1 << SHARD_BITS
    shift = np.uint64(64 - SHARD_BITS)
    row_bounds = np.zeros(shards + 1, np.int64)
    label_bounds = np.zeros(shards + 1, np.int64)
    for i in range(found.size):
        shard = int(found[i]["signal"] >> shift)
        row_bounds[shard + 1] += 1
        label_bounds[shard + 1] += found[i]["length"]
    for shard in range(shards):
        row_bounds[shard + 1] += row_bounds[shard]
        label_bounds[shard + 1] += label_bounds[shard]
    next_row = row_bounds.copy()
    next_label = label_bounds.copy()
    for i in range(found.size):
        entry = found[i]
        shard = int(entry["signal"] >> shift)
        row = rows[next_row[shard]]
        next_row[shard] += 1
        to = next_label[shard]
        length = int(entry["length"])
        next_label[shard] += length
        copy(data, np.int64(entry["at"]), length, labels, to)
        reel = entry["reel"]
        row["signal"] = entry["signal"]
        row["author"] = authors[reel]
        row["reel"] = reels[reel]
        row["tick"] = ticks[reel]
        row["apply"] = applies[reel]
        row["label_at"] = to - label_bounds[shard]
        row["label_len"] = length
        row["kind"] = entry["kind"]
        row["again"] = again[reel]
    return row_bounds, label_bounds
