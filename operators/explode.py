"""The step that takes reels apart into signals, grouped by shard."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from operators.blocks import SHARDS, Fresh, ShardRows, shard_name
from operators.normalise import normalise
from operators.strings import buffer, byte_lengths
from trend.characters import word_table
from trend.records import USE
from trend.signals import find, group
from trend.stopwords import stop_table

MAX_LABEL = 200
"""Characters of a sound's label that are kept."""


@dataclass(frozen=True, slots=True)
class Explode:
    """Reels into the sounds, hashtags and phrases they use, as rows for the shards.

    A signal's hash is XXH64 of its id's bytes with its kind's code as the seed, its shard the top
    six bits of that. Each signal counts once a reel. The label of a sound is its id, U+001F and the
    title and artist, which may be empty; the label of any other signal is its id.

    `max_phrases` is the number of distinct phrases taken from one reel, at least 0: the first ones
    of the caption, then of the transcript.
    """

    max_phrases: int = 64

    def __call__(self, fresh: Fresh) -> list[ShardRows]:
        """The rows of one poll by shard, in ascending order of shards.

        Only shards that have rows, unless `fresh.announce`: then all of them, because each must be
        told that the partition's watermark moved.
        """
        rows, labels, row_bounds, label_bounds = self._rows(fresh.reels)
        items = []
        for shard in range(SHARDS):
            start, stop = row_bounds[shard : shard + 2]
            if fresh.announce or stop > start:
                label_start, label_stop = label_bounds[shard : shard + 2]
                item = ShardRows(
                    shard=shard_name(shard),
                    partition=fresh.partition,
                    rows=rows[start:stop],
                    labels=labels[label_start:label_stop].tobytes(),
                    closed=fresh.closed,
                    end=fresh.end,
                    volume=fresh.volume,
                )
                items.append(item)
        return items

    def _rows(
        self, reels: pl.DataFrame
    ) -> tuple[npt.NDArray[np.void], npt.NDArray[np.uint8], list[int], list[int]]:
        if reels.is_empty():
            none = [0] * (SHARDS + 1)
            return np.zeros(0, USE), np.zeros(0, np.uint8), none, none
        hashtags = reels["hashtags"]
        given = hashtags.explode(empty_as_null=False, keep_nulls=False)
        tag_bounds = np.zeros(reels.height + 1, np.int64)
        np.cumsum(hashtags.list.len().fill_null(0), out=tag_bounds[1:])
        texts, text_starts, text_lengths = buffer(
            normalise(pl.concat([reels["caption"], reels["transcript"], given], rechunk=False))
        )
        labels, label_starts, label_lengths = buffer(_sound_labels(reels))
        sound_lengths = byte_lengths(reels["audio_id"])
        room = int(text_lengths[: 2 * reels.height].sum())
        data = np.concatenate([np.empty(room, np.uint8), texts, labels])
        found = find(
            data,
            text_starts + room,
            text_lengths,
            tag_bounds,
            label_starts + room + texts.size,
            sound_lengths,
            label_lengths,
            word_table(),
            stop_table(),
            self.max_phrases,
        )
        rows = np.empty(found.size, USE)
        row_labels = np.empty(int(found["length"].sum()), np.uint8)
        row_bounds, label_bounds = group(
            found,
            data,
            reels["author"].to_numpy(writable=True),
            reels["reel"].to_numpy(writable=True),
            reels["tick"].to_numpy(writable=True),
            reels["apply"].to_numpy(writable=True),
            reels["again"].to_numpy(writable=True),
            rows,
            row_labels,
        )
        return rows, row_labels, row_bounds.tolist(), label_bounds.tolist()


def _sound_labels(reels: pl.DataFrame) -> pl.Series:
    """Id, U+001F and label of each reel's sound; null where it has none."""
    label = pl.col("audio_label").fill_null("").str.head(MAX_LABEL)
    return reels.select(pl.concat_str("audio_id", pl.lit("\x1f"), label)).to_series()
