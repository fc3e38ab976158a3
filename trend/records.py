"""Records that the counts are fed with."""

from typing import Final

import numpy as np

USE: Final = np.dtype(
    [
        ("signal", np.uint64),  # hash of the signal's kind and id
        ("author", np.uint64),  # hash of the author's id
        ("reel", np.uint64),  # hash of the reel's id
        ("tick", np.int32),  # tick of the reel's own time
        (
            "apply",
            np.int32,
        ),  # tick at which it takes effect: its own, or for a late reel the open one
        ("label_at", np.int32),  # start of the signal's label in the bytes that go with the records
        ("label_len", np.int32),
        ("kind", np.uint8),  # trend.kinds
        ("again", np.uint8),  # 1: the reel was seen before, only signals new to it count
    ]
)
"""One use of one signal by one reel (packed, 42 bytes)."""

VOLUME: Final = np.dtype([("apply", np.int32), ("tick", np.int32), ("reels", np.int64)])
"""Reels per (tick of effect, own tick): the platform's volume beside the signals."""
