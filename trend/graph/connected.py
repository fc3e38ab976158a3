"""Communities stay connected: what fell apart becomes several.

When nodes leave a community, every part into which it may have fallen holds a neighbour of one
that left. So it is enough to search from those neighbours, all at once: the search ends when they
have met, mostly after a few steps, or when all parts but one are walked through. Those become
communities of their own; the last, whose end was not seen, keeps the number.
"""

import numpy as np
from numba import njit

from trend.graph.adjacency import Adjacency
from trend.graph.arrays import I32, I64, Int
from trend.graph.moves import FREE, Partition, move


@njit(cache=True)
def mend(g: Adjacency, p: Partition, gone: I32, left: I32) -> int:
    """Divide the communities that fell apart by departures; return how many were split off.

    Args:
        gone, left: as `trend.graph.moves.settle` returns them.
    """
    part = np.full(p.label.size, -1, np.int32)
    visited = np.empty(p.label.size, np.int32)
    order = np.argsort(left, kind="mergesort")
    split = 0
    at = 0
    while at < order.size:
        label = left[order[at]]
        reached = 0
        while at < order.size and left[order[at]] == label:
            node = gone[order[at]]
            at += 1
            for k in range(g.start[node], g.start[node] + g.length[node]):
                other = g.neighbour[k]
                if p.label[other] == label and part[other] < 0:
                    part[other] = reached
                    visited[reached] = other
                    reached += 1
        if reached > 1:
            split += _search(g, p, label, part, visited, reached)
        else:
            part[visited[:reached]] = -1
    return split


@njit(cache=True)
def _search(g: Adjacency, p: Partition, label: Int, part: I32, visited: I32, seeds: Int) -> int:
    """Search one community from its seeds and divide it; `part` is -1 everywhere afterwards."""
    parent = np.arange(seeds)
    unseen = np.ones(seeds, np.int64)  # nodes of a part that are reached and not looked at
    open_parts = seeds
    parts = seeds
    reached = seeds
    head = 0
    while head < reached and parts > 1 and open_parts > 1:
        node = visited[head]
        head += 1
        own = _root(parent, part[node])
        for k in range(g.start[node], g.start[node] + g.length[node]):
            other = g.neighbour[k]
            if p.label[other] != label:
                continue
            if part[other] < 0:
                part[other] = own
                visited[reached] = other
                reached += 1
                unseen[own] += 1
                continue
            met = _root(parent, part[other])
            if met != own:
                low, high = min(met, own), max(met, own)
                parent[high] = low
                unseen[low] += unseen[high]
                own = low
                parts -= 1
                open_parts -= 1
        unseen[own] -= 1
        if unseen[own] == 0:
            open_parts -= 1
    split = 0
    if parts > 1:
        name = np.full(seeds, -1, np.int32)
        for i in range(reached):
            root = _root(parent, part[visited[i]])
            if unseen[root] > 0:
                continue
            if name[root] < 0:
                name[root] = p.free[p.n[FREE] - 1]
                split += 1
            move(p, visited[i], name[root], g.degree[visited[i]])
    part[visited[:reached]] = -1
    return split


@njit(cache=True)
def _root(parent: I64, i: Int) -> Int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(cache=True)
def mend_all(g: Adjacency, p: Partition) -> int:
    """Divide every community that is not connected; return how many were split off.

    The largest part keeps the number, among equals that of the lowest node.
    """
    n = g.n[0]
    part = np.full(n, -1, np.int32)
    stack = np.empty(n, np.int32)
    sizes = np.zeros(n, np.int32)
    keeper = np.full(p.label.size, -1, np.int32)
    parts = 0
    for first in range(n):
        if part[first] >= 0:
            continue
        label = p.label[first]
        part[first] = parts
        stack[0] = first
        height = 1
        while height > 0:
            height -= 1
            node = stack[height]
            sizes[parts] += 1
            for k in range(g.start[node], g.start[node] + g.length[node]):
                other = g.neighbour[k]
                if part[other] < 0 and p.label[other] == label:
                    part[other] = parts
                    stack[height] = other
                    height += 1
        if keeper[label] < 0 or sizes[parts] > sizes[keeper[label]]:
            keeper[label] = parts
        parts += 1
    name = np.full(parts, -1, np.int32)
    original = p.label.copy()
    split = 0
    for node in range(n):
        one = part[node]
        if keeper[original[node]] == one:
            continue
        if name[one] < 0:
            name[one] = p.free[p.n[FREE] - 1]
            split += 1
        move(p, node, name[one], g.degree[node])
    return split
