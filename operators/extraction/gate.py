"""Which reels are worth their media: so many an hour of event time, the most promising ones.

A reel promises something by what it does (`engagement`: likes, comments, shares and saves, of ten
thousand views each as much) or by whom it joins (`burst`: one of its sound and hashtags is used
more in the last six hours than in the last three days). Each is ranked among the reels of late, and
the better rank counts. While there are more reels than may be taken, those are that rank high
enough for the budget; of equal ones a hash decides. The decision needs nothing that comes later,
and the same reels in the same order get the same ones.
"""

import hashlib
import math
from bisect import bisect_left, insort
from collections import OrderedDict, deque
from typing import Final, Literal

from schemas.reels import Metrics, Reel

By = Literal["either", "engagement", "burst"]

HOUR_S: Final = 3600.0
LATE: Final = 1000
"""Reels among which one is ranked."""
SIGNALS: Final = 100_000
"""Sounds and hashtags that are remembered; those used longest ago go first."""
SHORT_S: Final = 6 * HOUR_S
LONG_S: Final = 72 * HOUR_S
"""Half of what is counted is younger than 0.7 of that."""


class Ranks:
    """The values of late, in order.

    >>> ranks = Ranks(3)
    >>> [ranks.of(value) for value in (5.0, 1.0, 9.0, 6.0)]
    [0.5, 0.0, 1.0, 0.6666666666666666]
    """

    def __init__(self, most: int = LATE) -> None:
        self._most = most
        self._values: deque[float] = deque()
        self._sorted: list[float] = []

    def of(self, value: float) -> float:
        """Return which share of those of late is below a value, and note it."""
        before = len(self._sorted)
        rank = bisect_left(self._sorted, value) / before if before else 0.5
        if before == self._most:
            del self._sorted[bisect_left(self._sorted, self._values.popleft())]
        self._values.append(value)
        insort(self._sorted, value)
        return rank


class Gate:
    """Decides of reels as they come.

    Args:
        per_hour: reels that may pass in an hour of event time; 0: all.
        by: what a reel promises something by.
    """

    def __init__(self, per_hour: int, by: By = "burst") -> None:
        self._per_hour = per_hour
        self._by = by
        self._engaged, self._bursting, self._promising = Ranks(), Ranks(), Ranks()
        self._uses: OrderedDict[str, tuple[float, float, float]] = OrderedDict()
        self._times: deque[float] = deque(maxlen=LATE)
        self._passed: deque[float] = deque()
        self._began = math.inf
        self._now = -math.inf
        """Event time of the oldest reel and of the newest, seconds."""

    def passes(self, reel: Reel) -> bool:
        """Whether the media of a reel is to be looked at."""
        if not self._per_hour:
            return True
        at = reel.published_at.timestamp()
        self._began = min(self._began, at)
        self._now = max(self._now, at)
        self._times.append(self._now)
        while self._passed and self._passed[0] <= self._now - HOUR_S:
            self._passed.popleft()
        promise = self._promising.of(self._promise(reel) + 1e-6 * _draw(reel.reel_id))
        if len(self._passed) >= self._per_hour or promise < 1.0 - self._share():
            return False
        self._passed.append(self._now)
        return True

    def _share(self) -> float:
        """Which share of the reels may pass, at the rate at which they come."""
        took = self._now - self._times[0]
        an_hour = len(self._times) * HOUR_S / took if took > 0 else math.inf
        return min(1.0, self._per_hour / an_hour)

    def _promise(self, reel: Reel) -> float:
        engaged, bursting = (
            self._engaged.of(_engagement(reel.metrics)),
            self._bursting.of(self._burst(reel)),
        )
        if self._by == "engagement":
            return engaged
        return bursting if self._by == "burst" else max(engaged, bursting)

    def _burst(self, reel: Reel) -> float:
        signals = [f"#{tag}" for tag in reel.hashtags or ()]
        if reel.audio is not None and reel.audio.audio_id:
            signals.append(reel.audio.audio_id)
        return max(map(self._used, signals), default=0.0)

    def _used(self, signal: str) -> float:
        """Note a use; by how many deviations there were more of late than for long."""
        short, long, at = self._uses.pop(signal, (0.0, 0.0, self._now))
        passed, age = self._now - at, self._now - self._began
        short *= math.exp(-passed / SHORT_S)
        long *= math.exp(-passed / LONG_S)
        whole = LONG_S * -math.expm1(-age / LONG_S)
        expected = long * SHORT_S * -math.expm1(-age / SHORT_S) / whole if whole else short
        self._uses[signal] = (short + 1.0, long + 1.0, self._now)
        if len(self._uses) > SIGNALS:
            self._uses.popitem(last=False)
        return (short - expected) / math.sqrt(expected + 1.0)


def _engagement(metrics: Metrics | None) -> float:
    if metrics is None:
        return 0.0
    done = (metrics.likes, metrics.comments, metrics.shares, metrics.saves)
    return sum(one or 0 for one in done) + (metrics.views or 0) / 10_000


def _draw(reel_id: str) -> float:
    """A number from 0 to 1 that is the reel's own."""
    return int.from_bytes(hashlib.blake2b(reel_id.encode(), digest_size=6).digest()) / 2**48
