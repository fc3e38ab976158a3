"""The ids of the reels of the last days, so that a trend can name examples.

Shards know reels by their hashes alone. The ids go around them, straight to `operators.synthesise`,
in blocks that are kept sorted by hash and merged as they grow old.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from operators.blocks import Fresh

MERGE_UP_TO: Final = 1 << 16
"""Reels in a block at most."""


@dataclass(frozen=True, slots=True)
class ReelIds:
    """Reels of one poll: columns `reel` (hash), `apply` (tick of effect) and `reel_id`."""

    partition: str
    reels: pl.DataFrame
    closed: int
    end: bool


def reel_ids(fresh: Fresh) -> list[ReelIds]:
    """Return what the catalogue needs of a poll."""
    new = fresh.reels.filter(~pl.col("again")).select("reel", "apply", "reel_id")
    return [ReelIds(fresh.partition, new, fresh.closed, fresh.end)]


class Catalogue:
    """Reel ids by hash, for so many ticks and at most so many reels.

    What is found depends on the reels up to the tick asked for alone, not on how far ahead of it
    the partitions have been read.

    Args:
        ticks: how long a reel is kept.
        limit: reels of complete ticks that are kept at most; older ticks go first.
    """

    def __init__(self, ticks: int, limit: int) -> None:
        self._ticks = ticks
        self._limit = limit
        self._blocks: list[pl.DataFrame] = []
        self._per_tick: Counter[int] = Counter()

    def add(self, reels: pl.DataFrame) -> None:
        """Take reels with the columns of `ReelIds.reels`."""
        if not reels.height:
            return
        ticks, counts = np.unique(reels["apply"].to_numpy(), return_counts=True)
        self._per_tick.update(dict(zip(ticks.tolist(), counts.tolist(), strict=True)))
        self._blocks.append(reels.sort("reel", "apply"))
        while len(self._blocks) > 1:
            old, new = self._blocks[-2:]
            if old.height > 2 * new.height or old.height + new.height > MERGE_UP_TO:
                break
            self._blocks[-2:] = [pl.concat([old, new]).sort("reel", "apply")]

    def forget(self, tick: int) -> None:
        """Let go of blocks that hold nothing that could be asked for at `tick` or later."""
        oldest = self._oldest(tick)
        self._blocks = [block for block in self._blocks if _latest(block) >= oldest]
        for old in [at for at in self._per_tick if at < oldest]:
            del self._per_tick[old]

    def find(self, hashes: Iterable[int], tick: int) -> dict[int, str]:
        """Return the ids of those reels that are known at `tick`, by hash."""
        wanted = np.array(sorted(set(hashes)), np.uint64)
        oldest = self._oldest(tick)
        found: dict[int, str] = {}
        for block in self._blocks:
            at = _places(block["reel"].to_numpy(), wanted)
            if at.size == 0:
                continue
            for reel, apply, name in block[at].iter_rows():
                if oldest <= apply <= tick:
                    found[reel] = min(name, found.get(reel, name))
        return found

    def _oldest(self, tick: int) -> int:
        """Return the oldest tick whose reels are kept at `tick`."""
        oldest = tick - self._ticks
        reels = 0
        for at in sorted((t for t in self._per_tick if oldest < t <= tick), reverse=True):
            reels += self._per_tick[at]
            if reels > self._limit:
                return at + 1
        return oldest


def _latest(block: pl.DataFrame) -> int:
    latest = block["apply"].max()
    return latest if isinstance(latest, int) else 0


def _places(
    hashes: npt.NDArray[np.uint64], wanted: npt.NDArray[np.uint64]
) -> npt.NDArray[np.int64]:
    """Return where the wanted ones stand in `hashes`, which are sorted."""
    first, stop = np.searchsorted(hashes, wanted), np.searchsorted(hashes, wanted, "right")
    count = stop - first
    return np.repeat(stop - np.cumsum(count), count) + np.arange(count.sum())
