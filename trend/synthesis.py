"""From bursts of signals to trends: one trend for signals that rise in the same reels.

Tick by tick, over the reports of all shards in the order of their signals:

1. Bursts whose false-discovery rate over all signals alive is within the limit are *discoveries*.
2. A discovery that is in no trend joins the one whose reels hold most of its own, if that is
   enough; the discoveries of one tick come in the order of their p-values.
3. At the end of each hour every trend's stage is judged (`trend.stages`).
4. A trend that is new, changed its stage, its members or doubled gets a new revision.

A signal belongs to a trend until its shard stops following it, so that a second wave within days is
a revision and not a second alert. Nothing here runs per reel or per signal of the stream: only what
bursts comes here.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from trend import bursts
from trend.counts import SAMPLE_LIMIT
from trend.overlap import Sample, sample, shared, union
from trend.shard import ShardReports
from trend.significance import q_values
from trend.stages import StageMachine

MIN_SHARED: Final = 3
"""Reels that two signals must share at least to be one trend."""
NESTED: Final = 0.8
"""Share of a phrase's reels that hold a kindred phrase, from which on it says nothing new."""
STAGE_WINDOW_H: Final = 6
DOUBLED: Final = 2.0
EVERGREEN_DAYS: Final = 7
"""A trend younger than this is not steady for long."""
FORGET_H: Final = 6
"""Hours after its shard let go of it that a signal is forgotten."""
MAX_MEMBERS: Final = 16
"""Members named in a trend at most, those of most reels."""
SEP: Final = "\x1f"
"""Between id and label in the label bytes of a sound."""
_NO_COUNTS: Final = np.zeros(0, np.int64)
_NO_NUMBERS: Final = np.zeros(0, np.float64)
LOGGED_LIMIT: Final = int(SAMPLE_LIMIT) - 1
_NO_REELS: Final = Sample(np.zeros(0, np.uint64), None)
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(slots=True)
class Signal:
    """A signal that bursts or did so within the last days, as last reported."""

    hash: int
    kind: int
    id: str
    label: str
    onset: int
    """First tick of its burst."""
    tick: int = 0
    """Tick of the last report."""
    burst_tick: int = 0
    """Tick of the last report in which it burst."""
    window: int = 0
    """Index of the window in which it then was most improbable."""
    log10_p: float = 0.0
    authors: npt.NDArray[np.int64] = field(default_factory=lambda: _NO_COUNTS)
    reels: npt.NDArray[np.int64] = field(default_factory=lambda: _NO_COUNTS)
    expected: npt.NDArray[np.float64] = field(default_factory=lambda: _NO_NUMBERS)
    before: npt.NDArray[np.float64] = field(default_factory=lambda: _NO_NUMBERS)
    volume: npt.NDArray[np.int64] = field(default_factory=lambda: _NO_COUNTS)
    sample: Sample = _NO_REELS
    series: dict[int, tuple[int, float]] = field(default_factory=dict)
    """Hour -> reels and expected reels."""


@dataclass(frozen=True, slots=True)
class Height:
    """The window in which a trend had most authors."""

    tick: int
    authors: int
    reels: int
    expected: float
    """Authors."""
    window: int


@dataclass(slots=True)
class Trend:
    """Signals that rise together."""

    id: str
    started: int
    """Tick in which its first signal's burst began."""
    signals: dict[int, Signal]
    stages: StageMachine
    window: int
    """Index of the window that its numbers are of."""
    log10_p: float = 0.0
    """The least of its signals' p-values so far."""
    q_value: float = 1.0
    revision: int = 0
    told_authors: int = 0
    told_members: tuple[int, ...] = ()
    height: Height | None = None
    """When most authors used it."""
    _reels: Sample | None = None
    _named: list[Signal] | None = None

    @property
    def leader(self) -> Signal:
        """The signal of most authors in the trend's window, by its hash where two are equal."""
        return max(self.signals.values(), key=lambda s: (int(s.authors[self.window]), s.hash))

    @property
    def reels(self) -> Sample:
        """The reels of all its signals."""
        if self._reels is None:
            self._reels = union([signal.sample for signal in self.signals.values()])
        return self._reels

    def changed(self) -> None:
        """Note that a signal came, went or has a new sample."""
        self._reels = self._named = None

    def members(self) -> list[Signal]:
        """Return the signals to name, most reels first, without phrases within phrases."""
        if self._named is None:
            self._named = self._members()
        return self._named

    def _members(self) -> list[Signal]:
        ranked = sorted(
            self.signals.values(), key=lambda s: (-int(s.reels[self.window]), -len(s.id), s.hash)
        )
        named: list[Signal] = []
        for signal in ranked:
            if len(named) == MAX_MEMBERS:
                break
            if signal.kind == _PHRASE and any(_says_it(other, signal) for other in named):
                continue
            named.append(signal)
        return named


_PHRASE: Final = 2


def _says_it(other: Signal, phrase: Signal) -> bool:
    """Whether a phrase is told by another one: shares words and nearly all reels with it."""
    if other.kind != _PHRASE or not set(other.id.split()) & set(phrase.id.split()):
        return False
    return shared(other.sample, phrase.sample)[1] >= NESTED


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

    def tick(
        self, tick: int, reports: list[tuple[ShardReports, npt.NDArray[np.int64]]], tests: int
    ) -> list[Trend]:
        """Take all reports of one tick and return the trends that have a new revision, by id.

        Args:
            tick: later than every tick before.
            reports: of the shards, each with the rows that are of this tick; in any order.
            tests: signals alive over all shards.
        """
        if self._hour(tick) != self._forgotten:
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
        revised = [
            trend for name in sorted(seen) if self._revise(trend := self.trends[name], tick, hourly)
        ]
        return revised

    def _take(
        self, tick: int, reports: list[tuple[ShardReports, npt.NDArray[np.int64]]]
    ) -> list[tuple[Signal, bool]]:
        """Update the signals with their reports; return them in the order of their hashes."""
        taken: list[tuple[Signal, bool]] = []
        for report, rows in reports:
            for i in rows.tolist():
                burst = bool(report.numbers[i, bursts.BURST])
                if burst or int(report.signal[i]) in self._owner:
                    taken.append((self._update(tick, report, i), burst))
        taken.sort(key=lambda pair: pair[0].hash)
        return taken

    def _update(self, tick: int, report: ShardReports, i: int) -> Signal:
        key = int(report.signal[i])
        numbers = report.numbers[i].tolist()
        signal = self._signals.get(key)
        if signal is None:
            name, _, label = _slice(report.labels, numbers).decode("utf-8", "ignore").partition(SEP)
            signal = self._signals[key] = Signal(
                hash=key,
                kind=numbers[bursts.KIND],
                id=name,
                label=label or name,
                onset=numbers[bursts.ONSET],
            )
        signal.tick = tick
        signal.authors = report.authors[i]
        signal.reels = report.reels[i]
        signal.expected = report.expected[i]
        signal.before = report.before[i]
        signal.volume = report.volume[i]
        signal.log10_p = float(report.log10_p[i])
        if numbers[bursts.LABEL_LEN]:
            at, length = numbers[bursts.SAMPLE_AT], numbers[bursts.SAMPLE_LEN]
            signal.sample = sample(
                report.samples[at : at + length].copy(),
                bursts.SAMPLE,
                LOGGED_LIMIT if numbers[bursts.SAMPLED] else None,
            )
            signal.series.update(self._series(tick, report.series[numbers[bursts.SERIES_AT]]))
            if key in self._owner:
                self.trends[self._owner[key]].changed()
        if numbers[bursts.BURST]:
            signal.burst_tick = tick
            signal.window = numbers[bursts.WINDOW]
            signal.onset = min(signal.onset, numbers[bursts.ONSET])
        self._add_hour(signal, tick, numbers[bursts.HOUR_REELS])
        return signal

    def _series(self, tick: int, series: npt.NDArray[np.float64]) -> dict[int, tuple[int, float]]:
        hour = self._hour(tick)
        first = hour - series.shape[0] + 1
        return {first + h: (int(point[0]), float(point[1])) for h, point in enumerate(series)}

    def _add_hour(self, signal: Signal, tick: int, reels: int) -> None:
        """Note the reels of the current hour so far."""
        hour = self._hour(tick)
        day = max(float(signal.expected[-1]), 0.0) / self.settings.windows_h[-1]
        signal.series[hour] = (reels, signal.series.get(hour, (0, day))[1])
        while len(signal.series) > bursts.SERIES_HOURS:
            del signal.series[min(signal.series)]

    def _hour(self, tick: int) -> int:
        return tick * self.settings.tick_seconds // 3600

    def _discover(self, burst: list[Signal], tests: int) -> set[str]:
        """Bring discoveries into trends; return the ids of those that gained one."""
        q = q_values(np.array([signal.log10_p for signal in burst]), tests)
        found: list[Signal] = []
        for signal, value in zip(burst, q, strict=True):
            if value > self.settings.fdr:
                continue
            owner = self._owner.get(signal.hash)
            if owner is None:
                found.append(signal)
            else:
                self.trends[owner].log10_p = min(self.trends[owner].log10_p, signal.log10_p)
                self.trends[owner].q_value = min(self.trends[owner].q_value, float(value))
        gained: set[str] = set()
        found.sort(key=lambda s: (s.log10_p, s.hash))
        lowest = {signal.hash: float(v) for signal, v in zip(burst, q, strict=True)}
        for signal in found:
            trend = self._closest(signal) or self._begin(signal)
            trend.signals[signal.hash] = signal
            trend.changed()
            trend.log10_p = min(trend.log10_p, signal.log10_p)
            trend.q_value = min(trend.q_value, lowest[signal.hash])
            self._owner[signal.hash] = trend.id
            gained.add(trend.id)
        return gained

    def _closest(self, signal: Signal) -> Trend | None:
        """Return the trend that shares most reels with a signal, if they are enough."""
        best: tuple[float, int, str] | None = None
        for trend in self.trends.values():
            both, share = shared(signal.sample, trend.reels)
            if both >= MIN_SHARED and share >= self.settings.overlap:
                rank = (share, both, trend.id)
                best = rank if best is None else max(best, rank)
        return self.trends[best[2]] if best else None

    def _begin(self, signal: Signal) -> Trend:
        trend = Trend(
            id=trend_id(signal.hash, signal.onset, self.settings.tick_seconds),
            started=signal.onset,
            signals={},
            stages=StageMachine(),
            window=signal.window,
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
            w = self._stage_window
            volume = max(int(leader.volume[w]), 1)
            quiet = tick - max(s.burst_tick for s in trend.signals.values())
            day = 86_400 // self.settings.tick_seconds
            changed |= trend.stages.hour(
                intensity=float(leader.authors[w]) / volume,
                before=float(leader.before[w]) / volume,
                authors=int(leader.authors[w]),
                bursting=quiet == 0,
                settled=quiet >= (bursts.TRACKED_DAYS * 24 - 2) * day // 24
                and tick - trend.started >= EVERGREEN_DAYS * day,
            )
        authors = int(leader.authors[trend.window])
        if trend.height is None or authors > trend.height.authors:
            trend.height = Height(
                tick,
                authors,
                int(leader.reels[trend.window]),
                max(float(leader.expected[trend.window]), 0.0),
                trend.window,
            )
        changed |= authors >= DOUBLED * trend.told_authors > 0
        if hourly or changed:
            members = tuple(sorted(s.hash for s in trend.members()))
            changed |= members != trend.told_members
        if changed:
            trend.revision += 1
            trend.told_members = members
            trend.told_authors = max(authors, trend.told_authors)
        return changed

    def _forget(self, tick: int) -> None:
        """Forget signals that are no longer followed, and trends without any, once an hour."""
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


def _slice(labels: bytes, numbers: list[int]) -> bytes:
    return labels[numbers[bursts.LABEL_AT] : numbers[bursts.LABEL_AT] + numbers[bursts.LABEL_LEN]]


def trend_id(signal: int, onset: int, tick_seconds: int) -> str:
    """Return a trend's id in the form of a ULID: its beginning, then a hash of its first signal.

    Example:
        >>> trend_id(signal=1, onset=2_945_520, tick_seconds=600)
        '01KDY02100PSRZFGAREEG4YRBS'
    """
    milliseconds = onset * tick_seconds * 1000
    digest = hashlib.blake2b(signal.to_bytes(8, "big") + onset.to_bytes(8, "big"), digest_size=10)
    number = milliseconds << 80 | int.from_bytes(digest.digest(), "big")
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -5, -5))
