"""Cascades that nobody was told of yet: asked as they grow whether they take off.

A candidate is asked about when its authors have grown by `takeoff.STEP`, and when it first surely
bursts (`takeoff.CERTAIN`). It is told when the `Learner` finds it likely enough, or when it surely
bursts and is large already (`takeoff.is_large`). What people say of alerts (`trend.feedback`)
counts in both.
`takeoff.HORIZON_H` hours after it was first asked about, what became of it is learned.

All of it happens at ticks, in the order of the trends' numbers and of their ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from trend import takeoff
from trend.feedback import Feedback
from trend.followed import DAY_H, Followed
from trend.known import Known
from trend.learner import Learner, log_odds_of, more_likely
from trend.trends import Trend

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]


@dataclass(slots=True)
class Candidate:
    """What is kept of a cascade until it is settled whether it took off."""

    due: int
    """Tick at which that is."""
    size: float
    """Reels from which on it has."""
    reels: float
    """Of its leader so far, beyond those expected: of the day before it was first asked about, and
    since. What is used every day has not taken off for that."""
    asked: list[F64] = field(default_factory=list)


class Candidates:
    """All that is not settled.

    Args:
        fdr: as of `Learner`.
        prior: what is known of cascades before the stream.
        windows_h: lengths of the windows in hours, rising.
    """

    def __init__(
        self, fdr: float, prior: takeoff.Prior, ticks_per_hour: int, windows_h: tuple[int, ...]
    ) -> None:
        self.learner = Learner(fdr)
        self.feedback = Feedback()
        self._prior = prior
        self._ticks_per_hour = ticks_per_hour
        self._shortest_h = windows_h[0]
        self._open: dict[str, Candidate] = {}

    def __len__(self) -> int:
        return len(self._open)

    def hour(self, trends: Sequence[Trend], rows: I64, followed: Followed) -> None:
        """Count the reels beyond those expected in an hour that ends.

        They are those of the signals in these rows, which lead the trends.
        """
        beyond = followed.beyond_last_hour(rows).tolist()
        for trend, more in zip(trends, beyond, strict=True):
            candidate = self._open.get(trend.id)
            if candidate is not None:
                candidate.reels += more

    def settle(self, tick: int) -> None:
        """Learn from those whose time has come."""
        due = [(one.due, name) for name, one in self._open.items() if one.due <= tick]
        for _, name in sorted(due):
            candidate = self._open.pop(name)
            self.learner.learn(candidate.asked, candidate.reels >= candidate.size)

    def asks(self, trend: Trend, authors: int) -> bool:
        """Whether a trend that was not told is to be asked about.

        It is when it has grown enough, to so many authors a day, and when it is now sure.
        """
        sure = trend.q_value <= takeoff.CERTAIN < trend.asked_q_value
        return sure or authors >= takeoff.STEP * trend.asked_authors

    def tells(
        self, trend: Trend, row: int, followed: Followed, started: int, tick: int, known: Known
    ) -> bool:
        """Say whether to tell of a trend now, and keep what was seen of it.

        Args:
            row: of its leader.
            started: tick in which its burst began.
        """
        columns, day = followed.columns, DAY_H * self._ticks_per_hour
        volume = known.volume(day + day // 2)
        authors = int(columns.authors[row, -1])
        size = takeoff.size_of(float(volume[:day].sum()))
        if trend.asked_authors == 0:
            due = tick + takeoff.HORIZON_H * self._ticks_per_hour
            beyond = 1.0 - max(float(columns.expected[row, -1]), 0.0) / max(authors, 1)
            self._open[trend.id] = Candidate(due, size, float(columns.reels[row, -1]) * beyond)
        trend.asked_authors, trend.asked_q_value = authors, trend.q_value
        x = self._features(trend, row, followed, started, tick, known, volume)
        log_odds, engaged = takeoff.said(self._prior, x)
        z = self.learner.regressors(log_odds, float(x[0]), engaged)
        likely = self.learner.probability(z)
        kinds = [one.kind for one in trend.signals.values()]
        signals = _signals_of(trend)
        seen = self.feedback.seen(x, signals, kinds)
        trend.probability = more_likely(likely, self.feedback.adds(seen))
        candidate = self._open.get(trend.id)
        if candidate is not None:
            candidate.asked.append(z)
        hourly = int(columns.authors[row, 0]) / self._shortest_h
        unlikely = trend.probability < takeoff.UNLIKELY
        # The shape of its growth alone is no reason to doubt what is large.
        unlikely &= takeoff.is_given(x) or likely >= takeoff.UNLIKELY
        times = takeoff.FAR_LARGER if unlikely else 1.0
        large = takeoff.is_large(authors / times, hourly / times, float(volume[:day].sum()))
        if large and trend.q_value <= takeoff.CERTAIN:
            trend.probability = 1.0
        elif not self.learner.tells(trend.probability):
            return False
        self.feedback.told(trend.id, seen, log_odds_of(likely), signals)
        return True

    def _features(
        self,
        trend: Trend,
        row: int,
        followed: Followed,
        started: int,
        tick: int,
        known: Known,
        volume: I64,
    ) -> F64:
        columns = followed.columns
        seen = known.reels(trend.reels.reels)
        lately, before = followed.day_before(row)
        return takeoff.features(
            seen._replace(ticks=tick - seen.ticks),
            known.usual(DAY_H * self._ticks_per_hour),
            volume,
            self._ticks_per_hour,
            float(columns.expected[row, -1]),
            [one.sample.reels.size for one in trend.signals.values()],
            (tick - started) / self._ticks_per_hour,
            (before + 0.5) / (lately + 0.5),
            trend.together(row),
        )


def _signals_of(trend: Trend) -> list[int]:
    """Return the hashes of a trend's signals, and of what its communities consist of."""
    every = trend.signals.values()
    return sorted({*trend.signals, *(part.hash for one in every for part in one.parts)})
