"""What a shard may use: windows and thresholds, and its budget of memory."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from trend import layout as k
from trend.expectation import check_windows

MIN_SIGNAL: Final = k.ROW_BYTES + k.PAGE_BYTES
"""Bytes of a signal with one page of history and no label."""
MIN_ROWS: Final = 64
MIN_LOG: Final = 256
MIN_PAIRS: Final = 256
RESERVED_MB: Final = 512
"""For all but the counts: the interpreter and its packages, the polls under way, the catalogue."""


def for_counts(memory_mb: int) -> int:
    """Return what the counts may take of a process's memory, in the same unit: a half at least."""
    return max(memory_mb - RESERVED_MB, memory_mb // 2)


@dataclass(frozen=True)
class ShardSettings:
    """What all shards have in common.

    Raises:
        ValueError: if a value cannot be used, with its name.
    """

    tick_seconds: int
    """Length of a tick; divides an hour."""
    windows_h: tuple[int, ...]
    """Window lengths in hours, rising, at most 24."""
    min_authors: int
    min_growth: float
    memory_bytes: int
    """Budget of one shard."""

    def __post_init__(self) -> None:
        check_windows(self.windows_h)
        if self.tick_seconds < 1 or 3600 % self.tick_seconds:
            raise ValueError(f"tick_seconds is {self.tick_seconds}, expected a divisor of 3600")

    @cached_property
    def ticks_per_hour(self) -> int:
        """Ticks in an hour."""
        return 3600 // self.tick_seconds

    @cached_property
    def max_bytes(self) -> int:
        """For admitted signals with their labels and history: half of the budget."""
        return max(MIN_ROWS * MIN_SIGNAL, self.memory_bytes // 2)

    @cached_property
    def max_rows(self) -> int:
        """Signals in the table, if each had the least of history."""
        return self.max_bytes // MIN_SIGNAL

    @cached_property
    def max_uses(self) -> int:
        """Uses in the log, a power of two: up to three tenths of the budget."""
        return max(MIN_LOG, power_below(int(self.memory_bytes * 0.3) // (k.LOGGED.itemsize + 4)))

    @cached_property
    def max_pairs(self) -> int:
        """Places for pairs: a fifth of the budget."""
        return max(MIN_PAIRS, self.memory_bytes // 5 // k.PAIR.itemsize)


def power_below(number: int) -> int:
    """Return the largest power of two that is at most `number`, 1 at least."""
    return 1 << max(number.bit_length() - 1, 0)
