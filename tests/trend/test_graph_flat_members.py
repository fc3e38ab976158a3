"""A known sound and a known tag, flat but newly used together: from pairs to growth."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from trend.graph import graph
from trend.graph.edges import EdgeSettings
from trend.graph.graph import Graph, GraphSettings
from trend.graph.growth import growth
from trend.graph.membership import usage
from trend.graph.pairing import tick_pairs
from trend.graph.pairs import Buckets, PairSettings, count, empty, significance, uses

DAY = 48  # ticks of half an hour
TICKS = 8 * DAY
START = 7 * DAY
PAIRS = PairSettings(buckets=1 << 16, window_ticks=DAY)
GRAPH = GraphSettings(edges=EdgeSettings(half_life_ticks=DAY))
PLANTED = [(20 + 2 * i, 21 + 2 * i) for i in range(10)]


@dataclass
class Stream:
    """A hundred sounds and tags; from the last day on ten couples of them come together.

    A member has 40 authors a day, and in the last day 50, of whom 18 use it with the other one.
    """

    rng: np.random.Generator
    planted: bool
    series: list[np.ndarray] = field(default_factory=list)

    def tick(self, at: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        volume = int(self.rng.poisson(200 * (1 + 0.5 * np.sin(2 * np.pi * at / DAY))))
        share = np.full(120, 40 / DAY / 200)
        share[0], share[1], share[2:6] = 0.4, 0.3, 0.03
        coming = self.planted and at >= START
        if coming:
            share[20:40] *= 32 / 40
        used = self.rng.random((volume, share.size)) < share
        used[:, 7] |= used[:, 6]  # these two always come together: no news
        for couple in PLANTED if coming else []:
            reels = self.rng.integers(0, volume, self.rng.poisson(18 / DAY))
            used[np.ix_(reels, couple)] = True
        self.series.append(used.sum(axis=0))
        reel, signal = np.nonzero(used)
        bounds = np.searchsorted(reel, np.arange(volume + 1))
        authors = self.rng.integers(1, 1 << 60, volume).astype(np.uint64)
        return (signal + 1).astype(np.uint64), bounds, authors


def run(seed: int, planted: bool) -> tuple[list[set[int]], np.ndarray, Stream]:
    """Return the communities at the end, the p-values of their growth, and the stream."""
    stream = Stream(np.random.default_rng(seed), planted)
    pairs: Buckets = empty(PAIRS)
    signals: Buckets = empty(PAIRS)
    g: Graph = graph.empty()
    ticks = [stream.tick(at) for at in range(TICKS)]
    for at, (of, bounds, authors) in enumerate(ticks):
        found = tick_pairs(of, bounds, authors, most=16)
        names, times = np.unique(of, return_counts=True)
        count(pairs, PAIRS, found.key, found.authors, authors.size, at)
        count(signals, PAIRS, names, times, authors.size, at)
        ends = (uses(signals, PAIRS, end) for end in (found.first, found.second))
        hit = significance(pairs, PAIRS, found.key, *ends).log10_p <= -5
        g, _ = graph.advanced(
            g, GRAPH, found.first, found.second, found.authors, found.reels, hit, at
        )
    lives = g.lives.id.size
    members = [graph.members(g, one) for one in range(lives)]
    every = np.concatenate([np.zeros(0, np.uint64), *members])
    of_each = np.repeat(np.arange(lives, dtype=np.int32), [one.size for one in members])
    order = np.argsort(every)
    counted = [usage(*tick, every[order], of_each[order], lives) for tick in ticks]
    together = np.stack([one.together for one in counted], axis=1)
    users = np.stack([one.users for one in counted], axis=1)
    volume = np.array([tick[2].size for tick in ticks])
    if lives == 0:
        return [], np.zeros(0), stream
    p = growth(together, users, volume, np.array([12, 24, DAY]), DAY).log10_p
    return [set((one - np.uint64(1)).tolist()) for one in members], p, stream


@pytest.mark.parametrize("seed", range(3))
def test_couples_are_found_while_their_members_are_flat(seed: int) -> None:
    communities, p, stream = run(seed, planted=True)
    series = np.array(stream.series)[:, 20:40]
    grown = series[START:].sum() / (series[START - DAY : START].sum())
    assert grown < 1.3
    growing = [some for some, one in zip(communities, p, strict=True) if one <= -4]
    found = [couple for couple in PLANTED if any(set(couple) <= some for some in growing)]
    assert len(found) >= 0.8 * len(PLANTED)
    assert len(growing) <= 1.1 * len(found)


def test_where_nothing_comes_together_nothing_grows() -> None:
    _, p, _ = run(9, planted=False)
    assert not (p <= -4).any()
