"""The co-occurrence graph: edges, communities and their lives, tick by tick."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from trend.graph import adjacency, communities, edges, lifecycle
from trend.graph.adjacency import Adjacency
from trend.graph.arrays import I32, I64, U64, Bools, Records
from trend.graph.communities import Communities, CommunitySettings
from trend.graph.edges import CLEANED, EDGES, NODES, Changes, Edges, EdgeSettings
from trend.graph.lifecycle import EVENT, LifeSettings, Lives


@dataclass(frozen=True)
class GraphSettings:
    """Of its parts, and how often weak edges are cleared away."""

    edges: EdgeSettings = field(default_factory=EdgeSettings)
    communities: CommunitySettings = field(default_factory=CommunitySettings)
    lives: LifeSettings = field(default_factory=LifeSettings)
    clean_every_ticks: int = 144
    look_every_ticks: int = 1
    """Communities are brought up to date when an edge is new, and every so many ticks."""


class Graph(NamedTuple):
    """All that is known; arrays, to be pickled and gone on with at any tick."""

    edges: Edges
    adjacency: Adjacency
    communities: Communities
    lives: Lives
    waiting: Changes
    """Since the communities were last brought up to date."""


def empty() -> Graph:
    """Return a graph without signals."""
    nothing = Changes(np.zeros(0, np.int32), np.zeros(0))
    return Graph(edges.empty(), adjacency.empty(), communities.empty(), lifecycle.empty(), nothing)


def advanced(
    graph: Graph,
    settings: GraphSettings,
    first: U64,
    second: U64,
    authors: I64,
    reels: I64,
    significant: Bools,
    tick: int,
) -> tuple[Graph, Records]:
    """Return the graph after a tick's pairs, and the events of its communities.

    The result does not depend on the order of the pairs. The arrays of `graph` are used on.

    Args:
        first, second, authors, reels, significant: as in `trend.graph.edges.add`.
        tick: after that of the last call.

    Returns:
        The graph and `trend.graph.lifecycle.EVENT` records.
    """
    e, changes, scale = edges.add(
        graph.edges, settings.edges, first, second, authors, reels, significant, tick
    )
    nodes = int(e.n[NODES])
    g = graph.adjacency
    if scale != 1.0:
        adjacency.scaled(g, scale)
        communities.scaled(graph.communities, scale)
    new = int(e.n[EDGES]) > g.n[adjacency.EDGES]
    waiting = Changes(
        np.concatenate([graph.waiting.edge, changes.edge]),
        np.concatenate([graph.waiting.added * scale, changes.added]),
    )
    full = e.n[EDGES] > settings.edges.max_edges
    clean = full or scale != 1.0 or tick - e.n[CLEANED] >= settings.clean_every_ticks
    if not (new or clean or tick % settings.look_every_ticks == 0):
        return graph._replace(edges=e, waiting=waiting), np.zeros(0, EVENT)
    changes, waiting = waiting, Changes(changes.edge[:0], changes.added[:0])
    g = adjacency.strengthened(g, e.edges, *changes, nodes)
    c = communities.updated(graph.communities, settings.communities, g, e.edges, *changes)
    lives = graph.lives
    if clean:
        e, kept = edges.cleaned(e, settings.edges, tick)
        g = adjacency.of_edges(e.edges[: e.n[EDGES]], kept.nodes.size)
        c = communities.of_graph(g, communities.labels(c)[kept.nodes])
        lives = lives._replace(of_node=_those(lives, kept.nodes))
        nodes = kept.nodes.size
    lives, events = lifecycle.followed(
        lives,
        settings.lives,
        communities.labels(c),
        g.degree[:nodes],
        e.signals[:nodes],
        tick,
    )
    return Graph(e, g, c, lives, waiting), events


def _those(lives: Lives, nodes: I64) -> I32:
    known = np.full(max(lives.of_node.size, int(nodes.max(initial=-1)) + 1), -1, np.int32)
    known[: lives.of_node.size] = lives.of_node
    return known[nodes]


def members(graph: Graph, community: int) -> U64:
    """Return the signals of the community with this place in `graph.lives`, heaviest first."""
    nodes = np.flatnonzero(graph.lives.of_node == community)
    signals = graph.edges.signals[nodes]
    return signals[np.lexsort((signals, -graph.adjacency.degree[nodes]))]
