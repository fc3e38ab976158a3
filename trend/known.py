"""What is known of the platform's reels at a tick, for those who ask about a few of them."""

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

I8 = npt.NDArray[np.int8]
I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]


class Seen(NamedTuple):
    """n reels that are known, in the order of their hashes."""

    authors: U64  # [n] hashes
    texts: U64  # [n] sketches of the captions (`trend.sketches`)
    ticks: I64  # [n] of effect
    engaged: I8  # [n, 2] codes of `trend.engagement`
    homes: U32  # [n, 2] region and language (`trend.homes`)


class Usual(NamedTuple):
    """How the platform's reels of some ticks are."""

    engaged: I64  # [2, 3] `trend.engagement.sums`
    homes: I64  # [2, 256] `trend.homes.sums`


class Known(Protocol):
    """What is known at a tick."""

    def reels(self, hashes: U64) -> Seen:
        """Return what is known of reels."""

    def volume(self, ticks: int) -> I64:
        """Return the platform's reels in so many ticks, int64[ticks], this one first."""

    def usual(self, ticks: int) -> Usual:
        """Return how its reels of so many ticks are, up to this one or the hour before."""
