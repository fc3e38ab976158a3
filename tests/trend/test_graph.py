"""The whole graph, tick by tick: any order, any restart, and ids that last."""

import pickle

import networkx as nx
import numpy as np
import pytest

from trend.graph import communities
from trend.graph.communities import CommunitySettings
from trend.graph.edges import EDGES, NODES, EdgeSettings
from trend.graph.graph import Graph, GraphSettings, advanced, empty, members
from trend.graph.lifecycle import DEATH, EVENT, LifeSettings

Tick = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
SETTINGS = GraphSettings(
    edges=EdgeSettings(max_edges=900, half_life_ticks=20, min_weight=0.05),
    communities=CommunitySettings(whole_run_share=0.3),
    lives=LifeSettings(min_members=3),
    clean_every_ticks=7,
)


def ticks(count: int, seed: int) -> list[Tick]:
    """Pairs of a hundred signals in ten groups that drift, each pair once a tick."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 10, 100)
    made = []
    for _ in range(count):
        group[rng.integers(0, 100)] = rng.integers(0, 10)
        a, b = np.triu_indices(100, 1)
        there = rng.random(a.size) < np.where(group[a] == group[b], 0.12, 0.004)
        a, b = a[there], b[there]
        authors = rng.poisson(2, a.size) + 1
        a, b = (a + 1000).astype(np.uint64), (b + 1000).astype(np.uint64)
        made.append((a, b, authors, rng.random(a.size) < 0.7))
    return made


def after(graph: Graph, tick: Tick, at: int) -> tuple[Graph, bytes]:
    first, second, authors, significant = tick
    graph, events = advanced(graph, SETTINGS, first, second, authors, authors + 1, significant, at)
    return graph, events.tobytes()


def arrays(state: tuple[object, ...]) -> list[np.ndarray]:
    parts = [arrays(part) if isinstance(part, tuple) else [part] for part in state]
    return [array for part in parts for array in part]


def test_order_and_restarts_change_no_bit() -> None:
    rng = np.random.default_rng(1)
    one, other = empty(), empty()
    for at, tick in enumerate(ticks(40, seed=1)):
        order = rng.permutation(tick[0].size)
        one, events = after(one, tick, at)
        swapped = (tick[1][order], tick[0][order], tick[2][order], tick[3][order])
        other, same = after(pickle.loads(pickle.dumps(other)), swapped, at)
        assert events == same
        assert np.array_equal(
            communities.labels(one.communities), communities.labels(other.communities)
        )
        assert np.array_equal(one.lives.id, other.lives.id)
    for a, b in zip(arrays(one), arrays(other), strict=True):
        assert np.array_equal(a, b)


def test_through_growth_decay_and_cleaning_the_parts_agree() -> None:
    graph = empty()
    cleaned = 0
    for at, tick in enumerate(ticks(60, seed=2)):
        before = int(graph.edges.n[EDGES])
        graph, _ = after(graph, tick, at)
        cleaned += graph.edges.n[EDGES] < before
        assert graph.edges.n[EDGES] <= 900
        nodes, rows = int(graph.edges.n[NODES]), graph.edges.edges[: graph.edges.n[EDGES]]
        label = communities.labels(graph.communities)
        assert graph.adjacency.n[0] == label.size == graph.lives.of_node.size == nodes
        oracle = nx.Graph()
        oracle.add_nodes_from(range(nodes))
        oracle.add_weighted_edges_from(rows[["a", "b", "weight"]].tolist())
        degree = [weight for _, weight in oracle.degree(weight="weight")]
        assert graph.adjacency.degree[:nodes] == pytest.approx(degree)
        for one in np.unique(label):
            assert nx.is_connected(oracle.subgraph(np.flatnonzero(label == one).tolist()))
    assert cleaned > 3


def test_a_life_lasts_through_cleaning() -> None:
    rng = np.random.default_rng(3)
    a, b = np.triu_indices(12, 1)
    there = a // 4 == b // 4
    names = np.array([50, 60, 70], np.uint64).repeat(4) + np.arange(12, dtype=np.uint64)
    strangers = np.arange(900, 940, dtype=np.uint64)
    first = np.concatenate([names[a[there]], strangers[::2]])
    second = np.concatenate([names[b[there]], strangers[1::2]])
    one = np.ones(first.size, np.int64)
    graph, _ = after(empty(), (first, second, one, one > 0), 1)
    ids = graph.lives.id.tolist()
    assert len(ids) == 3
    for at in range(2, 150):
        use = np.flatnonzero(rng.random(18) < 0.4)
        graph, events = after(graph, (first[use], second[use], one[use], one[use] > 0), at)
        assert events == b""
    assert graph.edges.n[NODES] == 12
    assert graph.lives.id.tolist() == ids
    assert sorted(members(graph, 0).tolist()) in [names[i : i + 4].tolist() for i in (0, 4, 8)]


def test_ids_persist_where_the_truth_does() -> None:
    """With 1 % of the edges changing a tick; the bound is that of the project's contract."""
    rng = np.random.default_rng(4)
    groups, size = 20, 24
    nodes = groups * size
    truth = np.repeat(np.arange(groups), size)
    signals = (np.arange(nodes) + 1).astype(np.uint64)

    def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
        a = rng.integers(0, nodes, count)
        inside = truth[a] * size + rng.integers(0, size, count)
        b = np.where(rng.random(count) < 0.85, inside, rng.integers(0, nodes, count))
        codes = np.unique(np.minimum(a, b)[a != b] * nodes + np.maximum(a, b)[a != b])
        return codes // nodes, codes % nodes

    settings = GraphSettings(
        edges=EdgeSettings(half_life_ticks=100, min_weight=0.5), clean_every_ticks=1
    )
    graph, before, kept = empty(), np.zeros(0), []
    for at in range(1, 202):
        a, b = drawn(4000 if at == 1 else int(graph.edges.n[EDGES]) // 100)
        authors = rng.integers(1, 5, a.size) if at == 1 else np.ones(a.size, np.int64)
        graph, _ = advanced(
            graph, settings, signals[a], signals[b], authors, authors, authors > 0, at
        )
        life = np.full(nodes, -1)
        here = graph.edges.signals[: graph.edges.n[NODES]].astype(np.int64) - 1
        life[here] = graph.lives.of_node
        most = [np.bincount(part[part >= 0]).argmax() for part in life.reshape(groups, size)]
        ids = graph.lives.id[most]
        if at > 1:
            kept.append(np.mean(ids == before))
        before = ids
    assert np.mean(kept) >= 0.99
    assert np.unique(before).size >= 0.9 * groups
    assert graph.edges.n[EDGES] > 1000


def test_a_graph_may_be_empty_become_so_and_go_on() -> None:
    none = (np.zeros(0, np.uint64), np.zeros(0, np.uint64), np.zeros(0, int), np.zeros(0, bool))
    three = np.array([1, 2, 1], np.uint64), np.array([2, 3, 3], np.uint64)
    one = np.ones(3, np.int64)
    graph, events = after(empty(), none, 1)
    assert events == b""
    graph, events = after(graph, (*three, one, one > 0), 2)
    assert graph.lives.id.size == 1
    graph, events = after(graph, none, 5000)
    assert (graph.edges.n[NODES], graph.lives.id.size) == (0, 0)
    assert np.frombuffer(events, EVENT)["kind"].tolist() == [DEATH]
    graph, _ = after(graph, (*three, one, one > 0), 5001)
    assert graph.lives.id.size == 1
    assert members(graph, 0).tolist() == [1, 2, 3]
