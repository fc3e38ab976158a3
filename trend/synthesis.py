"""From bursts of signals to trends: one trend for signals that rise in the same reels.

Tick by tick, over the reports of all shards in the order of their signals:

1. Bursts whose false-discovery rate over all signals alive is within the limit are *discoveries*.
2. A discovery that is in no trend joins the one whose reels hold most of its own, if that is
   enough, or else the one whose phrase it extends; the discoveries of one tick come in the order of
   their p-values.
3. At the end of each hour every trend's stage is judged (`trend.stages`).
4. A trend that is new, changed its stage, its members or doubled gets a new revision.

A signal belongs to a trend until its shard stops following it, so that a second wave within days is
a revision and not a second alert. Nothing here runs per reel or per signal of the stream: only what
bursts comes here.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from trend import bursts
from trend.followed import Followed, leaders
from trend.kinds import PHRASE
from trend.layout import I64, NONE
from trend.overlap import Sharing, shared
from trend.shard import ShardReports
from trend.significance import q_values
from trend.stages import StageMachine
from trend.trends import Height, Revision, Signal, Trend, extends, trend_id

MIN_SHARED: Final = 3
"""Reels that two signals must share at least to be one trend."""
STAGE_WINDOW_H: Final = 6
STAGE_AUTHORS: Final = 20
"""Authors within those hours from which on their number is not mostly chance."""
DOUBLED: Final = 2.0
EVERGREEN_DAYS: Final = 7
"""A trend younger than this is not steady for long."""
FORGET_H: Final = 1
"""Hours after its shard let go of it that a signal is forgotten."""
MAX_SIGNALS: Final = 20_000
"""Signals known at most, of some kilobytes each: beyond it those in no trend whose last burst is
oldest are forgotten, and no more join trends than fit."""
SEP: Final = "\x1f"
"""Between id and label in the label bytes of a sound."""


@dataclass(frozen=True, slots=True)
class SynthesisSettings:
    """What makes bursts trends."""

    tick_seconds: int
    windows_h: tuple[int, ...]
    fdr: float
    """False-discovery rate at a tick, above 0 and below 1."""
    overlap: float
    """Share of the smaller signal's reels that two must share to be one trend."""


class Synthesis:
    """All trends alive."""

    def __init__(self, settings: SynthesisSettings) -> None:
        self.settings = settings
        self.trends: dict[str, Trend] = {}
        self._by_number: dict[int, Trend] = {}
        self._signals: dict[int, Signal] = {}
        self._owner: dict[int, str] = {}
        self._followed = Followed(settings.windows_h)
        self._forgotten = 0
        self._ticks_per_hour = 3600 // settings.tick_seconds
        wide = [i for i, h in enumerate(settings.windows_h) if h >= STAGE_WINDOW_H]
        self._stage_window = wide[0] if wide else len(settings.windows_h) - 1

    def tick(
        self, tick: int, reports: list[tuple[ShardReports, slice]], tests: int
    ) -> list[Revision]:
        """Take all reports of one tick and return the new revisions of trends, by the trends' ids.

        Args:
            tick: later than every tick before.
            reports: of the shards, each with the rows that are of this tick; in any order.
            tests: signals alive over all shards.
        """
        if self._hour(tick) != self._forgotten or len(self._signals) > MAX_SIGNALS:
            self._forget(tick)
        rows = np.concatenate([self._take(tick, part, at) for part, at in reports])
        signals = self._followed.columns.signals
        self._discover(np.sort(rows[signals["burst_tick"][rows] == tick]), tests)
        numbers = np.unique(signals["trend"][rows])
        seen = [self._by_number[number] for number in numbers.tolist() if number != NONE]
        return self._revised(sorted(seen, key=lambda trend: trend.id), tick)

    def _take(self, tick: int, reports: ShardReports, at: slice) -> I64:
        """Update the signals with their reports; return the rows of those with news."""
        keys, numbers = reports.signal[at], reports.numbers[at]
        rows = self._followed.rows(keys)
        detailed = numbers[:, bursts.LABEL_LEN] > 0
        new = (rows == NONE) & detailed & (numbers[:, bursts.BURST] > 0)
        for i in np.flatnonzero(new).tolist() if new.any() else ():
            key, told = int(keys[i]), numbers[i].tolist()
            rows[i] = self._followed.add(key, told[bursts.ONSET])
            self._signals[key] = _named(key, told, reports.labels, int(rows[i]))
        news = self._followed.take(reports, at, rows, tick, self._hour(tick))
        detailed &= rows != NONE
        for key, told in zip(keys[detailed].tolist(), numbers[detailed].tolist(), strict=True):
            first, size = told[bursts.SAMPLE_AT], told[bursts.SAMPLE_LEN]
            hashes = reports.samples[first : first + size].copy()
            self._signals[key].detail(hashes, sampled=told[bursts.SAMPLED] > 0)
            if key in self._owner:
                self.trends[self._owner[key]].changed()
        return rows[news]

    def _hour(self, tick: int) -> int:
        return tick * self.settings.tick_seconds // 3600

    def _discover(self, burst: I64, tests: int) -> None:
        """Bring discoveries among the signals in these rows into trends."""
        if not burst.size:
            return
        signals = self._followed.columns.signals[burst]
        q = q_values(signals["log10_p"], tests)
        hit = q <= self.settings.fdr
        found: list[tuple[float, int, float]] = []
        told = (signals["key"][hit], signals["log10_p"][hit], q[hit])
        for key, log10_p, value in zip(*(column.tolist() for column in told), strict=True):
            owner = self._owner.get(key)
            if owner is None:
                found.append((log10_p, key, value))
            else:
                self.trends[owner].improbable(log10_p, value)
        if not found:
            return
        found.sort()
        del found[max(MAX_SIGNALS - len(self._owner), 0) :]
        names = list(self.trends)
        sharing = Sharing([trend.reels for trend in self.trends.values()])
        gained: set[str] = set()
        for log10_p, key, value in found:
            signal = self._signals[key]
            near = gained.union(names[i] for i in sharing.most(signal.sample, MIN_SHARED))
            trend = self._closest(signal, near) or self._extended(signal) or self._begin(signal)
            trend.signals[key] = signal
            trend.changed()
            trend.improbable(log10_p, value)
            self._owner[key] = trend.id
            self._followed.columns.signals[signal.row]["trend"] = trend.number
            gained.add(trend.id)

    def _closest(self, signal: Signal, near: set[str]) -> Trend | None:
        """Return which of the trends `near` shares most reels with it, if they are enough."""
        best: tuple[float, int, str] | None = None
        for name in near:
            both, share = shared(signal.sample, self.trends[name].reels)
            if both >= MIN_SHARED and share >= self.settings.overlap:
                rank = (share, both, name)
                best = rank if best is None else max(best, rank)
        return self.trends[best[2]] if best else None

    def _extended(self, phrase: Signal) -> Trend | None:
        """Return the trend with the longest phrase that another one holds word by word.

        All reels with the longer phrase have the shorter one, though a sample may miss that.
        """
        if phrase.kind != PHRASE:
            return None
        held = [
            (len(signal.id), name)
            for name, trend in self.trends.items()
            for signal in trend.signals.values()
            if signal.kind == PHRASE and extends(phrase.id, signal.id)
        ]
        return self.trends[max(held)[1]] if held else None

    def _begin(self, signal: Signal) -> Trend:
        row = self._followed.columns.signals[signal.row]
        onset = int(row["onset"])
        trend = Trend(
            id=trend_id(signal.hash, onset, self.settings.tick_seconds),
            number=next(n for n in range(len(self.trends) + 1) if n not in self._by_number),
            started=onset,
            signals={},
            stages=StageMachine(),
            window=int(row["window"]),
        )
        self.trends[trend.id] = self._by_number[trend.number] = trend
        return trend

    def _revised(self, trends: list[Trend], tick: int) -> list[Revision]:
        """Judge trends that have a signal with news; return the new revisions."""
        hourly = (tick + 1) * self.settings.tick_seconds % 3600 == 0
        revised = [
            (trend, leader)
            for trend, leader in zip(trends, self._leading(trends), strict=True)
            if self._revise(trend, leader, tick, hourly)
        ]
        moved = [trend for trend, leader in revised if trend.window != leader.by]
        anew = dict(zip((trend.id for trend in moved), self._leading(moved), strict=True))
        return [self._revision(trend, anew.get(trend.id, leader)) for trend, leader in revised]

    def _leading(self, trends: list[Trend]) -> list["_Leader"]:
        """Return the numbers of each trend's leader."""
        if not trends:
            return []
        columns = self._followed.columns
        numbers = np.array([trend.number for trend in trends])
        windows = np.array([trend.window for trend in trends])
        rows, last_bursts = leaders(columns, numbers, windows, self._ticks_per_hour)
        signals = columns.signals[rows]
        told = [signals[name].tolist() for name in ("tick", "burst_tick", "window", "log10_p")]
        told += [column[rows].tolist() for column in columns[1:6]]
        return [*map(_Leader, windows.tolist(), rows.tolist(), last_bursts.tolist(), *told)]

    def _revise(self, trend: Trend, leader: "_Leader", tick: int, hourly: bool) -> bool:
        """Judge a trend at a tick; return whether it has a new revision."""
        changed = trend.revision == 0
        if leader.burst_tick == tick and leader.window > trend.window:
            trend.window = leader.window
        if hourly and leader.tick == tick:
            changed |= self._judge(trend, leader, tick)
        authors = leader.authors[trend.window]
        if trend.height is None or leader.log10_p < trend.height.log10_p:
            expected = max(leader.expected[trend.window], 0.0)
            trend.height = Height(tick, leader.log10_p, authors, expected, trend.window)
        changed |= authors >= DOUBLED * trend.told_authors > 0
        if changed or (hourly and not trend.settled):
            members = tuple(sorted(s.hash for s in trend.members(self._followed.columns.reels)))
            changed |= members != trend.told_members
            trend.settled = True
        if changed:
            trend.revision += 1
            trend.told_members = members
            trend.told_authors = max(authors, trend.told_authors)
        return changed

    def _judge(self, trend: Trend, leader: "_Leader", tick: int) -> bool:
        """Judge a trend's stage at the end of an hour; return whether it changed."""
        w = self._judged_by(trend, leader)
        volume = max(leader.volume[w], 1)
        quiet = tick - leader.last_burst
        return trend.stages.hour(
            intensity=leader.authors[w] / volume,
            before=leader.before[w] / volume,
            authors=leader.authors[w],
            bursting=quiet == 0,
            quiet=quiet >= (bursts.TRACKED_DAYS * 24 - 2) * self._ticks_per_hour,
            old=tick - trend.started >= EVERGREEN_DAYS * 24 * self._ticks_per_hour,
        )

    def _judged_by(self, trend: Trend, leader: "_Leader") -> int:
        """Return the window of a trend's stage: the longest while it is small, then six hours."""
        enough = leader.authors[self._stage_window] >= STAGE_AUTHORS
        if trend.stage_window < 0 and enough:
            trend.stage_window = self._stage_window
            trend.stages.look_anew()
        return trend.stage_window

    def _revision(self, trend: Trend, leader: "_Leader") -> Revision:
        reels = self._followed.columns.reels
        return Revision(
            trend,
            authors=leader.authors,
            reels=leader.reels,
            expected=leader.expected,
            before=leader.before,
            series=self._followed.series(leader.row),
            members=[(s, int(reels[s.row, trend.window])) for s in trend.members(reels)],
        )

    def _forget(self, tick: int) -> None:
        """Forget signals that are no longer followed or too many, and trends without any."""
        self._forgotten = self._hour(tick)
        followed = bursts.TRACKED_DAYS * 86_400 + FORGET_H * 3600
        limit = tick - followed // self.settings.tick_seconds
        for key in self._followed.quiet_since(limit):
            self._drop(key)
        if len(self._signals) > MAX_SIGNALS:
            signals = self._followed.columns.signals
            loose = signals[(signals["trend"] == NONE) & (signals["burst_tick"] < bursts.NEVER)]
            over = len(self._signals) - MAX_SIGNALS
            for key in np.sort(loose, order=("burst_tick", "key"))["key"][:over].tolist():
                self._drop(key)

    def _drop(self, key: int) -> None:
        """Forget a signal, and its trend if it was the only one there."""
        del self._signals[key]
        self._followed.remove(key)
        owner = self._owner.pop(key, None)
        if owner is None:
            return
        trend = self.trends[owner]
        del trend.signals[key]
        trend.changed()
        if not trend.signals:
            del self.trends[owner], self._by_number[trend.number]


class _Leader(NamedTuple):
    """The numbers of the signal that speaks for a trend."""

    by: int
    """Index of the window in which it has most authors."""
    row: int
    last_burst: int
    """Tick of the last burst of any of the trend's signals."""
    tick: int
    burst_tick: int
    window: int
    log10_p: float
    authors: list[int]
    reels: list[int]
    expected: list[float]
    before: list[float]
    volume: list[int]


_TOLD: Final = (
    "signal", "numbers", "log10_p", "authors", "reels", "expected", "before", "volume"
)  # fmt: skip
"""Fields of `ShardReports` that have a row for each report."""


def merged(reports: list[ShardReports]) -> ShardReports:
    """Return the reports of several shards as those of one, by tick and signal; at least one."""
    fields = {
        name: np.concatenate([getattr(report, name) for report in reports])
        for name in (*_TOLD, "samples", "series", "live")
    }
    numbers = fields["numbers"]
    sizes = [report.signal.size for report in reports]
    for column, parts in (
        (bursts.LABEL_AT, [len(report.labels) for report in reports]),
        (bursts.SAMPLE_AT, [report.samples.size for report in reports]),
        (bursts.SERIES_AT, [len(report.series) for report in reports]),
    ):
        numbers[:, column] += np.repeat(np.cumsum(parts) - parts, sizes)
    order = np.lexsort((fields["signal"], numbers[:, bursts.TICK]))
    fields |= {name: fields[name][order] for name in _TOLD}
    labels = b"".join(report.labels for report in reports)
    return ShardReports(max(report.through for report in reports), labels=labels, **fields)


def _named(key: int, numbers: list[int], labels: bytes, row: int) -> Signal:
    """Return a signal at its first report."""
    at = numbers[bursts.LABEL_AT]
    told = labels[at : at + numbers[bursts.LABEL_LEN]].decode("utf-8", "ignore")
    name, _, label = told.partition(SEP)
    return Signal(key, numbers[bursts.KIND], name, label or name, row)
