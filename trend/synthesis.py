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
from heapq import nsmallest
from typing import Final

import numpy as np

from trend import bursts
from trend.kinds import PHRASE
from trend.layout import SAMPLE_LIMIT
from trend.overlap import Sharing, sample, shared
from trend.shard import ShardReports
from trend.significance import q_values
from trend.stages import StageMachine
from trend.trends import NO_HOURS, Height, Signal, Trend, extends, trend_id

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
LOGGED_LIMIT: Final = int(SAMPLE_LIMIT) - 1


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
        self._signals: dict[int, Signal] = {}
        self._owner: dict[int, str] = {}
        self._forgotten = 0
        wide = [i for i, h in enumerate(settings.windows_h) if h >= STAGE_WINDOW_H]
        self._stage_window = wide[0] if wide else len(settings.windows_h) - 1

    def tick(self, tick: int, reports: list[tuple[ShardReports, slice]], tests: int) -> list[Trend]:
        """Take all reports of one tick and return the trends that have a new revision, by id.

        Args:
            tick: later than every tick before.
            reports: of the shards, each with the rows that are of this tick; in any order.
            tests: signals alive over all shards.
        """
        if self._hour(tick) != self._forgotten or len(self._signals) > MAX_SIGNALS:
            self._forget(tick)
        burst: list[Signal] = []
        seen: set[str] = set()
        for signal, is_burst in self._take(tick, reports):
            if is_burst:
                burst.append(signal)
            if signal.hash in self._owner:
                seen.add(self._owner[signal.hash])
        seen |= self._discover(burst, tests)
        hourly = (tick + 1) * self.settings.tick_seconds % 3600 == 0
        return [
            trend for name in sorted(seen) if self._revise(trend := self.trends[name], tick, hourly)
        ]

    def _take(
        self, tick: int, reports: list[tuple[ShardReports, slice]]
    ) -> list[tuple[Signal, bool]]:
        """Update the signals with their reports; return them in the order of their hashes."""
        taken: list[tuple[Signal, bool]] = []
        hour = self._hour(tick)
        for report, rows in reports:
            for key, numbers, log10_p, *counts in zip(
                *(getattr(report, name)[rows].tolist() for name in _TOLD), strict=True
            ):
                burst = bool(numbers[bursts.BURST])
                signal = self._signals.get(key)
                if not (burst or key in self._owner or (signal and numbers[bursts.LABEL_LEN])):
                    if signal is not None:
                        self._add_hour(signal, hour, numbers[bursts.HOUR_REELS])
                    continue
                if signal is None:
                    if not numbers[bursts.LABEL_LEN]:
                        continue  # forgotten; it comes back with its next details
                    signal = self._signals[key] = _named(key, numbers, report.labels)
                signal.tick, signal.log10_p = tick, log10_p
                signal.authors, signal.reels, signal.expected, signal.before, signal.volume = counts
                if burst:
                    signal.burst_tick, signal.window = tick, numbers[bursts.WINDOW]
                    signal.onset = min(signal.onset, numbers[bursts.ONSET])
                if numbers[bursts.LABEL_LEN]:
                    self._detail(signal, hour, numbers, report)
                self._add_hour(signal, hour, numbers[bursts.HOUR_REELS])
                taken.append((signal, burst))
        taken.sort(key=lambda pair: pair[0].hash)
        return taken

    def _detail(self, signal: Signal, hour: int, numbers: list[int], report: ShardReports) -> None:
        at, length = numbers[bursts.SAMPLE_AT], numbers[bursts.SAMPLE_LEN]
        signal.sample = sample(
            report.samples[at : at + length].copy(),
            bursts.SAMPLE,
            LOGGED_LIMIT if numbers[bursts.SAMPLED] else None,
        )
        series = report.series[numbers[bursts.SERIES_AT]]
        signal.past = series[:-1].copy()
        signal.hours = {hour: (0, float(series[-1, 1]))}
        if signal.hash in self._owner:
            self.trends[self._owner[signal.hash]].changed()

    def _add_hour(self, signal: Signal, hour: int, reels: int) -> None:
        """Note the reels of the current hour so far."""
        known = signal.hours.get(hour)
        if known is not None:
            signal.hours[hour] = (reels, known[1])
            return
        signal.hours[hour] = (reels, max(signal.expected[-1], 0.0) / self.settings.windows_h[-1])
        if len(signal.hours) > bursts.SERIES_HOURS:
            signal.past = NO_HOURS
            del signal.hours[next(iter(signal.hours))]

    def _hour(self, tick: int) -> int:
        return tick * self.settings.tick_seconds // 3600

    def _discover(self, burst: list[Signal], tests: int) -> set[str]:
        """Bring discoveries into trends; return the ids of those that gained one."""
        q = q_values(np.array([signal.log10_p for signal in burst]), tests).tolist()
        found: list[tuple[Signal, float]] = []
        for signal, value in zip(burst, q, strict=True):
            if value > self.settings.fdr:
                continue
            owner = self._owner.get(signal.hash)
            if owner is None:
                found.append((signal, value))
            else:
                self.trends[owner].improbable(signal.log10_p, value)
        gained: set[str] = set()
        if not found:
            return gained
        found.sort(key=lambda pair: (pair[0].log10_p, pair[0].hash))
        del found[max(MAX_SIGNALS - len(self._owner), 0) :]
        names = list(self.trends)
        sharing = Sharing([trend.reels for trend in self.trends.values()])
        for signal, value in found:
            near = gained.union(names[i] for i in sharing.most(signal.sample, MIN_SHARED))
            trend = self._closest(signal, near) or self._extended(signal) or self._begin(signal)
            trend.signals[signal.hash] = signal
            trend.changed()
            trend.improbable(signal.log10_p, value)
            self._owner[signal.hash] = trend.id
            gained.add(trend.id)
        return gained

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
        trend = Trend(
            id=trend_id(signal.hash, signal.onset, self.settings.tick_seconds),
            started=signal.onset,
            signals={},
            stages=StageMachine(),
            window=signal.window,
            hour=3600 // self.settings.tick_seconds,
        )
        self.trends[trend.id] = trend
        return trend

    def _revise(self, trend: Trend, tick: int, hourly: bool) -> bool:
        """Judge a trend at a tick; return whether it has a new revision."""
        leader = trend.leader
        changed = trend.revision == 0
        if leader.burst_tick == tick and leader.window > trend.window:
            trend.window = leader.window
        if hourly and leader.tick == tick:
            w = self._judged_by(trend)
            volume = max(leader.volume[w], 1)
            quiet = tick - max(s.burst_tick for s in trend.signals.values())
            day = 86_400 // self.settings.tick_seconds
            changed |= trend.stages.hour(
                intensity=leader.authors[w] / volume,
                before=leader.before[w] / volume,
                authors=leader.authors[w],
                bursting=quiet == 0,
                quiet=quiet >= (bursts.TRACKED_DAYS * 24 - 2) * day // 24,
                old=tick - trend.started >= EVERGREEN_DAYS * day,
            )
        authors = leader.authors[trend.window]
        if trend.height is None or leader.log10_p < trend.height.log10_p:
            expected = max(leader.expected[trend.window], 0.0)
            trend.height = Height(tick, leader.log10_p, authors, expected, trend.window)
        changed |= authors >= DOUBLED * trend.told_authors > 0
        if hourly or changed:
            members = tuple(sorted(s.hash for s in trend.members()))
            changed |= members != trend.told_members
        if changed:
            trend.revision += 1
            trend.told_members = members
            trend.told_authors = max(authors, trend.told_authors)
        return changed

    def _judged_by(self, trend: Trend) -> int:
        """Return the window of a trend's stage: the longest while it is small, then six hours."""
        enough = trend.leader.authors[self._stage_window] >= STAGE_AUTHORS
        if trend.stage_window < 0 and enough:
            trend.stage_window = self._stage_window
            trend.stages.look_anew()
        return trend.stage_window

    def _forget(self, tick: int) -> None:
        """Forget signals that are no longer followed or too many, and trends without any."""
        self._forgotten = self._hour(tick)
        followed = bursts.TRACKED_DAYS * 86_400 + FORGET_H * 3600
        limit = tick - followed // self.settings.tick_seconds
        for key in [key for key, signal in self._signals.items() if signal.burst_tick < limit]:
            del self._signals[key]
            owner = self._owner.pop(key, None)
            if owner is not None:
                trend = self.trends[owner]
                if len(trend.signals) > 1:
                    del trend.signals[key]
                    trend.changed()
                else:
                    del self.trends[owner]
        if len(self._signals) > MAX_SIGNALS:
            loose = [signal for key, signal in self._signals.items() if key not in self._owner]
            over = len(self._signals) - MAX_SIGNALS
            for signal in nsmallest(over, loose, key=lambda s: (s.burst_tick, s.hash)):
                del self._signals[signal.hash]


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


def _named(key: int, numbers: list[int], labels: bytes) -> Signal:
    """Return a signal at its first report."""
    at = numbers[bursts.LABEL_AT]
    told = labels[at : at + numbers[bursts.LABEL_LEN]].decode("utf-8", "ignore")
    name, _, label = told.partition(SEP)
    return Signal(key, numbers[bursts.KIND], name, label or name, numbers[bursts.ONSET])
