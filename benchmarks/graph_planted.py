"""Graphs with planted communities for the benchmarks of the graph, and how others run on them."""

import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from trend.graph import graph
from trend.graph.arrays import F64, I32, I64
from trend.graph.edges import EDGES, NODES
from trend.graph.graph import Graph, GraphSettings


def timed(function: Callable[[], Any], rounds: int = 1) -> tuple[float, Any]:
    """Return the least processor time of several rounds, and the last result."""
    least = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        result = function()
        least = min(least, time.process_time() - began)
    return least, result


class Planted:
    """Signals in communities of very different sizes; some are used far more than others."""

    def __init__(self, nodes: int, groups: int, inside: float, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes, self.inside = nodes, inside
        share = np.arange(1, groups + 1) ** -0.7
        self.truth = np.sort(self.rng.choice(groups, nodes, p=share / share.sum()))
        used = np.arange(1, nodes + 1) ** -0.6
        self.used = np.cumsum(self.rng.permutation(used))
        self.signals = self.rng.permutation(nodes).astype(np.uint64) + np.uint64(1)
        first = np.searchsorted(self.truth, np.arange(groups + 1))
        self.low = np.concatenate([[0.0], self.used])[first]

    def draw(self, count: int) -> tuple[I64, I64]:
        """Return distinct edges, about so many."""
        a = self._of(np.zeros(count), np.full(count, self.used[-1]))
        near = self._of(self.low[self.truth[a]], self.low[self.truth[a] + 1])
        far = self._of(np.zeros(count), np.full(count, self.used[-1]))
        b = np.where(self.rng.random(count) < self.inside, near, far)
        codes = np.unique(np.minimum(a, b)[a != b] * self.nodes + np.maximum(a, b)[a != b])
        return codes // self.nodes, codes % self.nodes

    def edges(self, count: int) -> tuple[I64, I64]:
        """Return exactly so many distinct edges."""
        codes = np.zeros(0, np.int64)
        while codes.size < count:
            a, b = self.draw(count)
            codes = np.union1d(codes, a * self.nodes + b)
        codes = np.sort(self.rng.choice(codes, count, replace=False))
        return codes // self.nodes, codes % self.nodes

    def _of(self, low: F64, high: F64) -> I64:
        at = np.searchsorted(self.used, low + self.rng.random(low.size) * (high - low), "right")
        return np.minimum(at, self.nodes - 1)


def fed(
    g: Graph, settings: GraphSettings, planted: Planted, ends: tuple[I64, I64], n: I64, tick: int
) -> Graph:
    """Give a graph a tick's edges, all significant."""
    first, second = planted.signals[ends[0]], planted.signals[ends[1]]
    return graph.advanced(g, settings, first, second, n, n, n > 0, tick)[0]


def exported(g: Graph) -> tuple[Any, list[float]]:
    """Return the graph as igraph's, and its weights."""
    import igraph

    rows = g.edges.edges[: g.edges.n[EDGES]]
    ends = np.stack([rows["a"], rows["b"]], axis=1)
    return igraph.Graph(n=int(g.edges.n[NODES]), edges=ends), rows["weight"].tolist()


def cold_igraph(of: Any, weights: list[float], seed: int = 1) -> I32:
    """igraph's Leiden from single nodes, with its default of two iterations."""
    random.seed(seed)
    found = of.community_leiden("modularity", weights=weights, n_iterations=2)
    return np.array(found.membership, np.int32)


def information(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Normalised mutual information of two partitions."""
    import igraph

    return float(igraph.compare_communities(a.tolist(), b.tolist(), method="nmi"))


def truth_of(g: Graph, planted: Planted) -> I64:
    """The planted community of each node of the graph."""
    of_signal = np.empty(planted.nodes + 1, np.int64)
    of_signal[planted.signals] = planted.truth
    return of_signal[g.edges.signals[: g.edges.n[NODES]]]
