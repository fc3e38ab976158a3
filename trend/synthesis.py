"""From bursts of signals to trends: one trend for signals that rise in the same reels.

Tick by tick, over the reports of all shards in the order of their signals:

1. Bursts whose false-discovery rate over all signals alive is within the limit are *discoveries*;
   so is a community that bursts, which was held against all that the graph watches.
2. A discovery that is in no trend joins the one whose reels hold most of its own, if that is
   enough, or else the one whose phrase it extends; the discoveries of one tick come in the order of
   their p-values. A community (`trend.graph.challenges`) comes in as a signal of its own, and joins
   the trend that any of its members is in, as do members that burst after it.
3. At the end of each hour every trend's stage is judged (`trend.stages`).
4. A trend is told for the first time when it is likely enough that it takes off
   (`trend.candidates`); most never are.
5. One that was told and changed its stage, its members or doubled gets a new revision.

A signal belongs to a trend until its shard stops following it, so that a second wave within days is
a revision and not a second alert. Nothing here runs per reel or per signal of the stream: only what
bursts comes here.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from trend import bursts, takeoff
from trend.candidates import Candidates
from trend.crowd import crowd, is_crew
from trend.followed import Followed
from trend.judging import JUDGED, STAGE_WINDOW_H, judge, leaders
from trend.kinds import COMMUNITY, PHRASE
from trend.known import Known
from trend.layout import I64, NONE
from trend.overlap import Sharing, shared
from trend.parts import Bond, bonds, unpacked
from trend.shard import ShardReports
from trend.significance import q_values
from trend.sketches import COMPARED
from trend.stages import STAGES
from trend.takeoff_prior import PRIOR
from trend.trends import Height, Revision, Signal, Trend, parts_of, trend_id

MIN_SHARED: Final = 3
"""Reels that two signals must share at least to be one trend."""
BURST_FDR: Final = 0.5
"""False-discovery rate of bursts at a tick: `trend.candidates` asks about each of them."""
FORGET_H: Final = 1
"""Hours after its shard let go of it that a signal is forgotten."""
FIRST_TRENDS: Final = 64
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
    """Share of alerts that may be false, above 0; 1: all that bursts is told."""
    overlap: float
    """Share of the smaller signal's reels that two must share to be one trend."""
    burst_fdr: float = BURST_FDR


class Synthesis:
    """All trends alive."""

    def __init__(self, settings: SynthesisSettings) -> None:
        self.settings = settings
        self.trends: dict[str, Trend] = {}
        self._by_number: dict[int, Trend] = {}
        self._judged = np.zeros(FIRST_TRENDS, JUDGED)
        self._signals: dict[int, Signal] = {}
        self._owner: dict[int, str] = {}
        self._phrases: dict[str, str] = {}
        """Phrase in a trend -> that."""
        self._followed = Followed(settings.windows_h)
        self._forgotten = 0
        self._ticks_per_hour = 3600 // settings.tick_seconds
        wide = [i for i, h in enumerate(settings.windows_h) if h >= STAGE_WINDOW_H]
        self.candidates = Candidates(settings.fdr, PRIOR, self._ticks_per_hour, settings.windows_h)
        self._stage_window = wide[0] if wide else len(settings.windows_h) - 1

    def followed(self) -> int:
        """Return how many signals are known, of `MAX_SIGNALS`."""
        return len(self._signals)

    def hear(self, words: list[tuple[str, int, int]]) -> None:
        """Take what people said of trends, see `trend.feedback`."""
        self.candidates.feedback.hear(words)

    def tick(
        self,
        tick: int,
        reports: list[tuple[ShardReports, slice]],
        tests: int,
        known: Known,
    ) -> list[Revision]:
        """Take all reports of one tick and return the new revisions of trends, by the trends' ids.

        Args:
            tick: later than every tick before.
            reports: of the shards, each with the rows that are of this tick; in any order.
            tests: signals alive over all shards.
            known: says of reels what is known at this tick.
        """
        if self._hour(tick) != self._forgotten or len(self._signals) > MAX_SIGNALS:
            self._forget(tick)
        rows = np.concatenate([self._take(tick, part, at) for part, at in reports])
        signals = self._followed.columns.signals
        self._discover(np.sort(rows[signals["burst_tick"][rows] == tick]), tests, known)
        numbers = np.unique(signals["trend"][rows])
        return self._revised(numbers[numbers != NONE], tick, known)

    def _take(self, tick: int, reports: ShardReports, at: slice) -> I64:
        """Update the signals with their reports; return the rows of those with news."""
        taken = self._followed.take(reports, at, tick, self._hour(tick))
        keys, numbers = reports.signal[taken.detailed], reports.numbers[taken.detailed]
        details = zip(keys.tolist(), numbers.tolist(), taken.rows.tolist(), strict=True)
        for key, told, row in details:
            signal = self._signals.get(key)
            if signal is None:
                signal = self._signals[key] = _named(key, told, reports.labels, row)
            first, size = told[bursts.SAMPLE_AT], told[bursts.SAMPLE_LEN]
            hashes = reports.samples[first : first + size].copy()
            signal.detail(hashes, sampled=told[bursts.SAMPLED] > 0)
            if signal.kind == COMMUNITY:
                signal.parts, signal.bonds = _parts(told, reports.labels)
            if key in self._owner:
                self.trends[self._owner[key]].changed()
        return taken.news

    def _hour(self, tick: int) -> int:
        return tick * self.settings.tick_seconds // 3600

    def _discover(self, burst: I64, tests: int, known: Known) -> None:
        """Bring discoveries among the signals in these rows into trends."""
        if not burst.size:
            return
        signals = self._followed.columns.signals[burst]
        q = q_values(signals["log10_p"], tests)
        united = signals["kind"] == COMMUNITY
        q[united] = np.minimum(q[united], takeoff.CERTAIN)
        hit = q <= self.settings.burst_fdr
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
        held = self._held()
        gained: set[str] = set()
        for log10_p, key, value in found:
            signal = self._signals[key]
            near = gained.union(names[i] for i in sharing.most(signal.sample, MIN_SHARED))
            trend = (
                self._united(signal, held) or self._closest(signal, near) or self._extended(signal)
            )
            if trend is None:
                if signal.copied is None:
                    signal.copied = _of_a_crew(signal.sample.reels, known, self._ticks_per_hour)
                if signal.copied:
                    continue
                trend = self._begin(signal)
            trend.signals[key] = signal
            trend.communities += signal.kind == COMMUNITY
            held |= {part.hash: trend.id for part in signal.parts if part.hash not in held}
            trend.changed()
            trend.improbable(log10_p, value)
            self._owner[key] = trend.id
            if signal.kind == PHRASE:
                self._phrases[signal.id] = trend.id
            self._followed.columns.signals[signal.row]["trend"] = trend.number
            gained.add(trend.id)

    def _held(self) -> dict[int, str]:
        """Return what the communities in trends consist of, each with the first such trend."""
        held: dict[int, str] = {}
        for name, trend in self.trends.items():
            if trend.communities:
                for signal in trend.signals.values():
                    for part in signal.parts:
                        held.setdefault(part.hash, name)
        return held

    def _united(self, signal: Signal, held: dict[int, str]) -> Trend | None:
        """Return the trend that has a member of this community, or a community with this signal."""
        if signal.kind != COMMUNITY:
            return self.trends.get(held.get(signal.hash, ""))
        has = Counter(
            owner
            for part in signal.parts
            if (owner := self._owner.get(part.hash) or held.get(part.hash))
        )
        return self.trends[max(has, key=lambda name: (has[name], name))] if has else None

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
        held = self._phrases
        found = [(len(part), held[part]) for part in parts_of(phrase.id) if part in held]
        return self.trends[max(found)[1]] if found else None

    def _begin(self, signal: Signal) -> Trend:
        row = self._followed.columns.signals[signal.row]
        number = next(n for n in range(len(self.trends) + 1) if n not in self._by_number)
        if number == self._judged.size:
            self._judged = np.concatenate([self._judged, np.zeros_like(self._judged)])
        judged = self._judged[number : number + 1]
        judged[:] = np.zeros(1, JUDGED)
        judged["started"], judged["window"] = row["onset"], row["window"]
        judged["stage_window"], judged["height_log10_p"] = NONE, 1.0
        name = trend_id(signal.hash, int(row["onset"]), self.settings.tick_seconds)
        trend = self.trends[name] = self._by_number[number] = Trend(name, number, {})
        return trend

    def _revised(self, numbers: I64, tick: int, known: Known) -> list[Revision]:
        """Judge the trends that have a signal with news; return the new revisions."""
        hourly = (tick + 1) * self.settings.tick_seconds % 3600 == 0
        if hourly:
            self.candidates.settle(tick)
        if not numbers.size:
            return []
        leading, changed = judge(
            self._followed.columns,
            self._judged,
            numbers,
            tick,
            hourly,
            self._stage_window,
            self._ticks_per_hour,
        )
        revised: list[Trend] = []
        trends = [self._by_number[number] for number in numbers.tolist()]
        if hourly:
            self.candidates.hour(trends, leading, self._followed)
        authors = self._followed.columns.authors[leading, -1].tolist()
        told = zip(trends, leading.tolist(), changed.tolist(), authors, strict=True)
        for trend, row, news, people in told:
            if trend.revision == 0 and not self._takes_off(trend, row, people, tick, known):
                continue
            if (news or (hourly and not trend.settled)) and self._revise(trend, news):
                revised.append(trend)
        if not revised:
            return []
        revised.sort(key=lambda trend: trend.id)
        of = np.array([trend.number for trend in revised])
        rows, _ = leaders(self._followed.columns, self._judged, of, self._ticks_per_hour)
        return [*map(self._revision, revised, rows.tolist())]

    def _takes_off(self, trend: Trend, row: int, authors: int, tick: int, known: Known) -> bool:
        """Whether to tell of a trend that nobody was told of, led by the signal in a row."""
        if not self.candidates.asks(trend, authors):
            return False
        started = int(self._judged["started"][trend.number])
        return self.candidates.tells(trend, row, self._followed, started, tick, known)

    def _revise(self, trend: Trend, changed: bool) -> bool:
        """Return whether a trend has a new revision, for `changed` or other members."""
        judged = self._judged[trend.number]
        reels = self._followed.columns.reels[:, judged["window"]]
        members = tuple(sorted(s.hash for s in trend.members(reels)))
        changed |= members != trend.told_members
        trend.settled = True
        if changed:
            trend.revision += 1
            trend.told_members = members
            judged["told_authors"] = max(judged["authors"], judged["told_authors"])
        return changed

    def _revision(self, trend: Trend, row: int) -> Revision:
        """Return what is to be told of a trend that is led by the signal in a row."""
        judged, columns = self._judged[trend.number], self._followed.columns
        window = int(judged["window"])
        height = (judged[f"height_{name}"].item() for name in Height.__slots__)
        reels = columns.reels[:, window]
        return Revision(
            trend,
            stage=STAGES[judged["stage"]],
            window=window,
            started=int(judged["started"]),
            height=Height(*height),
            authors=columns.authors[row].tolist(),
            reels=columns.reels[row].tolist(),
            expected=columns.expected[row].tolist(),
            before=columns.before[row].tolist(),
            series=self._followed.series(row),
            members=[(s, s.reels_in(reels)) for s in trend.members(reels)],
            samples=[
                s.sample
                for s in trend.signals.values()
                if s.kind == COMMUNITY or s.hash in trend.told_members
            ],
            together=self._signals[int(columns.signals["key"][row])].kind == COMMUNITY,
        )

    def _forget(self, tick: int) -> None:
        """Forget signals that are no longer followed or too many, and trends without any."""
        self._forgotten = self._hour(tick)
        followed = bursts.TRACKED_DAYS * 86_400 + FORGET_H * 3600
        limit = tick - followed // self.settings.tick_seconds
        self._drop(self._followed.quiet_since(limit))
        if len(self._signals) > MAX_SIGNALS:
            signals = self._followed.columns.signals
            loose = signals[(signals["trend"] == NONE) & (signals["burst_tick"] < bursts.NEVER)]
            over = len(self._signals) - MAX_SIGNALS
            self._drop(np.sort(loose, order=("burst_tick", "key"))["key"][:over].tolist())

    def _drop(self, keys: list[int]) -> None:
        """Forget signals, and trends that have no other."""
        self._followed.remove(keys)
        for key in keys:
            self._leave(key, self._signals.pop(key))

    def _leave(self, key: int, signal: Signal) -> None:
        """Have a signal's trend forget it."""
        owner = self._owner.pop(key, None)
        if owner is None:
            return
        if signal.kind == PHRASE:
            del self._phrases[signal.id]
        trend = self.trends[owner]
        del trend.signals[key]
        trend.communities -= signal.kind == COMMUNITY
        trend.changed()
        if not trend.signals:
            del self.trends[owner], self._by_number[trend.number]


def _of_a_crew(reels: npt.NDArray[np.uint64], known: Known, ticks_per_hour: int) -> bool:
    """Say whether reels are a crew's: copies of one text by several, or of one author."""
    seen = known.reels(reels[:COMPARED])
    of = crowd(seen.authors, seen.texts, seen.ticks.astype(np.int32), ticks_per_hour)
    return is_crew(of)


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
    if numbers[bursts.KIND] == COMMUNITY:
        return Signal(key, COMMUNITY, "", "", row)
    at = numbers[bursts.LABEL_AT]
    name, label = _name(labels[at : at + numbers[bursts.LABEL_LEN]])
    return Signal(key, numbers[bursts.KIND], name, label, row)


def _parts(numbers: list[int], labels: bytes) -> tuple[tuple[Signal, ...], tuple[Bond, ...]]:
    """Return what a community consists of, as told with its details."""
    at = numbers[bursts.LABEL_AT]
    told = labels[at : at + numbers[bursts.LABEL_LEN]]
    return tuple(
        Signal(part.hash, part.kind, *_name(part.label), int(NONE), part.reels)
        for part in unpacked(told)
    ), tuple(bonds(told))


def _name(told: bytes) -> tuple[str, str]:
    """Return id and label as a label's bytes tell them."""
    name, _, label = told.decode("utf-8", "ignore").partition(SEP)
    return name, label or name
