"""The signals of many reels: found in one pass, then brought together by shard in another."""

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.characters import Table
from trend.hashing import hash_slice
from trend.kinds import SOUND
from trend.words import FOUND, MAX_WORDS, SEEN, WORD, add, add_tag, scan, trim_tag

MAX_HASHTAGS: Final = 100
"""Per reel; further ones are ignored."""

SHARD_BITS: Final = 6
"""A signal's shard is the top bits of its hash."""

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


@njit(cache=True, nogil=True)
def find(
    data: Bytes,
    text_starts: Ints,
    text_lengths: Ints,
    tag_bounds: Ints,
    sound_starts: Ints,
    sound_lengths: Ints,
    label_lengths: Ints,
    classes: Table,
    stops: npt.NDArray[np.uint64],
    max_phrases: int,
) -> npt.NDArray[np.void]:
    """The sound, hashtags and phrases of each of n reels, each once a reel.

    Parameters, all places and lengths in bytes of `data` (uint8, UTF-8): `text_*` the n captions,
    the n transcripts and the hashtags that the reels came with, all in normal form; the hashtags of
    reel i are the texts from `2 * n + tag_bounds[i]` to `2 * n + tag_bounds[i + 1]`. `sound_*` of
    shape (n,), length 0 for none; `label_lengths`, below 2**16, of the sounds' labels, which begin
    with the ids. `classes` and `stops` as in `trend.words.scan`. `data` begins with as much free
    room as captions and transcripts take together: ids of phrases, and of hashtags from captions,
    are written there.

    Where a reel came without hashtags they are taken from its caption. Returns FOUND, in the order
    of the reels, with `at` a place in `data`.
    """
    n = sound_starts.size
    room = max_phrases + MAX_HASHTAGS + 1
    size = 1
    while size < 2 * room:
        size *= 2
    seen = np.empty(size, SEEN)
    seen["reel"][:] = -1
    words = np.empty(MAX_WORDS - 1, WORD)
    found = np.empty(24 * n + room, FOUND)
    count = 0
    out = 0
    for reel in range(n):
        if count + room > found.size:
            grown = np.empty(2 * found.size, FOUND)
            grown[:count] = found[:count]
            found = grown
        if sound_lengths[reel] > 0:
            start = sound_starts[reel]
            signal = hash_slice(data, start, sound_lengths[reel], np.uint64(SOUND))
            count = add(found, count, seen, reel, SOUND, signal, start, label_lengths[reel])
        before = count
        for text in range(2 * n + tag_bounds[reel], 2 * n + tag_bounds[reel + 1]):
            if count < before + MAX_HASHTAGS:
                at = text_starts[text]
                start, stop = trim_tag(data, at, at + text_lengths[text], classes)
                count = add_tag(data, start, stop, found, count, seen, reel)
        untagged = count == before
        left = max_phrases
        for text in (reel, n + reel):
            max_tags = MAX_HASHTAGS if untagged and text == reel else 0
            if text_lengths[text] > 0:
                at = text_starts[text]
                end = at + text_lengths[text]
                out, count, phrases = scan(
                    data,
                    at,
                    end,
                    classes,
                    stops,
                    out,
                    words,
                    found,
                    count,
                    seen,
                    reel,
                    left,
                    max_tags,
                )
                left -= phrases
    return found[:count]


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
        for byte in range(length):
            labels[to + byte] = data[entry["at"] + byte]
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
