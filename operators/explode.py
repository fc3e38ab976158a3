"""The step that takes reels apart into signals, grouped by shard."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from operators.blocks import SHARDS, Fresh, ShardRows, shard_name
from operators.normalise import normalise
from operators.reels import ARTIST, AUDIO_ID, CAPTION, TITLE, TRANSCRIPT
from operators.together import Together, together
from trend.characters import word_table
from trend.records import USE
from trend.signals import find, group
from trend.sounds import label_room, write_labels
from trend.stopwords import stop_table
from trend.words import FOUND

_SOUND: Final = (AUDIO_ID, TITLE, ARTIST)


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
        return self._by_shard(fresh, *self._found(fresh))

    def both(self, fresh: Fresh) -> tuple[list[ShardRows], Together]:
        """The same, and which sounds and hashtags the new reels have together."""
        found, data = self._found(fresh)
        return self._by_shard(fresh, found, data), together(fresh, found, data)

    def _by_shard(
        self, fresh: Fresh, found: npt.NDArray[np.void], data: npt.NDArray[np.uint8]
    ) -> list[ShardRows]:
        rows = np.empty(found.size, USE)
        labels = np.empty(int(found["length"].sum()), np.uint8)
        bounds = group(
            found,
            data,
            fresh.author,
            fresh.reel,
            fresh.tick,
            fresh.apply,
            fresh.again,
            rows,
            labels,
        )
        row_bounds, label_bounds = (one.tolist() for one in bounds)
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

    def _found(self, fresh: Fresh) -> tuple[npt.NDArray[np.void], npt.NDArray[np.uint8]]:
        """The signals of the reels, and the buffer that their labels are in."""
        reels = fresh.reels
        if len(reels) == 0:
            return np.zeros(0, FOUND), np.zeros(0, np.uint8)
        tag_starts, tag_lengths, tag_bounds = reels.tags()
        starts, lengths = reels.starts, reels.lengths
        texts = normalise(
            reels.data,
            np.concatenate([starts[:, CAPTION], starts[:, TRANSCRIPT], tag_starts]),
            np.concatenate([lengths[:, CAPTION], lengths[:, TRANSCRIPT], tag_lengths]),
            spare=label_room(lengths, _SOUND),
        )
        label_starts, label_lengths = write_labels(
            reels.data, starts, lengths, _SOUND, texts.data, texts.size
        )
        found = find(
            texts.data,
            texts.starts,
            texts.lengths,
            tag_bounds,
            label_starts,
            np.ascontiguousarray(lengths[:, AUDIO_ID]),
            label_lengths,
            word_table(),
            stop_table(),
            self.max_phrases,
        )
        return found, texts.data
