"""Which pairs of signals come together more often than their members and their past explain.

Pairs are far too many to keep. As in SigniTrend they are counted in a fixed number of buckets: each
pair has several, which it shares with others, and the smallest value is the best, never too small.
A bucket holds the authors of the current and the last window, and exponentially weighted mean and
mean square of those before; it is brought up to date when it is touched, so that a tick costs
nothing but its pairs. Counts are integers within a tick; the floats move from window to window.

The authors x of the current and the last window are held against two expectations, both scaled by
the platform's volume V in these windows:

    independence  a * b / V, of the authors a and b of the members in the same windows
    history       mean / (mean volume) * V, as dispersed as it was

and the less significant tail of the two negative binomials is the pair's (`trend.significance`). A
pair of evergreens is explained by the first or, as they go together, by the second.

Sources: Schubert, Weiler & Kriegel, "SigniTrend: scalable detection of emerging topics in textual
streams by hashed significance thresholds" (KDD 2014); Cormode & Muthukrishnan, "An improved data
stream summary: the count-min sketch" (2005).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numba import njit

from trend.compiled import inlined, kernel, prefetch
from trend.expectation import with_floor
from trend.graph.arrays import F64, I64, U64, Int, Records
from trend.hashing import mix64
from trend.significance import log10_upper_tail

BUCKET: Final = np.dtype(
    [
        ("window", np.int32),  # of `now`
        ("now", np.int32),  # authors
        ("last", np.int32),
        ("mean", np.float32),  # of the windows before, not corrected for a short past
        ("square", np.float32),
    ]
)
NONE: Final = -1
_AHEAD: Final = 16
"""Keys ahead of which memory is asked for."""

# Places in `Buckets.n`.
FIRST: Final = 0  # window
WINDOW: Final = 1

# Places in `Buckets.volume`.
NOW: Final = 0
LAST: Final = 1
MEAN: Final = 2


@dataclass(frozen=True)
class PairSettings:
    """Memory, windows and thresholds.

    Raises:
        ValueError: if a value cannot be used, with its name.
    """

    buckets: int = 1 << 20
    """A power of two; 20 bytes each."""
    hashes: int = 2
    """Buckets of a pair, >= 1."""
    window_ticks: int = 144
    """A day, so that the hours of the day are alike in every window."""
    half_life_windows: float = 10.0
    """Of the history, > 0."""
    min_windows: int = 1
    """Windows of history before anything is significant, >= 1."""
    min_authors: int = 4
    min_growth: float = 3.0
    """Authors over either expectation below which nothing is significant."""

    def __post_init__(self) -> None:
        if self.buckets < 1 or self.buckets & (self.buckets - 1):
            raise ValueError(f"buckets is {self.buckets}, expected a power of two")
        for name in ("hashes", "window_ticks", "half_life_windows", "min_windows"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected above 0")

    @cached_property
    def decay(self) -> float:
        """What a window leaves of the weight of those before."""
        return float(0.5 ** (1.0 / self.half_life_windows))


class Buckets(NamedTuple):
    """Counts of pairs, or of signals, by their hashes."""

    n: I64
    volume: F64  # [3] of the platform
    slots: Records  # BUCKET[buckets]


def empty(settings: PairSettings) -> Buckets:
    """Return the counts of nothing."""
    n = np.full(2, NONE, np.int64)
    return Buckets(n, np.zeros(3), np.zeros(settings.buckets, BUCKET))


def count(
    b: Buckets, settings: PairSettings, keys: U64, authors: I64, volume: int, tick: int
) -> I64:
    """Count a tick's uses, or a part of them, in place; their order does not matter.

    Args:
        keys: hashes of pairs (`trend.graph.pairing.pair_key`) or signals, uint64[n].
        authors: distinct authors of each in this tick, int64[n].
        volume: reels of the platform in this tick or part.
        tick: not before that of the last call.

    Returns:
        What `uses` says of each, int64[n], or less: those after it in `keys` are not counted yet.
    """
    _advance(b, settings, volume, tick)
    found = np.empty(keys.size, np.int64)
    _count(b.slots, keys, authors, settings.hashes, int(b.n[WINDOW]), settings.decay, found)
    return found


def count_each(b: Buckets, settings: PairSettings, keys: U64, volume: int, tick: int) -> None:
    """As `count`, of one author each; a key may come several times."""
    _advance(b, settings, volume, tick)
    _count_each(b.slots, keys, settings.hashes, int(b.n[WINDOW]), settings.decay)


def _advance(b: Buckets, settings: PairSettings, volume: int, tick: int) -> None:
    window = tick // settings.window_ticks
    if b.n[WINDOW] == NONE:
        b.n[FIRST] = b.n[WINDOW] = window
    while b.n[WINDOW] < window:
        b.n[WINDOW] += 1
        b.volume[MEAN] += (1.0 - settings.decay) * (b.volume[LAST] - b.volume[MEAN])
        b.volume[LAST] = b.volume[NOW]
        b.volume[NOW] = 0.0
    b.volume[NOW] += volume


def volume(b: Buckets) -> float:
    """Return the reels of the platform in the current and the last window."""
    return float(b.volume[NOW] + b.volume[LAST])


def uses(b: Buckets, settings: PairSettings, keys: U64) -> I64:
    """Return the authors of each in the current and the last window, never too few."""
    found = np.empty(keys.size, np.int64)
    _uses(b.slots, keys, settings.hashes, int(b.n[WINDOW]), settings.decay, found)
    return found


class Significance(NamedTuple):
    """Of n pairs."""

    log10_p: F64  # 0: not significant, or not known yet
    authors: I64  # in the current and the last window
    expected: F64  # the larger expectation


def significance(
    b: Buckets, settings: PairSettings, keys: U64, first: I64, second: I64
) -> Significance:
    """Hold pairs against independence and their history.

    Args:
        keys: of pairs that were counted, uint64[n].
        first, second: authors of their members in the same windows (`uses`), int64[n].

    Example:
        >>> settings = PairSettings(buckets=64, window_ticks=1)
        >>> b, pair, one = empty(settings), np.array([9], np.uint64), np.ones(1, np.int64)
        >>> for tick in range(9):
        ...     _ = count(b, settings, pair, one, volume=1000, tick=tick)
        >>> count(b, settings, pair, 20 * one, volume=1000, tick=9).item()
        21
        >>> found = significance(b, settings, pair, 50 * one, 70 * one)
        >>> found.log10_p.round(1).item(), found.authors.item(), found.expected.round(3).item()
        (-8.9, 21, 2.0)
    """
    log10_p, authors = np.zeros(keys.size), np.zeros(keys.size, np.int64)
    expected = np.full(keys.size, -1.0)
    windows = int(b.n[WINDOW] - b.n[FIRST] - 1)
    if windows >= settings.min_windows:
        _judge(
            b.slots,
            keys,
            first,
            second,
            settings.hashes,
            int(b.n[WINDOW]),
            windows,
            settings.decay,
            b.volume,
            settings.min_authors,
            settings.min_growth,
            log10_p,
            authors,
            expected,
        )
    return Significance(log10_p, authors, expected)


@inlined
def _place(key: np.uint64, hash_number: Int, slots: Records) -> np.int64:
    mixed = mix64(key)
    step = (mixed >> np.uint64(32)) | np.uint64(1)
    return np.int64((mixed + np.uint64(hash_number) * step) & np.uint64(slots.size - 1))


@inlined
def _ask(slots: Records, keys: U64, at: Int, hashes: Int) -> None:
    """Ask for the buckets of a key that comes later."""
    if at < keys.size:
        for j in range(hashes):
            prefetch(slots, _place(keys[at], j, slots))


@inlined
def _bring(slots: Records, at: Int, window: Int, decay: float) -> None:
    """Bring a bucket to a window: what is older than the last one goes into its history."""
    age = window - slots[at].window
    if age != 0:
        _remember(slots, at, slots[at].last, decay)
        if age > 1:
            _remember(slots, at, slots[at].now, decay)
        if age > 2:
            left = decay ** (age - 2)
            slots[at].mean = np.float32(slots[at].mean * left)
            slots[at].square = np.float32(slots[at].square * left)
        slots[at].last = slots[at].now if age == 1 else 0
        slots[at].now = 0
        slots[at].window = window


@inlined
def _remember(slots: Records, at: Int, uses: Int, decay: float) -> None:
    x = float(uses)
    slots[at].mean = np.float32(decay * slots[at].mean + (1.0 - decay) * x)
    slots[at].square = np.float32(decay * slots[at].square + (1.0 - decay) * x * x)


@kernel
def _count(
    slots: Records, keys: U64, authors: I64, hashes: Int, window: Int, decay: float, found: I64
) -> None:
    for i in range(keys.size):
        _ask(slots, keys, i + _AHEAD, hashes)
        least = np.int64(1 << 62)
        for j in range(hashes):
            at = _place(keys[i], j, slots)
            _bring(slots, at, window, decay)
            slots[at].now += authors[i]
            least = min(least, np.int64(slots[at].now) + slots[at].last)
        found[i] = least


@kernel
def _count_each(slots: Records, keys: U64, hashes: Int, window: Int, decay: float) -> None:
    for i in range(keys.size):
        _ask(slots, keys, i + _AHEAD, hashes)
        for j in range(hashes):
            at = _place(keys[i], j, slots)
            _bring(slots, at, window, decay)
            slots[at].now += 1


@kernel
def _uses(slots: Records, keys: U64, hashes: Int, window: Int, decay: float, found: I64) -> None:
    for i in range(keys.size):
        _ask(slots, keys, i + _AHEAD, hashes)
        least = np.int64(1 << 62)
        for j in range(hashes):
            at = _place(keys[i], j, slots)
            _bring(slots, at, window, decay)
            least = min(least, np.int64(slots[at].now) + slots[at].last)
        found[i] = least


@njit(cache=True)
def _judge(
    slots: Records,
    keys: U64,
    first: I64,
    second: I64,
    hashes: Int,
    window: Int,
    windows: Int,
    decay: float,
    volume: F64,
    min_authors: Int,
    min_growth: float,
    log10_p: F64,
    authors: I64,
    expected: F64,
) -> None:
    """Fill `log10_p`, `authors` and `expected`; `windows` of history there are."""
    here = volume[NOW] + volume[LAST]
    share = here / max(volume[MEAN], 1e-9)
    weight = 1.0 - decay**windows
    seen_windows = weight / (1.0 - decay)
    for i in range(keys.size):
        x = np.int64(1 << 62)
        mean = square = np.inf
        for j in range(hashes):
            at = _place(keys[i], j, slots)
            _bring(slots, at, window, decay)
            x = min(x, np.int64(slots[at].now) + slots[at].last)
            mean = min(mean, float(slots[at].mean))
            square = min(square, float(slots[at].square))
        authors[i] = x
        by_chance = float(first[i]) * float(second[i]) / max(here, 1.0)
        by_past = mean * share
        expected[i] = max(by_chance, by_past)
        if x < min_authors or x < min_growth * expected[i]:
            continue
        a, evidence = with_floor(by_chance, float(min(first[i], second[i])))
        tail = log10_upper_tail(float(x), a, evidence)
        m = mean / weight
        b, evidence = with_floor(by_past, m * seen_windows)
        excess = (square / weight - m * m - m) * (share * weight) ** 2
        if excess > 0.0:
            evidence = min(evidence, b * b / excess)
        log10_p[i] = max(tail, log10_upper_tail(float(x), b, evidence))
