"""Who neighbours whom: an adjacency list that takes new edges and weights in place.

The neighbours of a node stand together in one part of a common pool; a part that is full moves to
the pool's end at twice the size, so that a new edge costs O(1) and to walk along the neighbours
reads memory in order.
"""

from typing import Final, NamedTuple

import numpy as np
from numba import njit

from trend.graph.arrays import F64, I32, I64, Int, Records, longer

# Places in `Adjacency.n`.
NODES: Final = 0
EDGES: Final = 1
USED: Final = 2  # of the pool

_FIRST: Final = 2


class Adjacency(NamedTuple):
    """A weighted graph without loops; each edge stands with both of its ends."""

    n: I64
    start: I64  # [N] first neighbour, a place in the pool
    length: I32  # [N] neighbours
    room: I32  # [N]
    neighbour: I32  # [P] the pool
    weight: F64  # [P]
    degree: F64  # [N] sum of the weights; may hold more than that (loops of a coarser graph)
    places: I32  # [E, 2] of each edge within the parts of its two ends


def empty() -> Adjacency:
    """Return a graph without nodes."""
    return Adjacency(
        n=np.zeros(3, np.int64),
        start=np.zeros(16, np.int64),
        length=np.zeros(16, np.int32),
        room=np.zeros(16, np.int32),
        neighbour=np.zeros(64, np.int32),
        weight=np.zeros(64),
        degree=np.zeros(16),
        places=np.zeros((16, 2), np.int32),
    )


def strengthened(g: Adjacency, edges: Records, edge: I32, added: F64, nodes: int) -> Adjacency:
    """Return the graph with weight added to edges; one not seen before is new.

    Args:
        edges: with the fields `a` and `b`, their ends.
        edge: numbers, int32[k]; new edges are numbered on from those there are.
        added: float64[k], > 0.
        nodes: how many there are now.

    Example:
        >>> ends = np.array([(0, 1), (1, 2)], [("a", np.int32), ("b", np.int32)])
        >>> g = strengthened(empty(), ends, np.array([0, 1], np.int32), np.array([2.0, 3.0]), 3)
        >>> g.degree[:3].tolist()
        [2.0, 5.0, 3.0]
    """
    if nodes > g.start.size:
        size = max(nodes, g.start.size * 3 // 2)
        per_node = {name: longer(getattr(g, name), size) for name in _PER_NODE}
        g = g._replace(**per_node)
    last = int(edge.max(initial=-1)) + 1
    if last > g.places.shape[0]:
        g = g._replace(places=longer(g.places, max(last, g.places.shape[0] * 3 // 2)))
    g.n[NODES] = nodes
    at = _strengthen(g, edges, edge, added, 0)
    while at < edge.size:
        g = _compacted(g)
        at = _strengthen(g, edges, edge, added, at)
    g.n[EDGES] = max(int(g.n[EDGES]), last)
    return g


_PER_NODE: Final = ("start", "length", "room", "degree")


def of_edges(edges: Records, nodes: int) -> Adjacency:
    """Return the graph of edges with the fields `a`, `b` and `weight`."""
    g = empty()
    counts = np.bincount(edges["a"], minlength=nodes) + np.bincount(edges["b"], minlength=nodes)
    room = np.maximum(counts + counts // 4, _FIRST).astype(np.int32)
    used = int(room.sum())
    g = g._replace(
        start=np.cumsum(room) - room,
        length=np.zeros(nodes, np.int32),
        room=room,
        neighbour=np.zeros(used * 5 // 4 + 64, np.int32),
        weight=np.zeros(used * 5 // 4 + 64),
        degree=np.zeros(nodes),
        places=np.zeros((max(edges.size, 16), 2), np.int32),
    )
    g.n[:] = nodes, 0, used
    numbers = np.arange(edges.size, dtype=np.int32)
    return strengthened(g, edges, numbers, edges["weight"].copy(), nodes)


def scaled(g: Adjacency, scale: float) -> None:
    """Multiply all weights, in place, by a power of two."""
    g.weight[:] *= scale
    g.degree[:] *= scale


def _compacted(g: Adjacency) -> Adjacency:
    """Return the graph in a new pool, with room in every part and at the end."""
    length = g.length
    room = np.maximum(length + length // 4, _FIRST).astype(np.int32)
    room[int(g.n[NODES]) :] = 0
    used = int(room.sum(dtype=np.int64))
    size = max(used * 3 // 2, 64) + 2 * int(room.max(initial=0))
    start = np.cumsum(room, dtype=np.int64) - room
    neighbour, weight = np.zeros(size, np.int32), np.zeros(size)
    _copy_parts(g, start, neighbour, weight)
    g.n[USED] = used
    return g._replace(start=start, room=room, neighbour=neighbour, weight=weight)


@njit(cache=True)
def _copy_parts(g: Adjacency, start: I64, neighbour: I32, weight: F64) -> None:
    for node in range(g.n[NODES]):
        for i in range(g.length[node]):
            neighbour[start[node] + i] = g.neighbour[g.start[node] + i]
            weight[start[node] + i] = g.weight[g.start[node] + i]


@njit(cache=True)
def _has_room(g: Adjacency, node: Int) -> bool:
    """Make room for one more neighbour; False where the pool has none."""
    if g.length[node] < g.room[node]:
        return True
    room = max(2 * g.room[node], _FIRST)
    to = g.n[USED]
    if to + room > g.neighbour.size:
        return False
    for i in range(g.length[node]):
        g.neighbour[to + i] = g.neighbour[g.start[node] + i]
        g.weight[to + i] = g.weight[g.start[node] + i]
    g.start[node] = to
    g.room[node] = room
    g.n[USED] = to + room
    return True


@njit(cache=True)
def _link(g: Adjacency, node: Int, other: Int) -> Int:
    place = g.length[node]
    g.neighbour[g.start[node] + place] = other
    g.weight[g.start[node] + place] = 0.0
    g.length[node] = place + 1
    return place


@njit(cache=True)
def _strengthen(g: Adjacency, edges: Records, edge: I32, added: F64, first: Int) -> Int:
    """Add weight from the first change on; return where the pool was full, or their number."""
    for i in range(first, edge.size):
        number = edge[i]
        a, b = np.int64(edges[number].a), np.int64(edges[number].b)
        if number >= g.n[EDGES]:
            if not (_has_room(g, a) and _has_room(g, b)):
                return i
            g.places[number, 0] = _link(g, a, b)
            g.places[number, 1] = _link(g, b, a)
        g.weight[g.start[a] + g.places[number, 0]] += added[i]
        g.weight[g.start[b] + g.places[number, 1]] += added[i]
        g.degree[a] += added[i]
        g.degree[b] += added[i]
    return edge.size
