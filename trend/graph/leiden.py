"""Leiden: communities from the whole graph, deterministic.

Round by round: local moves; a refinement, in which each community is built anew from single nodes
that merge only along edges and only where they are well connected; then the same on the graph whose
nodes are the refined communities, until nothing merges. Where Leiden draws a merge at random by its
gain, the one with the largest gain is taken, so that the same graph gives the same communities.

Source: Traag, Waltman & van Eck, "From Louvain to Leiden: guaranteeing well-connected communities",
Scientific Reports 9 (2019).
"""

import numpy as np
from numba import njit

from trend.graph.adjacency import Adjacency
from trend.graph.arrays import F64, I32, I64
from trend.graph.connected import mend_all
from trend.graph.moves import Partition, everyone, partition_of, settle


def leiden(g: Adjacency, start: I32 | None = None, rounds: int = 2) -> I32:
    """Return the community of each node; each is connected.

    Args:
        start: communities to begin from; None: single nodes. One that lives on keeps its number.
        rounds: each begins from the communities of the one before, >= 1.

    Example:
        >>> from trend.graph.adjacency import of_edges
        >>> ends = [(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (4, 5), (3, 5)]
        >>> kind = [("a", np.int32), ("b", np.int32), ("weight", np.float64)]
        >>> g = of_edges(np.array([(*end, 1.0) for end in ends], kind), nodes=6)
        >>> label = leiden(g)
        >>> [sorted({int(x) for x in label[half]}) for half in (slice(0, 3), slice(3, 6))]
        [[0], [4]]
    """
    n = int(g.n[0])
    label = np.arange(n, dtype=np.int32) if start is None else start.copy()
    two_m = float(g.degree[:n].sum())
    if two_m == 0.0:
        return label
    for _ in range(rounds):
        label = _round(g, label, two_m)
    p = partition_of(label, g.degree, _numbers(label))
    mend_all(g, p)
    return p.label


def _numbers(label: I32) -> int:
    return max(label.size, int(label.max()) + 1)


def _round(g: Adjacency, label: I32, two_m: float) -> I32:
    """Improve the communities once, from the nodes to ever coarser graphs."""
    numbers = _numbers(label)
    member = np.arange(label.size)
    while True:
        p = partition_of(label, g.degree, numbers)
        settle(g, p, everyone(label.size), two_m)
        refined = refine(g, p, two_m)
        used, coarse = np.unique(refined, return_inverse=True)
        if used.size == label.size:
            return p.label[member]
        member = coarse[member]
        label = p.label[used]
        g = _coarser(g, coarse.astype(np.int32), used.size)


@njit(cache=True)
def refine(g: Adjacency, p: Partition, two_m: float) -> I32:
    """Divide each community into well-connected parts; return each node's, named by a node of it.

    A part R of community C is well connected if w(R, C - R) >= K_R (K_C - K_R) / 2m.
    """
    n = g.n[0]
    part = np.arange(n).astype(np.int32)
    total = g.degree[:n].copy()
    size = np.ones(n, np.int32)
    outward = np.zeros(n, np.float64)  # weight to the rest of the community
    for node in range(n):
        for at in range(g.start[node], g.start[node] + g.length[node]):
            if p.label[g.neighbour[at]] == p.label[node]:
                outward[node] += g.weight[at]
    toward = np.zeros(n, np.float64)
    seen = np.empty(n, np.int32)
    for node in everyone(n):
        community = p.total[p.label[node]]
        degree = g.degree[node]
        if size[node] > 1 or part[node] != node:
            continue
        if outward[node] < degree * ((community - degree) / two_m):
            continue
        found = 0
        for at in range(g.start[node], g.start[node] + g.length[node]):
            other = g.neighbour[at]
            if p.label[other] == p.label[node]:
                one = part[other]
                if toward[one] == 0.0:
                    seen[found] = one
                    found += 1
                toward[one] += g.weight[at]
        best = -1
        most = 0.0
        weight = 0.0
        for i in range(found):
            one = seen[i]
            gain = toward[one] - degree * (total[one] / two_m)
            well = outward[one] >= total[one] * ((community - total[one]) / two_m)
            if well and (gain > most or (gain == most and best >= 0 and one < best)):
                best, most, weight = one, gain, toward[one]
            toward[one] = 0.0
        if best >= 0:
            part[node] = best
            total[best] += degree
            size[best] += 1
            outward[best] += outward[node] - 2.0 * weight
    return part


def _coarser(g: Adjacency, coarse: I32, count: int) -> Adjacency:
    """Return the graph whose nodes are groups of nodes; weight inside them is left to `degree`."""
    order = np.argsort(coarse, kind="stable").astype(np.int32)
    bounds = np.searchsorted(coarse[order], np.arange(count + 1))
    start, length, neighbour, weight = _coarsen(g, coarse, order, bounds)
    return Adjacency(
        n=np.array([count, 0, neighbour.size], np.int64),
        start=start,
        length=length,
        room=length,
        neighbour=neighbour,
        weight=weight,
        degree=np.asarray(
            np.bincount(coarse, weights=g.degree[: coarse.size], minlength=count), np.float64
        ),
        places=np.zeros((0, 2), np.int32),
    )


@njit(cache=True)
def _coarsen(g: Adjacency, coarse: I32, order: I32, bounds: I64) -> tuple[I64, I32, I32, F64]:
    count = bounds.size - 1
    size = np.int64(0)
    for node in range(coarse.size):
        size += g.length[node]
    start = np.zeros(count, np.int64)
    length = np.zeros(count, np.int32)
    neighbour = np.empty(size, np.int32)
    weight = np.empty(size, np.float64)
    toward = np.zeros(count, np.float64)
    used = np.int64(0)
    for group in range(count):
        start[group] = used
        for i in range(bounds[group], bounds[group + 1]):
            node = order[i]
            for at in range(g.start[node], g.start[node] + g.length[node]):
                other = coarse[g.neighbour[at]]
                if other == group:
                    continue
                if toward[other] == 0.0:
                    neighbour[used] = other
                    used += 1
                toward[other] += g.weight[at]
        for at in range(start[group], used):
            weight[at] = toward[neighbour[at]]
            toward[neighbour[at]] = 0.0
        length[group] = used - start[group]
    return start, length, neighbour[:used].copy(), weight[:used].copy()
