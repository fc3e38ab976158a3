"""Communities kept up to date: a tick moves only what its edges touch.

The endpoints of the changed edges go into the queue of local moves, and from there on only
neighbours of nodes that moved (the dynamic frontier); communities that fell apart are divided. What
single moves cannot find, such as two communities that grew into one, is found by a whole run of
Leiden from the communities there are, each time enough weight has changed.

Source: Sahu, "A starting point for dynamic community detection with Leiden" (2024), "DF Leiden".
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numba import njit

from trend.graph import adjacency
from trend.graph.adjacency import Adjacency
from trend.graph.arrays import F64, I32, I64, Records, longer
from trend.graph.connected import mend, mend_all
from trend.graph.leiden import leiden
from trend.graph.moves import FREE, Partition, partition_of, settle

# Places in `Communities.sums`.
TWO_M: Final = 0
CHANGED: Final = 1  # weight added since the last whole run


@dataclass(frozen=True)
class CommunitySettings:
    """How often everything is looked at.

    Raises:
        ValueError: if a value cannot be used, with its name.
    """

    whole_run_share: float = 0.05
    """Share of all weight that has changed when Leiden runs on the whole graph, above 0."""

    def __post_init__(self) -> None:
        if not self.whole_run_share > 0:
            raise ValueError(f"whole_run_share is {self.whole_run_share}, expected above 0")


class Communities(NamedTuple):
    """The communities of a graph that changes."""

    n: I64  # [1] nodes
    sums: F64  # [2]
    partition: Partition  # with room for more nodes


def empty() -> Communities:
    """Return the communities of a graph without nodes."""
    partition = partition_of(np.arange(16, dtype=np.int32), np.zeros(16))
    partition.size[:] = 0
    partition.free[:] = np.arange(16)[::-1]
    partition.n[FREE] = 16
    return Communities(np.zeros(1, np.int64), np.zeros(2), partition)


def of_graph(g: Adjacency, label: I32) -> Communities:
    """Return communities that are as labelled, connected or not: those that are not are divided."""
    nodes = int(g.n[adjacency.NODES])
    label = np.unique(label[:nodes], return_inverse=True)[1].astype(np.int32)
    partition = partition_of(label, g.degree)
    mend_all(g, partition)
    sums = np.array([g.degree[:nodes].sum(), 0.0])
    return Communities(np.array([nodes], np.int64), sums, partition)


def labels(c: Communities) -> I32:
    """Return the community of each node, int32[nodes]."""
    return c.partition.label[: c.n[0]]


def updated(
    c: Communities,
    settings: CommunitySettings,
    g: Adjacency,
    edges: Records,
    edge: I32,
    added: F64,
) -> Communities:
    """Return the communities after weight was added to edges.

    Args:
        g: the graph with that weight already.
        edges, edge, added: as in `trend.graph.adjacency.strengthened`.
    """
    nodes = int(g.n[adjacency.NODES])
    c = _with_room(c, nodes)
    _count(c, edges, edge, added, nodes)
    if c.sums[CHANGED] > settings.whole_run_share * c.sums[TWO_M]:
        return _whole(c, g)
    touched = edges[edge]
    queue = np.unique(np.concatenate([touched["a"], touched["b"]]))
    gone, left = settle(g, c.partition, queue, c.sums[TWO_M])
    mend(g, c.partition, gone, left)
    return c


def _whole(c: Communities, g: Adjacency) -> Communities:
    """Run Leiden over all the graph; communities that live on keep their numbers."""
    nodes = int(c.n[0])
    room = c.partition.total.size
    label = leiden(g, labels(c))
    partition = partition_of(label, g.degree, room)
    partition = partition._replace(label=longer(label, room))
    sums = np.array([g.degree[:nodes].sum(), 0.0])
    return Communities(c.n, sums, partition)


def scaled(c: Communities, scale: float) -> None:
    """Multiply all weights, in place, by a power of two."""
    c.sums[:] *= scale
    c.partition.total[:] *= scale


def _with_room(c: Communities, nodes: int) -> Communities:
    old = c.partition.label.size
    if nodes <= old:
        return c
    room = max(nodes, old * 3 // 2)
    p = c.partition
    free = np.zeros(room, np.int32)
    fresh = np.arange(room - 1, old - 1, -1, dtype=np.int32)
    free[: fresh.size] = fresh
    free[fresh.size : fresh.size + p.n[FREE]] = p.free[: p.n[FREE]]
    p.n[FREE] += fresh.size
    return c._replace(
        partition=Partition(
            p.n, longer(p.label, room), longer(p.total, room), longer(p.size, room), free
        )
    )


@njit(cache=True)
def _count(c: Communities, edges: Records, edge: I32, added: F64, nodes: int) -> None:
    """Give new nodes a community of their own, and the added weight to the communities' totals."""
    p = c.partition
    for node in range(c.n[0], nodes):
        label = p.free[p.n[FREE] - 1]
        p.n[FREE] -= 1
        p.label[node] = label
        p.size[label] = 1
        p.total[label] = 0.0
    c.n[0] = nodes
    for i in range(edge.size):
        p.total[p.label[edges[edge[i]].a]] += added[i]
        p.total[p.label[edges[edge[i]].b]] += added[i]
        c.sums[TWO_M] += 2.0 * added[i]
        c.sums[CHANGED] += 2.0 * added[i]
