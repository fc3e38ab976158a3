"""Challenges: communities of signals that more people bring together than before.

Hour by hour, over the sounds and hashtags of all reels: pairs that come together significantly
often (`trend.graph.pairs`) become edges, edges make communities, and a community with such a pair
is watched: its past is read from the log of the last days, its present is held against it
(`trend.graph.growth`). What is watched is reported as a shard reports a signal, under the
community's id, so that whatever judges bursts of signals judges communities too.

Nothing depends on the order of the reels in an hour.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from trend import bursts
from trend.graph import graph, pairs
from trend.graph.arrays import F64, I64, U64
from trend.graph.edges import NODES, EdgeSettings, bonds
from trend.graph.graph import GraphSettings
from trend.graph.growth import growth
from trend.graph.pairing import TickPairs, tick_pairs
from trend.graph.pairs import PairSettings
from trend.graph.reporting import Row, Windows, in_windows, nothing, reports
from trend.graph.watched import (
    DAY_H,
    MOST,
    NEVER,
    REELS_H,
    Block,
    Hour,
    Watched,
    holding,
    merged,
    sought,
)
from trend.kinds import COMMUNITY
from trend.parts import Part, packed
from trend.shard import ShardReports

EDGE_LOG10_P: Final = -2.5
"""From this p-value on two signals are linked."""
MAX_SIGNALS: Final = 16
"""Signals of a reel that are paired."""
LOG_H: Final = 192
"""Hours of reels kept, to know the past of a community that is new."""
GAP_DAYS: Final = 2
"""Days before the last that are no past of it where the log is long enough: what grows slowly is in
them already."""
CHANGE_H: Final = 12
"""Every so many hours what is watched takes over changes of the communities' members."""
MEMBER_SHARE: Final = 0.25
"""Share of the reels of its strongest member from which on a signal is told as one."""
LOG_REELS: Final = 2_000_000
"""Reels kept at most."""


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
            clean_every_ticks=DAY_H,
        )
    )


class Labels(NamedTuple):
    """The names of the signals of an `Hour`, use by use."""

    kind: npt.NDArray[np.uint8]
    starts: I64
    lengths: I64
    data: npt.NDArray[np.uint8]


class Challenges:
    """The graph and what is watched in it; all of it can be pickled between two calls."""

    def __init__(self, settings: ChallengeSettings) -> None:
        self.settings = settings
        self.graph = graph.empty()
        self._signals = pairs.empty(settings.pairs)
        self._pairs = pairs.empty(settings.pairs)
        self._names: dict[int, tuple[int, bytes]] = {}
        """Kind and label of the signals in the graph."""
        self._log: list[Block] = []
        self._volume: deque[int] = deque(maxlen=LOG_H)
        self._watched: dict[int, Watched] = {}
        self._last = -1

    def hour(self, hour: int, reels: Hour, labels: Labels) -> ShardReports:
        """Take the reels of an hour, later than those before, and report what is watched.

        Args:
            reels: with the signals they use, each once a reel; some may have none.
            labels: of these signals, where a signal may have several: the least counts.
        """
        if self._volume:
            self._volume.extend([0] * min(hour - self._last - 1, LOG_H))
        volume = reels.reel.size
        seen = self._counted(hour, reels)
        significant, tests = self._advance(hour, seen, volume, labels, reels)
        self._volume.append(volume)
        self._keep(hour, Block(hour, np.full(volume, hour), seen))
        self._watch(hour, significant)
        self._last = hour
        return self._reports(hour, tests)

    def _keep(self, hour: int, block: Block) -> None:
        """Enter an hour into the log; days that are over become one block."""
        day = [one for one in self._log if one.first // DAY_H == hour // DAY_H - 1]
        if len(day) > 1:
            self._log = [*self._log[: -len(day)], merged(day)]
        self._log.append(block)
        while len(self._log) > 1 and (
            self._log[1].first <= hour - LOG_H
            or sum(one.hour.size for one in self._log) > LOG_REELS
        ):
            del self._log[0]

    def _logged(self, hour: int) -> int:
        """Return how many hours the log holds."""
        return min(hour - self._log[0].first + 1, LOG_H, len(self._volume))

    def _counted(self, hour: int, reels: Hour) -> Hour:
        """Count the hour's signals; return its reels with those that enough people use."""
        settings = self.settings.pairs
        names, at, times = np.unique(reels.signals, return_inverse=True, return_counts=True)
        pairs.count(self._signals, settings, names, times, reels.reel.size, hour)
        often = pairs.uses(self._signals, settings, names) >= self.settings.min_authors
        kept = often[at]
        sums = np.zeros(kept.size + 1, np.int64)
        np.cumsum(kept, out=sums[1:])
        return reels._replace(bounds=sums[reels.bounds], signals=reels.signals[kept])

    def _advance(
        self, hour: int, seen: Hour, volume: int, labels: Labels, reels: Hour
    ) -> tuple[dict[int, float], int]:
        """Count and judge the pairs.

        Returns:
            The communities with one that is significant, with its p-value, and how many there were.
        """
        settings = self.settings
        found = tick_pairs(seen.signals, seen.bounds, seen.author, MAX_SIGNALS)
        pairs.count(self._pairs, settings.pairs, found.key, found.authors, volume, hour)
        ends = [pairs.uses(self._signals, settings.pairs, end) for end in found[1:3]]
        judged = pairs.significance(self._pairs, settings.pairs, found.key, ends[0], ends[1])
        hit = (judged.log10_p <= EDGE_LOG10_P) & (judged.authors >= settings.min_authors)
        self.graph, _ = graph.advanced(self.graph, settings.graph, *found[1:], hit, hour)
        if not hit.any():
            return {}, hit.size
        self._name(np.unique(np.concatenate([found.first[hit], found.second[hit]])), reels, labels)
        return self._communities(found, hit, judged.log10_p), hit.size

    def _communities(
        self, found: TickPairs, hit: npt.NDArray[np.bool_], log10_p: F64
    ) -> dict[int, float]:
        first, second = (self._community_of(end[hit]) for end in (found.first, found.second))
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

    def _name(self, signals: U64, reels: Hour, labels: Labels) -> None:
        """Note the names of signals that are new to the graph."""
        new = np.array([one for one in signals.tolist() if one not in self._names], np.uint64)
        for i in np.flatnonzero(np.isin(reels.signals, new)).tolist() if new.size else ():
            start = int(labels.starts[i])
            label = labels.data[start : start + int(labels.lengths[i])].tobytes()
            signal = int(reels.signals[i])
            self._names[signal] = min(
                (int(labels.kind[i]), label), self._names.get(signal, (COMMUNITY, b""))
            )
        nodes = self.graph.edges.signals[: int(self.graph.edges.n[NODES])]
        if len(self._names) > 2 * nodes.size:
            self._names = {one: self._names[one] for one in nodes.tolist()}

    def _watch(self, hour: int, significant: dict[int, float]) -> None:
        """Watch communities with a significant pair, for as long as bursts of signals."""
        limit = hour - bursts.TRACKED_DAYS * DAY_H
        alive = dict(
            zip(self.graph.lives.id.tolist(), range(self.graph.lives.id.size), strict=True)
        )
        kept = {
            *significant,
            *(
                one
                for one, w in self._watched.items()
                if one in alive and max(w.significant, w.burst) > limit
            ),
        }
        before, self._watched = self._watched, {}
        new: list[Watched] = []
        for one in sorted(kept):
            watched = before.get(one)
            if watched is None or hour % CHANGE_H == 0:
                members = graph.members(self.graph, alive[one])[:MOST]
            else:
                members = watched.members
            if watched is None or set(members.tolist()) != set(watched.members.tolist()):
                fresh = Watched(members, LOG_H)
                if watched is not None:
                    fresh.significant, fresh.burst = watched.significant, watched.burst
                new.append(fresh)
                watched = fresh
            if one in significant:
                watched.significant, watched.log10_p = hour, significant[one]
            self._watched[one] = watched
        _take(new, self._log, hour - self._logged(hour) + 1, hour)
        old = [one for one, w in self._watched.items() if w not in new]
        _take([self._watched[one] for one in old], self._log[-1:], self._last + 1, hour)

    def _reports(self, hour: int, tests: int) -> ShardReports:
        """Judge what is watched; `tests` is the number of signals that could have been."""
        settings = self.settings
        ids, watched = [*self._watched], [*self._watched.values()]
        volume = np.array(self._volume)[-self._logged(hour) :]
        windows = np.array([w for w in settings.windows_h if w < volume.size], np.int64)
        tick = (hour + 1) * (3600 // settings.tick_seconds) - 1
        live = np.array([[tick, tests]], np.int64)
        if not ids or not windows.size:
            return nothing(tick, len(settings.windows_h), live)
        together, users = (
            np.array([[*getattr(one, name)][-volume.size :] for one in watched], np.int64)
            for name in ("together", "users")
        )
        gap = DAY_H * min(GAP_DAYS, max(volume.size // DAY_H - 2, 0) // 2)
        seen = np.r_[: max(volume.size - gap - DAY_H, 0), max(volume.size - DAY_H, 0) : volume.size]
        together, users, volume = together[:, seen], users[:, seen], volume[seen]
        found = growth(together, users, volume, windows, DAY_H)
        log10_p = np.array([one.log10_p if one.significant == hour else 0.0 for one in watched])
        log10_p = np.minimum(np.minimum(log10_p, found.log10_p) + np.log10(2.0), 0.0)
        best = np.where(found.log10_p < 0, found.window, windows.size - 1)
        held = in_windows(together, volume, settings.windows_h)
        judged = np.arange(len(watched))
        held.expected[judged, best] = np.maximum(held.expected[judged, best], found.expected)
        told: list[int] = []
        rows: list[Row] = []
        for i, one in enumerate(watched):
            if self._bursts(hour, one, float(log10_p[i]), int(best[i]), held.expected[i]):
                one.burst = hour
            if one.burst != NEVER:
                told.append(ids[i])
                rows.append(self._report(hour, one, float(log10_p[i]), int(best[i]), held, i))
        if not rows:
            return nothing(tick, len(settings.windows_h), live)
        return reports(tick, told, rows, live)

    def _bursts(self, hour: int, one: Watched, log10_p: float, best: int, expected: F64) -> bool:
        settings = self.settings
        if log10_p > bursts.REPORT_LOG10_P:
            return False
        authors = one.authors(hour, settings.windows_h)[best]
        least = max(settings.min_authors, settings.min_growth * float(expected[best]))
        return authors >= least

    def _report(
        self, hour: int, one: Watched, log10_p: float, best: int, held: Windows, i: int
    ) -> Row:
        windows = self.settings.windows_h
        hours = one.reels_by_hour(REELS_H)
        ticks_per_hour = 3600 // self.settings.tick_seconds
        used = np.flatnonzero(hours[-windows[best] :])
        first = hour - windows[best] + 1 + int(used[0]) if used.size else hour
        authors = one.authors(hour, windows)
        grown = authors[-1] >= bursts.DETAIL_GROWTH * one.told_authors
        detailed = grown or hour - one.told >= bursts.DETAIL_EVERY_H
        if detailed:
            one.told, one.told_authors = hour, authors[-1]
        numbers = np.zeros(bursts.NUMBERS, np.int64)
        numbers[bursts.TICK] = (hour + 1) * ticks_per_hour - 1
        numbers[bursts.KIND], numbers[bursts.BURST] = COMMUNITY, one.burst == hour
        numbers[bursts.WINDOW], numbers[bursts.ONSET] = best, first * ticks_per_hour
        numbers[bursts.HOUR_REELS] = hours[-1]
        return Row(
            numbers,
            log10_p,
            np.array(authors),
            np.array([hours[-window:].sum() for window in windows], np.int64),
            held.expected[i],
            held.before[i],
            held.volume,
            one.reels(DAY_H)[: bursts.SAMPLE if detailed else 0],
            np.stack(
                [hours, np.full(REELS_H, max(held.expected[i, -1], 0.0) / windows[-1])], axis=1
            ),
            self._parts(one) if detailed else b"",
        )

    def _parts(self, one: Watched) -> bytes:
        uses = one.reels_by_member(self.settings.windows_h[-1])
        parts = [
            Part(signal, *self._names[signal], reels)
            for signal, reels in zip(one.members.tolist(), uses, strict=True)
            if reels >= MEMBER_SHARE * max(uses)
        ]
        told = np.array([part.hash for part in parts], np.uint64)
        return packed(parts, bonds(self.graph.edges, told))


def _take(watched: list[Watched], log: list[Block], first: int, last: int) -> None:
    """Give the hours from `first` to `last` to communities."""
    if watched:
        held = holding(log, sought([one.members for one in watched]))
        for place, one in enumerate(watched):
            one.take(first, last, held, place)
