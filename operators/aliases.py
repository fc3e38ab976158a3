"""Reels of the last day with the sound that they counted as, in case it proves to be another's."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from operators.blocks import Fresh
from operators.reels import TEXTS, Reels

I64 = npt.NDArray[np.int64]
Records = npt.NDArray[Any]

LOGGED: Final = np.dtype(
    [("reel", "u8"), ("author", "u8"), ("time", "i8"), ("sound", "i8"), ("tick", "i4")]
)
"""A reel: hashes, microseconds, number of its sound, tick of its own time."""


class Log:
    """Reels of young sounds, for so many ticks and at most so many; the oldest ticks go first."""

    def __init__(self, ticks: int, limit: int) -> None:
        self._ticks = ticks
        self._limit = limit
        self._by_tick: dict[int, Records] = {}

    def __len__(self) -> int:
        return sum([one.size for one in self._by_tick.values()])

    def add(self, tick: int, fresh: Fresh, sound: I64, born: I64) -> None:
        """Take the reels of a tick whose sounds, born in the ticks `born`, are young."""
        young = np.flatnonzero(born > tick - self._ticks)
        rows = np.zeros(young.size, LOGGED)
        rows["reel"], rows["author"] = fresh.reel[young], fresh.author[young]
        rows["time"], rows["tick"] = fresh.reels.time[young], fresh.tick[young]
        rows["sound"] = sound[young]
        self._by_tick[tick] = rows
        self.forget(tick)

    def forget(self, tick: int) -> None:
        """Let go of what is too old at a tick, or too much."""
        reels = len(self)
        for old in sorted(self._by_tick):
            if old > tick - self._ticks and reels <= self._limit:
                break
            reels -= self._by_tick.pop(old).size

    def renamed(self, ended: int, into: int) -> Records:
        """Have all reels of a sound be of another one, and return them, LOGGED."""
        found = [np.zeros(0, LOGGED)]
        for rows in self._by_tick.values():
            those = np.flatnonzero(rows["sound"] == ended)
            if those.size:
                rows["sound"][those] = into
                found.append(rows[those])
        return np.concatenate(found)

    def renumber(self, sounds: I64) -> None:
        """Keep the reels of some sounds (rising), and have the i-th of these be sound i."""
        for tick, rows in self._by_tick.items():
            kept = rows[np.isin(rows["sound"], sounds)]
            kept["sound"] = np.searchsorted(sounds, kept["sound"])
            self._by_tick[tick] = kept


def again(logged: Records, tick: int, texts: Mapping[int, bytes | None]) -> Fresh:
    """Return reels that take effect anew, with nothing but these texts, all the same.

    Args:
        logged: LOGGED.
        tick: when they take effect.
        texts: by column of `Reels`.
    """
    count = logged.size
    lengths = np.full((count, len(TEXTS)), -1, np.int32)
    none = np.zeros(count, np.int32)
    reels = replace(
        Reels.none(),
        starts=np.zeros_like(lengths),
        lengths=lengths,
        time=logged["time"].copy(),
        numbers=np.full((count, Reels.none().numbers.shape[1]), -1, np.int64),
        tag_first=none,
        tag_count=none,
    )
    for column, text in texts.items():
        reels = reels.with_texts(column, [text] * count)
    return Fresh(
        "",
        reels,
        logged["reel"].copy(),
        logged["author"].copy(),
        logged["tick"].copy(),
        np.full(count, tick, np.int32),
        np.ones(count, np.bool_),
        tick,
        False,
    )
