"""Challenges: communities of signals that more people bring together than before.

Hour by hour, over the sounds and hashtags of all reels: pairs that come together significantly
often (`trend.graph.pairs`) become edges, edges make communities, and a community with such a pair
is watched: its past is read from the log of the last days, its present is held against it
(`trend.graph.growth`). What is watched is reported as a shard reports a signal, under the
community's id, so that whatever judges bursts of signals judges communities too.

Nothing depends on the order of the reels in an hour.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import numpy as np

from trend import bursts
from trend.compiled import kernel
from trend.graph import edges, graph, log, pairs, watched
from trend.graph.arrays import F64, I64, U64, Bools, Int, Records
from trend.graph.communities import CommunitySettings
from trend.graph.edges import NODES, EdgeSettings, bonds
from trend.graph.graph import GraphSettings
from trend.graph.growth import growth
from trend.graph.pairing import TickPairs, taken, tick_pairs
from trend.graph.pairs import PairSettings
from trend.graph.reporting import Told, in_windows, nothing, reports
from trend.graph.watched import DAY_H, MOST, NEVER, Hour, Numbers, Sought
from trend.parts import Part, packed
from trend.shard import ShardReports

EDGE_LOG10_P: Final = -2.5
"""From this p-value on two signals are linked."""
COMMON: Final = 0.02
COMMON_USES: Final = 1000
"""A signal of more than this share of the reels, and of so many in two days, is the platform's own
and makes no challenge with others."""
MAX_SIGNALS: Final = 16
"""Signals of a reel that are paired."""
LOG_H: Final = 192
"""Hours of reels kept, to know the past of a community that is new."""
GAP_DAYS: Final = 2
"""Days before the last that are no past of it where the log is long enough: what grows slowly is in
them already."""
CHANGE_H: Final = 12
"""Every so many hours what is watched takes over changes of the communities' members."""
CORE_SHARE: Final = 0.3
"""Share of the heaviest edge of a community that an edge must weigh to hold two of its members."""
MEMBER_SHARE: Final = 0.25
"""Share of the reels of its strongest member from which on a signal is told as one."""
WATCHED_FDR: Final = 0.01
"""A burst is a discovery among all that is watched at this false-discovery rate: its p-value times
their number is below it (Bonferroni)."""
LOG_REELS: Final = 1 << 21
"""Reels kept at most, and twice as many uses."""
LOG10_2: Final = math.log10(2.0)

Name = tuple[int, bytes]
"""Kind and label of a signal."""


@dataclass(frozen=True, slots=True)
class ChallengeSettings:
    """What makes a community a burst; the first four as for signals."""

    tick_seconds: int
    windows_h: tuple[int, ...]
    min_authors: int
    min_growth: float
    pairs: PairSettings = field(
        default_factory=lambda: PairSettings(window_ticks=DAY_H, min_growth=2.0)
    )
    graph: GraphSettings = field(
        default_factory=lambda: GraphSettings(
            edges=EdgeSettings(max_edges=200_000, half_life_ticks=DAY_H, min_weight=3.0),
            communities=CommunitySettings(whole_run_share=0.25),
            clean_every_ticks=DAY_H,
            look_every_ticks=CHANGE_H,
        )
    )


class Challenges:
    """The graph and what is watched in it; all of it can be pickled between two calls."""

    def __init__(self, settings: ChallengeSettings) -> None:
        self.settings = settings
        self.graph = graph.empty()
        self._once = replace(settings.pairs, hashes=1)
        """Of signals, which are fewer than pairs."""
        self._signals = pairs.empty(self._once)
        self._pairs = pairs.empty(settings.pairs)
        self._names: dict[int, Name] = {}
        """Of the signals in the graph."""
        self._log = log.empty()
        self._volume = np.zeros(LOG_H, np.int64)
        """Reels of hour h at h modulo `LOG_H`."""
        self._watched = watched.empty(LOG_H)
        self._sought: Sought | None = None
        """Of all that is watched."""
        self._last = -1

    def hour(self, hour: int, reels: Hour, named: Callable[[U64], dict[int, Name]]) -> ShardReports:
        """Take the reels of an hour, later than those before, and report what is watched.

        Args:
            reels: with the signals they use, each once a reel; some may have none.
            named: returns the names of some of these signals.
        """
        passed = np.arange(max(self._last + 1, hour - LOG_H + 1), hour + 1) % LOG_H
        self._volume[passed] = 0
        self._volume[hour % LOG_H] = reels.reel.size
        self._watched.users[:, passed] = self._watched.together[:, passed] = 0
        seen = self._counted(hour, reels)
        significant, tests = self._advance(hour, seen, named)
        self._log = log.added(self._log, hour, *seen, LOG_H, LOG_REELS)
        numbers = self._watch(hour, seen, significant)
        self._last = hour
        return self._reports(hour, numbers, tests)

    def _logged(self, hour: int) -> int:
        """Return how many hours the log holds."""
        return max(min(hour - int(self._log.n[log.SINCE]) + 1, LOG_H), 0)

    def _counted(self, hour: int, reels: Hour) -> Hour:
        """Count the hour's signals; return its reels with those that some use, but not all."""
        settings = self._once
        pairs.count_each(self._signals, settings, reels.signals, reels.reel.size, hour)
        uses = pairs.uses(self._signals, settings, reels.signals)
        common = max(COMMON * pairs.volume(self._signals), COMMON_USES)
        often = (uses >= self.settings.min_authors) & (uses <= common)
        sums = np.zeros(often.size + 1, np.int64)
        np.cumsum(often, out=sums[1:])
        return reels._replace(bounds=sums[reels.bounds], signals=reels.signals[often])

    def _advance(
        self, hour: int, seen: Hour, named: Callable[[U64], dict[int, Name]]
    ) -> tuple[dict[int, float], int]:
        """Count and judge the pairs.

        Returns:
            The communities with one that is significant, with its p-value, and how many there were.
        """
        settings = self.settings
        found = tick_pairs(seen.signals, seen.bounds, seen.author, MAX_SIGNALS)
        tests = found.key.size
        volume = seen.reel.size
        uses = pairs.count(self._pairs, settings.pairs, found.key, found.authors, volume, hour)
        often = np.flatnonzero(uses >= settings.min_authors)
        known = edges.known(self.graph.edges, found.first, found.second)
        log10_p = np.zeros(tests)
        log10_p[often] = self._judged(found, often)
        hit = log10_p <= EDGE_LOG10_P
        told = np.flatnonzero(hit | known)
        found = taken(found, told)
        hit, log10_p = hit[told], log10_p[told]
        self.graph, _ = graph.advanced(self.graph, settings.graph, *found[1:], hit, hour)
        if not hit.any():
            return {}, tests
        self._name(np.unique(np.concatenate([found.first[hit], found.second[hit]])), named)
        return self._communities(found, hit, log10_p), tests

    def _judged(self, found: TickPairs, often: I64) -> F64:
        ends = [pairs.uses(self._signals, self._once, end[often]) for end in found[1:3]]
        settings = self.settings.pairs
        return pairs.significance(self._pairs, settings, found.key[often], *ends).log10_p

    def _communities(self, found: TickPairs, hit: Bools, log10_p: F64) -> dict[int, float]:
        of = self._community_of(np.concatenate([found.first[hit], found.second[hit]]))
        first, second = np.split(of, 2)
        inside = (first == second) & (first >= 0)
        least: dict[int, float] = {}
        ids = self.graph.lives.id[first[inside]].tolist()
        for one, p in zip(ids, log10_p[hit][inside].tolist(), strict=True):
            least[one] = min(p, least.get(one, 0.0))
        return least

    def _community_of(self, signals: U64) -> I64:
        """Return the place of each signal's community; -1: it is in none, or its edges are gone."""
        of_node = self.graph.lives.of_node
        known = self.graph.edges.signals[: of_node.size]
        order = np.argsort(known)
        at = known.searchsorted(signals, sorter=order)
        node = np.append(order, -1)[at]
        there = np.append(known, np.uint64(0))[node] == signals
        return np.where(there & (node >= 0), np.append(of_node, -1)[node], -1).astype(np.int64)

    def _name(self, signals: U64, named: Callable[[U64], dict[int, Name]]) -> None:
        """Note the names of signals that are new to the graph."""
        new = np.array([one for one in signals.tolist() if one not in self._names], np.uint64)
        if new.size:
            self._names |= named(new)
        nodes = self.graph.edges.signals[: int(self.graph.edges.n[NODES])]
        if len(self._names) > 2 * nodes.size:
            kept = {*nodes.tolist(), *self._watched.members.ravel().tolist()}
            self._names = {one: name for one, name in self._names.items() if one in kept}

    def _watch(self, hour: int, seen: Hour, significant: dict[int, float]) -> Numbers:
        """Watch communities with a significant pair, for as long as bursts of signals."""
        rows = self._watched.rows
        limit = hour - bursts.TRACKED_DAYS * DAY_H
        alive = {*self.graph.lives.id.tolist()}
        before = rows["id"].tolist()
        latest = np.maximum(rows["significant"], rows["burst"]).tolist()
        kept = {
            one for one, last in zip(before, latest, strict=True) if last > limit and one in alive
        }
        ids = sorted(kept.union(significant))
        if hour % CHANGE_H == 0 or ids != before:
            fresh = self._choose(hour, ids)
            what = watched.sought(self._watched, ~fresh)
            self._sought = None
        else:
            what = self._sought = self._sought or watched.sought(
                self._watched, np.ones(len(ids), np.bool_)
            )
        rows = self._watched.rows
        at = [ids.index(one) for one in significant]
        rows["significant"][at], rows["log10_p"][at] = hour, [*significant.values()]
        windows = np.array(self.settings.windows_h)
        self._watched, numbers = watched.taken(self._watched, what, hour, seen, windows)
        return numbers

    def _choose(self, hour: int, ids: list[int]) -> Bools:
        """Watch these communities; those that are new or have other members take their past.

        Returns:
            Which of them did, and have this hour already.
        """
        old = self._watched
        places = {one: place for place, one in enumerate(old.rows["id"].tolist())}
        before = np.array([places.get(one, -1) for one in ids], np.int64)
        members = []
        fresh = np.ones(len(ids), np.bool_)
        for place, one in enumerate(ids):
            at = before[place]
            own = old.members[at, : old.rows["size"][at]] if at >= 0 else None
            if own is None or hour % CHANGE_H == 0:
                life = int(self.graph.lives.id.searchsorted(np.uint64(one)))
                now = graph.members(self.graph, life)
                now = edges.core(self.graph.edges, now[:MOST], CORE_SHARE)
                if own is not None and {*now.tolist()} == {*own.tolist()}:
                    fresh[place] = False
                else:
                    own = now
            else:
                fresh[place] = False
            members.append(own)
        chosen = watched.chosen(old, np.array(ids, np.uint64), members, before)
        w = watched.without(chosen, fresh)
        since = hour - self._logged(hour) + 1
        new = np.flatnonzero(fresh).tolist()
        pasts = [log.past(self._log, members[place], since) for place in new]
        self._watched = watched.remembered(w, new, pasts, hour)
        return fresh

    def _reports(self, hour: int, numbers: Numbers, tests: int) -> ShardReports:
        """Judge what is watched; `tests` is the number of signals that could have been."""
        settings = self.settings
        logged = self._logged(hour)
        tick = (hour + 1) * (3600 // settings.tick_seconds) - 1
        live = np.array([[tick, tests]], np.int64)
        windows = np.array([w for w in settings.windows_h if w < logged], np.int64)
        rows = self._watched.rows
        if not rows.size or not windows.size:
            return nothing(tick, len(settings.windows_h), live)
        gap = DAY_H * min(GAP_DAYS, max(logged // DAY_H - 2, 0) // 2)
        columns = np.arange(hour - logged + 1, hour + 1)
        past = columns[: max(logged - gap - DAY_H, 0)]
        columns = np.concatenate([past, columns[-DAY_H:]]) % LOG_H
        together, users = self._watched.together[:, columns], self._watched.users[:, columns]
        volume = self._volume[columns]
        found = growth(together, users, volume, windows, DAY_H)
        held = in_windows(together, volume, settings.windows_h)
        judged = Judged(
            np.zeros(rows.size),
            np.zeros(rows.size, np.int64),
            np.zeros(rows.size, np.bool_),
            np.zeros(rows.size, np.bool_),
        )
        _judge(
            rows,
            hour,
            *found[:2],
            found.expected,
            numbers.authors,
            held.expected,
            windows.size - 1,
            settings.min_authors,
            settings.min_growth,
            min(bursts.REPORT_LOG10_P, math.log10(WATCHED_FDR / rows.size)),
            judged.log10_p,
            judged.window,
            judged.burst,
            judged.detailed,
        )
        told = np.flatnonzero(rows["burst"] != NEVER)
        if not told.size:
            return nothing(tick, len(settings.windows_h), live)
        detailed = judged.detailed[told]
        one = Told(
            rows["id"][told],
            judged.burst[told],
            judged.window[told],
            judged.log10_p[told],
            numbers.authors[told],
            numbers.reels[told],
            held.expected[told],
            held.before[told],
            held.volume,
        )
        details = {
            i: (self._parts(place, numbers), watched.brought(self._watched, place, hour))
            for i, place in zip(
                np.flatnonzero(detailed).tolist(), told[detailed].tolist(), strict=True
            )
        }
        return reports(tick, hour, settings.windows_h, one, details, live)

    def _parts(self, place: int, numbers: Numbers) -> bytes:
        size = int(self._watched.rows["size"][place])
        uses = numbers.uses[place, :size].tolist()
        parts = [
            Part(signal, *self._names[signal], reels)
            for signal, reels in zip(
                self._watched.members[place, :size].tolist(), uses, strict=True
            )
            if reels >= MEMBER_SHARE * max(uses)
        ]
        told = np.array([part.hash for part in parts], np.uint64)
        return packed(parts, bonds(self.graph.edges, told))


class Judged(NamedTuple):
    """C communities at an hour."""

    log10_p: F64  # [C]
    window: I64  # [C] place of the most improbable one
    burst: Bools  # [C]
    detailed: Bools  # [C] its members and reels are to be told


@kernel
def _judge(
    rows: Records,
    hour: Int,
    grown: F64,
    grown_window: I64,
    grown_from: F64,
    authors: I64,
    expected: F64,
    longest: Int,
    min_authors: Int,
    min_growth: float,
    limit: float,
    log10_p: F64,
    window: I64,
    burst: Bools,
    detailed: Bools,
) -> None:
    """Fill what `Judged` has, and note it in the rows of those that are told.

    Args:
        grown, grown_window, grown_from: `log10_p`, `window` and `expected` of `Growth`.
        authors, expected: [C, W]; what `grown_from` says is more is entered there.
        longest: place of the longest window that can be judged.
        limit: log10 of the p-value from which on it is a burst.
    """
    for i in range(rows.size):
        least = rows[i].log10_p if rows[i].significant == hour else 0.0
        log10_p[i] = min(min(least, grown[i]) + LOG10_2, 0.0)
        w = grown_window[i] if grown[i] < 0 else longest
        window[i] = w
        expected[i, w] = max(expected[i, w], grown_from[i])
        needed = max(float(min_authors), min_growth * expected[i, w])
        burst[i] = log10_p[i] <= limit and authors[i, w] >= needed
        if burst[i]:
            rows[i].burst = hour
        if rows[i].burst == NEVER:
            continue
        people = authors[i, authors.shape[1] - 1]
        detailed[i] = (
            people >= bursts.DETAIL_GROWTH * rows[i].told_authors
            or hour - rows[i].told >= bursts.DETAIL_EVERY_H
        )
        if detailed[i]:
            rows[i].told, rows[i].told_authors = hour, people
