"""Eighth step, one for all shards: waits for every report of a tick, then decides its trends.

A tick is decided when all shards have reported it and all partitions have handed over the ids of
its reels. The decision is `trend.synthesis`; here a decided trend gets its words and its numbers.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from operators.blocks import GRAPH, ONE, SHARDS, shard_name
from operators.catalogue import Catalogue, ReelIds
from operators.detect import ShardReport
from operators.durable.machine import Machine
from operators.feedback import Word
from operators.links import Linked, Links, Sight, sight
from operators.metrics import (
    CANDIDATES,
    DECIDED,
    FALSE_EXPECTED,
    FOLLOWED,
    LIMIT,
    REVISIONS,
    TRENDS,
    USED,
    Sizes,
)
from operators.watermarks import Watermarks
from operators.wording import behind, chance, name_of, pace, summary_of, why
from schemas import trends as contract
from trend.bursts import TICK
from trend.forecast import F64, RHYTHM_H, Forecast, forecast, rhythm
from trend.kinds import KINDS
from trend.known import Seen, Usual
from trend.scopes import GLOBAL, scope, scopes_of
from trend.shard import ShardReports
from trend.stages import EMERGING, STAGES
from trend.synthesis import MAX_SIGNALS, Synthesis, SynthesisSettings, merged
from trend.trends import Revision, Signal

Told = ShardReport | ReelIds
DIGITS = 4
"""Decimals of the numbers that are told."""


@dataclass(frozen=True, slots=True)
class SynthesiseSettings:
    """What the step needs beside `SynthesisSettings`."""

    synthesis: SynthesisSettings
    catalogue_hours: int
    catalogue_reels: int
    max_examples: int
    graph: bool = False
    """Whether `operators.cooccur` reports too."""
    scopes: tuple[str, ...] = ()
    """That a trend may hold in, beside the global one (`trend.scopes`)."""
    min_authors: int = 1
    """People of a day that it needs there."""


@dataclass(frozen=True, slots=True)
class KnownReels:
    """What the catalogue knows at a tick, for as long as it is decided; a `trend.known.Known`."""

    catalogue: Catalogue
    tick: int
    per_hour: int
    _volumes: dict[int, npt.NDArray[np.int64]] = field(default_factory=dict)

    def reels(self, hashes: npt.NDArray[np.uint64]) -> Seen:
        """Return what is known of reels; `hashes` are ascending, each once."""
        found = self.catalogue.known(hashes, self.tick)
        there = slice(None) if found.there.all() else found.there
        return Seen(
            found.author[there],
            found.text[there],
            found.apply[there].astype(np.int64),
            found.engaged[there],
            found.homes[there],
        )

    def usual(self, ticks: int) -> Usual:
        """Return how the platform's reels of so many ticks are, up to the last whole hour."""
        last = self.tick - (self.tick + 1) % self.per_hour
        return self.catalogue.usual(self.tick, last, ticks)

    def volume(self, ticks: int) -> npt.NDArray[np.int64]:
        """Return the platform's reels in so many ticks, int64[ticks], this one first."""
        if ticks not in self._volumes:
            self._volumes[ticks] = self.catalogue.volume(self.tick, ticks)
        return self._volumes[ticks]


class Synthesise:
    """All reports in, revisions of trends out; everything in it can be pickled."""

    def __init__(
        self, settings: SynthesiseSettings, partitions: Sequence[str], words: Sequence[Word] = ()
    ) -> None:
        self.settings = settings
        shards = [shard_name(shard) for shard in range(SHARDS)]
        shards += [GRAPH] if settings.graph else []
        tick_seconds = settings.synthesis.tick_seconds
        self._synthesis = Synthesis(settings.synthesis)
        self._shards = Watermarks(shards)
        self._partitions = Watermarks(partitions)
        self._catalogue = Catalogue(
            settings.catalogue_hours * 3600 // tick_seconds, settings.catalogue_reels
        )
        self._links = Links(tick_seconds)
        self._scopes = [scope(name) for name in settings.scopes]
        self._ticks_per_hour = 3600 // tick_seconds
        self._reports: dict[int, list[tuple[ShardReports, slice]]] = {}
        self._live = dict.fromkeys(shards, 0)
        """Signals alive in each shard as of its last report."""
        self._changes: Counter[int] = Counter()
        """Tick that is not decided -> signals born in it less those that went."""
        self._alive = 0
        """Signals alive in the last tick that was decided."""
        self._decided: int | None = None
        self._words: list[Word] = []
        """What people said of trends after the ticks decided, by time."""
        self._heard = 0
        """Words so far, in the order they were said."""
        self.hear(words)

    def __call__(self, items: Iterable[Told]) -> list[Linked]:
        """Take what came and return the revisions of the ticks it completed, in order."""
        reports = []
        for item in items:
            if isinstance(item, ReelIds):
                self._catalogue.add(item.reels)
                self._partitions.take(item.partition, item.closed, item.end)
            else:
                self._shards.take(item.shard, item.reports.through + 1, end=False)
                reports.append(item)
        self._note_live(reports)
        self._take([item.reports for item in reports])
        through = [marks.through() for marks in (self._shards, self._partitions)]
        if through[0] is None or through[1] is None:
            return []
        return self._decide(min(through[0], through[1]))

    def know(self, partitions: Sequence[str]) -> bool:
        """Wait for partitions that came later too; say whether there are such."""
        return self._partitions.know(partitions)

    def hear(self, words: Sequence[Word]) -> bool:
        """Take all that was ever said, of which more is known by now; say whether it is more."""
        more = words[self._heard :]
        self._heard = max(len(words), self._heard)
        self._words = sorted([*self._words, *more], key=lambda word: word.at_s)
        return bool(more)

    def sizes(self) -> Sizes:
        """How far it is, and how full."""
        synthesis = self._synthesis
        seconds = self.settings.synthesis.tick_seconds
        return {
            (DECIDED, ()): 0 if self._decided is None else (self._decided + 1) * seconds,
            (FOLLOWED, ()): len(synthesis.trends),
            (CANDIDATES, ()): len(synthesis.candidates),
            (USED, ("bursting",)): synthesis.followed(),
            (LIMIT, ("bursting",)): MAX_SIGNALS,
            (USED, ("reel-ids",)): self._catalogue.reels(),
            (LIMIT, ("reel-ids",)): self.settings.catalogue_reels,
        }

    def _note_live(self, items: list[ShardReport]) -> None:
        """Note by how much the signals alive in each shard change, and at which ticks."""
        told = [item for item in items if item.reports.live.size]
        if not told:
            return
        ticks, live = np.concatenate([item.reports.live for item in told]).T
        changes = np.diff(live, prepend=0)
        at = 0
        for item in told:
            changes[at] = live[at] - self._live[item.shard]
            at += len(item.reports.live)
            self._live[item.shard] = int(live[at - 1])
        found, group = np.unique(ticks, return_inverse=True)
        sums = np.bincount(group, weights=changes).astype(np.int64)
        self._changes.update(dict(zip(found.tolist(), sums.tolist(), strict=True)))

    def _take(self, reports: list[ShardReports]) -> None:
        """Keep reports until their ticks are decided."""
        reports = [report for report in reports if report.signal.size]
        if not reports:
            return
        report = merged(reports)
        ticks, first = np.unique(report.numbers[:, TICK], return_index=True)
        ends = [*first[1:].tolist(), report.signal.size]
        for tick, start, stop in zip(ticks.tolist(), first.tolist(), ends, strict=True):
            self._reports.setdefault(tick, []).append((report, slice(start, stop)))

    def _decide(self, through: int) -> list[Linked]:
        revisions: list[Linked] = []
        for tick in sorted(t for t in self._reports.keys() | self._changes.keys() if t <= through):
            self._alive += self._changes.pop(tick, 0)
            reports = self._reports.pop(tick, None)
            if reports is not None:
                self._listen((tick + 1) * self.settings.synthesis.tick_seconds)
                known = KnownReels(self._catalogue, tick, self._ticks_per_hour)
                revised = self._synthesis.tick(tick, reports, max(self._alive, 1), known)
                if revised:
                    beat = self._rhythm(known)
                    revisions += [self._tell(revision, tick, beat) for revision in revised]
        if self._decided is None or through > self._decided:
            self._decided = through
            self._catalogue.forget(through)
            self._links.keep(self._synthesis.trends)
        return revisions

    def _listen(self, until_s: int) -> None:
        """Take what was said before a time."""
        if not self._words or self._words[0].at_s >= until_s:
            return
        count = bisect_left(self._words, until_s, key=lambda word: word.at_s)
        said, self._words = self._words[:count], self._words[count:]
        self._synthesis.hear([(word.trend_id, word.real, word.noise) for word in said])

    def _rhythm(self, known: KnownReels) -> F64:
        """Return the platform's rhythm over the day before a tick."""
        into = known.tick % self._ticks_per_hour + 1
        volume = known.volume(into + (RHYTHM_H - 1) * self._ticks_per_hour)
        return rhythm(volume, into, self._ticks_per_hour)

    def _tell(self, revision: Revision, tick: int, beat: F64) -> Linked:
        """Put a revision into the words of the contract."""
        trend, w = revision.trend, revision.window
        seen = sight(revision, self._catalogue, tick, self._ticks_per_hour)
        seconds = self.settings.synthesis.tick_seconds
        hours = self.settings.synthesis.windows_h[w]
        reels, authors = revision.reels[w], revision.authors[w]
        expected = max(revision.expected[w], 0.0) * reels / max(authors, 1)
        before = revision.before[w] * reels / max(authors, 1)
        growth = reels / expected if expected > 0 else 0.0
        members = _members(revision.members)
        trend.name = name_of(members, trend.name)
        ahead = forecast(revision.series, revision.stage, beat, tick, self._ticks_per_hour)
        told = contract.Trend(
            trend_id=trend.id,
            revision=trend.revision,
            kind=members[0].kind if len(members) == 1 else "challenge",
            stage=revision.stage,  # type: ignore[arg-type]
            scopes=self._held(seen, tick),
            event_time=_time((tick + 1) * seconds),
            started_at=_time(revision.started * seconds),
            name=trend.name,
            summary=summary_of(members, revision.stage),
            category=None,
            reels=reels,
            authors=authors,
            expected=round(expected, DIGITS),
            growth=round(growth, DIGITS),
            velocity_per_h=round(reels / hours, DIGITS),
            acceleration_per_h2=round((reels - before) / hours**2, DIGITS),
            score=round(trend.probability, DIGITS),
            q_value=float(f"{trend.q_value:.3g}"),
            members=members,
            examples=self._examples(seen, tick),
            series=_series(revision),
            forecast=_forecast(ahead),
            why=self._why(revision, members, tick) + behind(seen.crowd),
        )
        return Linked(told, self._links.of(revision, seen))

    def _held(self, seen: Sight, tick: int) -> tuple[str, ...]:
        """Return the scopes that a trend holds in."""
        if not self._scopes:
            return (GLOBAL,)
        there = seen.known.there
        first = np.unique(seen.known.author[there], return_index=True)[1]
        known = KnownReels(self._catalogue, tick, self._ticks_per_hour)
        usual = known.usual(24 * self._ticks_per_hour)
        homes, least = seen.known.homes[there][first], self.settings.min_authors
        return scopes_of(homes, usual.homes, seen.looked.scale, least, self._scopes)

    def _why(self, revision: Revision, members: tuple[contract.Member, ...], tick: int) -> str:
        height, hours = revision.height, self.settings.synthesis.windows_h
        reason = why(
            members, height.authors, height.expected, hours[height.window], revision.together
        )
        if revision.stage == STAGES[EMERGING]:
            reason += pace(revision.authors, revision.before, hours)
        if revision.trend.revision == 1:
            reason += chance(revision.trend.probability)
        authors = revision.authors[height.window]
        if height.tick == tick or height.authors == authors:
            return reason
        at = _time((height.tick + 1) * self.settings.synthesis.tick_seconds)
        return f"{reason}; that was at {at:%d %b %H:%M} UTC, it is {authors} now"

    def _examples(self, seen: Sight, tick: int) -> tuple[str, ...]:
        """Return ids of reels that hold most of the members."""
        most = self.settings.max_examples
        ranked = seen.hashes[np.argsort(-seen.holding, kind="stable")][: 4 * most].tolist()
        found: list[str] = []
        for some in (ranked[:most], ranked[most:]):  # mostly the first are known
            if len(found) < most:
                known = self._catalogue.find(some, tick)
                found += [known[reel] for reel in some if reel in known]
        return tuple(found[:most])


def _members(signals: Sequence[tuple[Signal, int]]) -> tuple[contract.Member, ...]:
    total = sum(reels for _, reels in signals)
    return tuple(
        contract.Member(
            kind=KINDS[signal.kind],
            id=signal.id,
            label=f"#{signal.label}" if KINDS[signal.kind] == "hashtag" else signal.label,
            weight=round(reels / total, DIGITS) if total else 1 / len(signals),
            reels=reels,
        )
        for signal, reels in signals
    )


def _series(revision: Revision) -> tuple[contract.SeriesPoint, ...]:
    point = contract.SeriesPoint
    return tuple(
        [
            point(t=_time(hour * 3600), reels=reels, expected=round(expected, DIGITS))
            for hour, reels, expected in revision.series
        ]
    )


def _forecast(ahead: Forecast) -> tuple[contract.ForecastPoint, ...]:
    point = contract.ForecastPoint
    return tuple(
        [
            point(t=_time((ahead.first_hour + at) * 3600), reels=reels, low=low, high=high)
            for at, (reels, low, high) in enumerate(ahead.reels.tolist())
        ]
    )


@lru_cache(maxsize=4096)
def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class Synthesising(Machine[Told, Linked]):
    """`Synthesise` as a machine under one key."""

    def __init__(
        self, settings: SynthesiseSettings, partitions: Sequence[str], words: Sequence[Word] = ()
    ) -> None:
        self._synthesise = Synthesise(settings, partitions, words)

    def key_of(self, value: Told) -> str:
        """The one key."""
        return ONE

    def know(self, partitions: Sequence[str]) -> bool:
        """Wait for partitions that came later too; say whether there are such."""
        return self._synthesise.know(partitions)

    def hear(self, words: Sequence[Word]) -> bool:
        """Take what people said since too; say whether there is such."""
        return self._synthesise.hear(words)

    def sizes(self) -> Sizes:
        """How far it is, and how full."""
        return self._synthesise.sizes()

    def apply(self, values: list[Told]) -> list[Linked]:
        """Take reports and reel ids."""
        return self._synthesise(values)


def counted(trend: contract.Trend) -> contract.Trend:
    """Count a revision that goes on among the metrics, and return it."""
    REVISIONS.add(1, trend.kind, trend.stage)
    if trend.revision == 1:
        TRENDS.add(1, trend.kind, trend.stage)
        FALSE_EXPECTED.add(1 - trend.score)
    return trend
