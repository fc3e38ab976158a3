"""Local moves: each node into the neighbouring community where modularity gains most.

    gain of node i in community C  =  w(i, C) - k_i * K_C / 2m

with w(i, C) the weight between them, k_i the node's degree, K_C the community's without i and 2m
all degrees. Nodes wait in a queue; who moves puts the neighbours it left behind into it. That alone
makes the fast local moving of Leiden, where all nodes begin in the queue, and the dynamic frontier,
where only the endpoints of changed edges do.

The order is that of the queue and ties go to the community with the smaller number, so the result
is a function of the input.

Sources: Traag, Waltman & van Eck, "From Louvain to Leiden" (2019); Sahu, "DF Leiden" (2024).
"""

from typing import Final, NamedTuple

import numpy as np
from numba import njit

from trend.graph.adjacency import Adjacency
from trend.graph.arrays import F64, I32, I64, Int

# Places in `Partition.n`.
FREE: Final = 0  # communities without nodes, at the front of `free`
VISITS: Final = 1  # nodes that local moves have looked at

_EPSILON: Final = 1e-12
"""Share of a node's degree by which a move must gain, so that rounding moves nothing."""
_MAX_VISITS: Final = 100
"""Times the nodes: local moves end after so many visits, whatever happens."""


class Partition(NamedTuple):
    """The community of each node; communities are numbered below M >= N."""

    n: I64
    label: I32  # [N]
    total: F64  # [M] degrees of the nodes of a community
    size: I32  # [M] nodes of a community
    free: I32  # [M]


def partition_of(label: I32, degree: F64, numbers: int = 0) -> Partition:
    """Return the partition with these labels, below `numbers` or the number of nodes.

    Example:
        >>> p = partition_of(np.array([2, 2, 0], np.int32), np.array([1.0, 2.0, 4.0]))
        >>> p.total.tolist(), p.free[: p.n[FREE]].tolist()
        ([4.0, 0.0, 3.0], [1])
    """
    numbers = max(numbers, label.size)
    size = np.bincount(label, minlength=numbers).astype(np.int32)
    weights = degree[: label.size]
    total = np.asarray(np.bincount(label, weights=weights, minlength=numbers), np.float64)
    unused = np.flatnonzero(size == 0)[::-1].astype(np.int32)
    free = np.zeros(numbers, np.int32)
    free[: unused.size] = unused
    n = np.array([unused.size, 0], np.int64)
    return Partition(n, label, total, size, free)


@njit(cache=True)
def settle(g: Adjacency, p: Partition, queue: I32, two_m: float) -> tuple[I32, I32]:
    """Move nodes, from those in the queue on, until none gains.

    Args:
        queue: nodes, each once, in the order in which they are looked at.
        two_m: the sum of all degrees.

    Returns:
        The nodes that left a community where others stayed, and the communities they left.
    """
    n = p.label.size
    waiting = np.zeros(n, np.bool_)
    ring = np.empty(n, np.int32)
    ring[: queue.size] = queue
    for i in queue:
        waiting[i] = True
    head, count = 0, queue.size
    toward = np.zeros(p.total.size, np.float64)
    seen = np.empty(p.total.size, np.int32)
    gone = np.empty(256, np.int32)
    left = np.empty(256, np.int32)
    departures = 0
    budget = _MAX_VISITS * n
    while count > 0 and budget > 0:
        node = ring[head]
        head = head + 1 if head + 1 < n else 0
        count -= 1
        budget -= 1
        p.n[VISITS] += 1
        waiting[node] = False
        own = p.label[node]
        best = _best(g, p, node, two_m, toward, seen)
        if best == own:
            continue
        if p.size[own] > 1:
            if departures == gone.size:
                gone, left = _doubled(gone), _doubled(left)
            gone[departures] = node
            left[departures] = own
            departures += 1
        move(p, node, best, g.degree[node])
        for at in range(g.start[node], g.start[node] + g.length[node]):
            other = g.neighbour[at]
            if not waiting[other] and p.label[other] != best:
                waiting[other] = True
                tail = head + count
                ring[tail if tail < n else tail - n] = other
                count += 1
    return gone[:departures], left[:departures]


@njit(cache=True, inline="always")
def _best(g: Adjacency, p: Partition, node: Int, two_m: float, toward: F64, seen: I32) -> np.int64:
    """Return the community where the node gains most, maybe one of its own; `toward` stays 0."""
    own = np.int64(p.label[node])
    found = 0
    for at in range(g.start[node], g.start[node] + g.length[node]):
        label = p.label[g.neighbour[at]]
        if toward[label] == 0.0:
            seen[found] = label
            found += 1
        toward[label] += g.weight[at]
    degree = g.degree[node]
    share = degree / two_m
    best = own
    stay = toward[own] - (p.total[own] - degree) * share
    most = stay + _EPSILON * degree
    for i in range(found):
        label = np.int64(seen[i])
        gain = toward[label] - p.total[label] * share
        toward[label] = 0.0
        if label != own and (gain > most or (gain == most and best != own and label < best)):
            most = gain
            best = label
    if most < 0.0 and p.size[own] > 1:
        best = np.int64(p.free[p.n[FREE] - 1])
    return best


@njit(cache=True, inline="always")
def move(p: Partition, node: Int, label: Int, degree: float) -> None:
    """Move a node into a community, maybe one without nodes: then the last one that is free."""
    own = p.label[node]
    if p.size[label] == 0:
        p.n[FREE] -= 1
        p.total[label] = 0.0
    p.label[node] = label
    p.size[label] += 1
    p.total[label] += degree
    p.size[own] -= 1
    p.total[own] -= degree
    if p.size[own] == 0:
        p.free[p.n[FREE]] = own
        p.n[FREE] += 1


@njit(cache=True)
def _doubled(array: I32) -> I32:
    grown = np.empty(2 * array.size, np.int32)
    grown[: array.size] = array
    return grown


@njit(cache=True)
def everyone(count: Int) -> I32:
    """Return the queue of all nodes, in an order without regard to their numbers.

    Numbers follow the age of the signals; in that order the first communities would draw too much.
    """
    queue = np.arange(count).astype(np.int32)
    state = np.uint64(0x9E3779B97F4A7C15)
    for i in range(count - 1, 0, -1):
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
        j = np.int64(state % np.uint64(i + 1))
        queue[i], queue[j] = queue[j], queue[i]
    return queue


@njit(cache=True)
def modularity(g: Adjacency, label: I32) -> float:
    """Return the share of weight inside communities, less what chance would put there.

    Source: Newman & Girvan (2004).
    """
    n = g.n[0]
    total = np.zeros(label.max() + 1, np.float64)
    two_m = outside = 0.0
    for i in range(n):
        two_m += g.degree[i]
        total[label[i]] += g.degree[i]
        for at in range(g.start[i], g.start[i] + g.length[i]):
            if label[g.neighbour[at]] != label[i]:
                outside += g.weight[at]
    if two_m == 0.0:
        return 0.0
    share = (two_m - outside) / two_m
    for i in range(total.size):
        share -= (total[i] / two_m) ** 2
    return share
