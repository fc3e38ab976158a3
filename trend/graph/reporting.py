"""Communities are reported as a shard reports its signals (`trend.bursts`)."""

from typing import NamedTuple

import numpy as np

from trend import bursts
from trend.compiled import kernel
from trend.expectation import PRIOR_AUTHORS
from trend.graph.arrays import F64, I64, U64, Bools, Int
from trend.graph.growth import sums
from trend.kinds import COMMUNITY
from trend.shard import ShardReports


class Told(NamedTuple):
    """C communities of which something is told, in W windows that end now."""

    id: U64  # [C]
    burst: Bools  # [C]
    window: I64  # [C] place of the most improbable one
    log10_p: F64  # [C]
    authors: I64  # [C, W]
    reels: I64  # [C, SERIES_HOURS] an hour, oldest first
    expected: F64  # [C, W]
    before: F64  # [C, W]
    volume: I64  # [W]


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
    lengths = np.array(windows)
    found = np.empty((together.shape[0], lengths.size)), np.empty((together.shape[0], lengths.size))
    here = np.empty(lengths.size, np.int64)
    _hold(sums(together), sums(volume[None])[0], lengths, *found, here)
    return Windows(*found, here)


@kernel
def _hold(together: I64, volume: I64, windows: I64, expected: F64, before: F64, here: I64) -> None:
    """Fill what `Windows` has, from sums."""
    hours = volume.size - 1
    for w in range(windows.size):
        start = max(hours - windows[w], 0)
        earlier = max(hours - 2 * windows[w], 0)
        here[w] = volume[hours] - volume[start]
        past, then = volume[start], max(volume[start] - volume[earlier], 1)
        for i in range(together.shape[0]):
            expected[i, w] = -1.0
            if past > 0:
                expected[i, w] = (together[i, start] + PRIOR_AUTHORS) * here[w] / past
            before[i, w] = (together[i, start] - together[i, earlier]) * here[w] / then


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


def reports(
    tick: int,
    hour: int,
    windows: tuple[int, ...],
    told: Told,
    details: dict[int, tuple[bytes, U64]],
    live: I64,
) -> ShardReports:
    """Return the reports of a tick, the last one of an hour.

    Args:
        windows: hours.
        details: label and sample of some of them, by their places, ascending.
    """
    count, at = told.id.size, np.array([*details], np.int64)
    numbers = np.zeros((count, bursts.NUMBERS), np.int64)
    until, volume = (np.zeros((count, len(windows)), np.int64) for _ in range(2))
    series = np.empty((at.size, bursts.SERIES_HOURS, 2))
    _tell(
        tick,
        hour,
        np.array(windows),
        told.burst,
        told.window,
        told.reels,
        told.expected,
        told.volume,
        at,
        numbers,
        until,
        volume,
        series,
    )
    labels = [label for label, _ in details.values()]
    samples = [sample[: bursts.SAMPLE] for _, sample in details.values()]
    for column, length, sizes in (
        (bursts.LABEL_AT, bursts.LABEL_LEN, [len(label) for label in labels]),
        (bursts.SAMPLE_AT, bursts.SAMPLE_LEN, [sample.size for sample in samples]),
    ):
        numbers[at, column], numbers[at, length] = np.cumsum(sizes) - sizes, sizes
    return ShardReports(
        tick,
        signal=told.id,
        numbers=numbers,
        log10_p=told.log10_p,
        authors=told.authors,
        reels=until,
        expected=told.expected,
        before=told.before,
        volume=volume,
        samples=np.concatenate([np.zeros(0, np.uint64), *samples]),
        series=series,
        labels=b"".join(labels),
        live=live,
    )


@kernel
def _tell(
    tick: Int,
    hour: Int,
    windows: I64,
    burst: Bools,
    window: I64,
    reels: I64,
    expected: F64,
    volume: I64,
    detailed: I64,
    numbers: I64,
    until: I64,
    volumes: I64,
    series: F64,
) -> None:
    """Fill all from `numbers` on; `detailed` are the places of those with a series."""
    last = reels.shape[1] - 1
    for i in range(burst.size):
        first: Int = np.int64(0)
        total = np.int64(0)
        w = 0
        for age in range(windows[windows.size - 1]):
            total += reels[i, last - age]
            if reels[i, last - age] > 0 and age < windows[window[i]]:
                first = age
            if age + 1 == windows[w]:
                until[i, w], volumes[i, w] = total, volume[w]
                w += 1
        numbers[i, bursts.TICK], numbers[i, bursts.KIND] = tick, COMMUNITY
        numbers[i, bursts.BURST], numbers[i, bursts.WINDOW] = burst[i], window[i]
        numbers[i, bursts.ONSET] = (hour - first) * ((tick + 1) // (hour + 1))
        numbers[i, bursts.HOUR_REELS] = reels[i, last]
    for k in range(detailed.size):
        i = detailed[k]
        numbers[i, bursts.SERIES_AT] = k
        an_hour = max(expected[i, windows.size - 1], 0.0) / windows[windows.size - 1]
        for h in range(series.shape[1]):
            series[k, h, 0], series[k, h, 1] = reels[i, h], an_hour
