"""Communities are reported as a shard reports its signals (`trend.bursts`)."""

from typing import Any, NamedTuple

import numpy as np

from trend import bursts
from trend.expectation import PRIOR_AUTHORS
from trend.graph.arrays import F64, I64, U64
from trend.shard import ShardReports


class Row(NamedTuple):
    """A report; the names are those of `trend.shard.ShardReports`."""

    numbers: I64
    log10_p: float
    authors: I64
    reels: I64
    expected: F64
    before: F64
    volume: I64
    sample: U64
    series: F64
    label: bytes


class Windows(NamedTuple):
    """C communities in W windows that end now."""

    expected: F64  # [C, W] authors that the past lets expect; -1: unknown
    before: F64  # [C, W] authors in the window before it, scaled to this one's volume
    volume: I64  # [W] reels of the platform


def in_windows(together: I64, volume: I64, windows: tuple[int, ...]) -> Windows:
    """Hold windows against what was before them.

    Args:
        together: authors an hour, int64[C, T].
        volume: reels of the platform an hour, int64[T].
        windows: hours.

    Example:
        >>> found = in_windows(np.array([[1, 1, 4, 5]]), np.array([9, 9, 18, 18]), (1, 2))
        >>> found.expected.tolist(), found.before.tolist(), found.volume.tolist()
        ([[3.25, 5.0]], [[4.0, 4.0]], [18, 36])
    """
    hours = volume.size
    sums = np.concatenate([volume[None], together])
    sums = np.concatenate([np.zeros((sums.shape[0], 1), np.int64), sums.cumsum(axis=1)], axis=1)
    start = np.maximum(hours - np.array(windows), 0)
    earlier = np.maximum(hours - 2 * np.array(windows), 0)
    here = sums[0, -1] - sums[0, start]
    past, then = sums[0, start], sums[0, start] - sums[0, earlier]
    expected = (sums[1:, start] + PRIOR_AUTHORS) * here / np.maximum(past, 1)
    before = (sums[1:, start] - sums[1:, earlier]) * here / np.maximum(then, 1)
    return Windows(np.where(past > 0, expected, -1.0), before, here)


def nothing(tick: int, windows: int, live: I64 | None = None) -> ShardReports:
    """Return no reports on the ticks up to this one; `live` as in `trend.bursts.Reports`."""
    numbers, floats = np.zeros((0, windows), np.int64), np.zeros((0, windows))
    none = np.zeros(0, np.uint64)
    return ShardReports(
        tick,
        signal=none,
        numbers=np.zeros((0, bursts.NUMBERS), np.int64),
        log10_p=np.zeros(0),
        authors=numbers,
        reels=numbers,
        expected=floats,
        before=floats,
        volume=numbers,
        samples=none,
        series=np.zeros((0, bursts.SERIES_HOURS, 2)),
        labels=b"",
        live=np.zeros((0, 2), np.int64) if live is None else live,
    )


def reports(tick: int, ids: list[int], rows: list[Row], live: I64) -> ShardReports:
    """Return the reports of a tick, of the communities with these ids."""
    if not rows:
        raise ValueError("there are no reports: expected at least one (see `nothing`)")
    numbers = np.stack([row.numbers for row in rows])
    for column, sizes in (
        (bursts.LABEL_AT, [len(row.label) for row in rows]),
        (bursts.SAMPLE_AT, [row.sample.size for row in rows]),
        (bursts.SERIES_AT, [1] * len(rows)),
    ):
        numbers[:, column] = np.cumsum(sizes) - sizes
    numbers[:, bursts.LABEL_LEN] = [len(row.label) for row in rows]
    numbers[:, bursts.SAMPLE_LEN] = [row.sample.size for row in rows]
    columns: dict[str, Any] = {
        name: np.stack([getattr(row, name) for row in rows])
        for name in ("log10_p", "authors", "reels", "expected", "before", "volume", "series")
    }
    return ShardReports(
        tick,
        signal=np.array(ids, np.uint64),
        numbers=numbers,
        samples=np.concatenate([row.sample for row in rows]),
        labels=b"".join(row.label for row in rows),
        live=live,
        **columns,
    )
