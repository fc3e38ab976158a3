"""Communities against networkx: modularity, connectedness, quality, and their upkeep."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trend.graph import adjacency, communities
from trend.graph.adjacency import Adjacency
from trend.graph.communities import Communities, CommunitySettings
from trend.graph.connected import mend, mend_all
from trend.graph.leiden import leiden, refine
from trend.graph.moves import FREE, modularity, partition_of

EDGE = np.dtype([("a", np.int32), ("b", np.int32), ("weight", np.float64)])
NEVER = CommunitySettings(whole_run_share=1e9)


@st.composite
def graphs(draw: st.DrawFn, most: int = 24) -> tuple[np.ndarray, int]:
    """Edges, each once, and the number of nodes; few or many weights are equal."""
    nodes = draw(st.integers(2, most))
    ends = st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1))
    pairs = draw(st.lists(ends, min_size=1, max_size=3 * nodes))
    pairs = sorted({(min(p), max(p)) for p in pairs if p[0] != p[1]}) or [(0, 1)]
    pairs = draw(st.permutations(pairs))
    heaviest = draw(st.sampled_from([1, 3, 1000]))
    weights = draw(st.lists(st.integers(1, heaviest), min_size=len(pairs), max_size=len(pairs)))
    rows = [(a, b, weight) for (a, b), weight in zip(pairs, weights, strict=True)]
    return np.array(rows, EDGE), nodes


def networkx_of(edges: np.ndarray, nodes: int) -> nx.Graph:
    graph = nx.Graph()
    graph.add_nodes_from(range(nodes))
    graph.add_weighted_edges_from(edges.tolist())
    return graph


def sets_of(label: np.ndarray) -> list[set[int]]:
    return [set(np.flatnonzero(label == one).tolist()) for one in np.unique(label)]


def planted(
    groups: int, size: int, inside: float, across: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Edges of a graph with planted communities, and the community of each node."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(groups), size)
    a, b = np.triu_indices(truth.size, 1)
    there = rng.random(a.size) < np.where(truth[a] == truth[b], inside, across)
    edges = np.zeros(np.count_nonzero(there), EDGE)
    edges["a"], edges["b"] = a[there], b[there]
    edges["weight"] = rng.gamma(2.0, 0.5, edges.size)
    return rng.permutation(edges), truth


@given(graphs())
def test_an_adjacency_holds_its_edges(graph: tuple[np.ndarray, int]) -> None:
    edges, nodes = graph
    oracle = networkx_of(edges, nodes)
    grown = adjacency.empty()
    half = edges.size // 2
    for numbers in (range(half), range(half, edges.size), range(half)):
        at = np.array(numbers, np.int32)
        grown = adjacency.strengthened(grown, edges, at, edges["weight"][at].copy(), nodes)
    for i, (a, b, weight) in enumerate(edges.tolist()):
        oracle[a][b]["weight"] = weight * (1 + (i < half))
    for g, scale in ((grown, 1.0), (adjacency.of_edges(edges, nodes), None)):
        for node in range(nodes):
            part = slice(g.start[node], g.start[node] + g.length[node])
            ours = dict(zip(g.neighbour[part].tolist(), g.weight[part].tolist(), strict=True))
            assert ours.keys() == oracle.adj[node].keys()
            if scale is not None:
                assert ours == {n: pytest.approx(e["weight"]) for n, e in oracle.adj[node].items()}
            assert g.degree[node] == pytest.approx(sum(ours.values()))


@given(graphs(), st.randoms())
def test_modularity_is_networkxs(
    graph: tuple[np.ndarray, int], random: np.random.Generator
) -> None:
    edges, nodes = graph
    label = np.array([random.randrange(nodes) for _ in range(nodes)], np.int32)
    theirs = nx.community.modularity(networkx_of(edges, nodes), sets_of(label))
    assert modularity(adjacency.of_edges(edges, nodes), label) == pytest.approx(theirs, abs=1e-12)


@given(graphs())
def test_leidens_communities_are_connected(graph: tuple[np.ndarray, int]) -> None:
    edges, nodes = graph
    g, oracle = adjacency.of_edges(edges, nodes), networkx_of(edges, nodes)
    label = leiden(g)
    assert all(nx.is_connected(oracle.subgraph(one)) for one in sets_of(label))


@given(graphs(), st.randoms())
def test_from_any_start_leidens_communities_are_connected(
    graph: tuple[np.ndarray, int], random: np.random.Generator
) -> None:
    edges, nodes = graph
    g, oracle = adjacency.of_edges(edges, nodes), networkx_of(edges, nodes)
    start = np.array([random.randrange(2) for _ in range(nodes)], np.int32)
    label = leiden(g, start, rounds=1)
    assert all(nx.is_connected(oracle.subgraph(one)) for one in sets_of(label))


@given(graphs())
def test_refined_parts_are_connected_and_within_communities(graph: tuple[np.ndarray, int]) -> None:
    edges, nodes = graph
    g, oracle = adjacency.of_edges(edges, nodes), networkx_of(edges, nodes)
    label = (np.arange(nodes) % 3).astype(np.int32)
    part = refine(g, partition_of(label, g.degree), float(g.degree[:nodes].sum()))
    for one in sets_of(part):
        assert len({int(label[node]) for node in one}) == 1
        assert nx.is_connected(oracle.subgraph(one))


@pytest.mark.parametrize("seed", range(4))
def test_leiden_is_as_good_as_networkxs_louvain(seed: int) -> None:
    rng = np.random.default_rng(seed)
    oracle = nx.powerlaw_cluster_graph(600, 4, 0.6, seed=seed)
    edges = np.zeros(oracle.number_of_edges(), EDGE)
    edges["a"], edges["b"] = np.array(sorted(oracle.edges)).T
    edges["weight"] = rng.gamma(2.0, 0.5, edges.size)
    ours = modularity(g := adjacency.of_edges(edges, 600), leiden(g))
    graph = networkx_of(edges, 600)
    theirs = max(
        nx.community.modularity(graph, nx.community.louvain_communities(graph, seed=k))
        for k in range(3)
    )
    assert ours >= 0.99 * theirs


def test_leiden_finds_what_was_planted() -> None:
    edges, truth = planted(groups=12, size=20, inside=0.6, across=0.005, seed=1)
    label = leiden(adjacency.of_edges(edges, truth.size))
    assert sorted(map(sorted, sets_of(label))) == sorted(map(sorted, sets_of(truth)))


def test_a_ring_of_cliques_falls_into_its_cliques() -> None:
    ring = nx.ring_of_cliques(10, 5)
    edges = np.array([(a, b, 1.0) for a, b in ring.edges], EDGE)
    cliques = sets_of(leiden(adjacency.of_edges(edges, 50)))
    assert sorted(map(sorted, cliques)) == [list(range(i, i + 5)) for i in range(0, 50, 5)]


def test_communities_that_live_on_keep_their_numbers() -> None:
    edges, truth = planted(groups=8, size=20, inside=0.6, across=0.005, seed=2)
    numbers = np.random.default_rng(1).permutation(truth.size)[:8].astype(np.int32)
    start = numbers[truth]
    assert np.array_equal(leiden(adjacency.of_edges(edges, truth.size), start), start)


@given(graphs())
def test_scale_moves_no_node(graph: tuple[np.ndarray, int]) -> None:
    edges, nodes = graph
    label = leiden(adjacency.of_edges(edges, nodes))
    edges["weight"] *= 2.0**200
    assert np.array_equal(leiden(adjacency.of_edges(edges, nodes)), label)


def in_order(c: Communities, g: Adjacency) -> None:
    """Check what is kept beside the labels against the labels."""
    nodes, p = int(c.n[0]), c.partition
    label = communities.labels(c)
    room = p.size.size
    assert np.array_equal(p.size, np.bincount(label, minlength=room))
    free = p.free[: p.n[FREE]]
    assert sorted(free.tolist()) == np.flatnonzero(p.size == 0).tolist()
    used = p.size > 0
    totals = np.bincount(label, weights=g.degree[:nodes], minlength=room)
    assert p.total[used] == pytest.approx(totals[used])
    assert c.sums[communities.TWO_M] == pytest.approx(g.degree[:nodes].sum())


@given(graphs(most=14), st.data())
def test_communities_stay_connected_tick_by_tick(
    graph: tuple[np.ndarray, int], data: st.DataObject
) -> None:
    edges, nodes = graph
    g, c = adjacency.empty(), communities.empty()
    settings = CommunitySettings(whole_run_share=data.draw(st.sampled_from([0.2, 1e9])))
    oracle = nx.Graph()
    oracle.add_nodes_from(range(nodes))
    numbers = st.lists(st.integers(0, edges.size - 1), min_size=1, max_size=6, unique=True)
    at_once = data.draw(st.integers(1, edges.size))
    ticks = [list(range(i, min(i + at_once, edges.size))) for i in range(0, edges.size, at_once)]
    ticks += [sorted(tick) for tick in data.draw(st.lists(numbers, max_size=8))]
    for tick in ticks:
        edge = np.array(tick, np.int32)
        weights = data.draw(st.lists(st.integers(1, 200), min_size=edge.size, max_size=edge.size))
        added = np.array(weights, np.float64)
        g = adjacency.strengthened(g, edges, edge, added, nodes)
        c = communities.updated(c, settings, g, edges, edge, added)
        oracle.add_edges_from((int(edges[i]["a"]), int(edges[i]["b"])) for i in tick)
        in_order(c, g)
        label = communities.labels(c)
        assert all(nx.is_connected(oracle.subgraph(one)) for one in sets_of(label))


@given(graphs(most=14), st.data())
def test_any_communities_stay_connected(graph: tuple[np.ndarray, int], data: st.DataObject) -> None:
    """Also such as no run would have made, which move most."""
    edges, nodes = graph
    g, oracle = adjacency.of_edges(edges, nodes), networkx_of(edges, nodes)
    names = st.lists(st.integers(0, 2), min_size=nodes, max_size=nodes)
    c = communities.of_graph(g, np.array(data.draw(names), np.int32))
    some = st.lists(st.integers(0, edges.size - 1), min_size=1, max_size=4, unique=True)
    for tick in data.draw(st.lists(some, min_size=1, max_size=4)):
        edge = np.array(sorted(tick), np.int32)
        added = np.full(edge.size, data.draw(st.sampled_from([1.0, 30.0, 3000.0])))
        g = adjacency.strengthened(g, edges, edge, added, nodes)
        c = communities.updated(c, NEVER, g, edges, edge, added)
        in_order(c, g)
        assert all(nx.is_connected(oracle.subgraph(one)) for one in sets_of(communities.labels(c)))


def test_when_a_bridge_is_drawn_away_both_banks_are_communities() -> None:
    triangles = [(0, 1), (1, 2), (0, 2), (4, 5), (5, 6), (4, 6), (2, 3), (3, 4), (3, 7), (8, 9)]
    edges = np.array([(a, b, 1.0) for a, b in triangles], EDGE)
    edges["weight"][-1] = 500.0
    g = adjacency.of_edges(edges, 10)
    c = communities.of_graph(g, np.array([0] * 7 + [1, 2, 2], np.int32))
    edge, added = np.array([8], np.int32), np.array([40.0])
    g = adjacency.strengthened(g, edges, edge, added, 10)
    c = communities.updated(c, NEVER, g, edges, edge, added)
    found = sorted(map(sorted, sets_of(communities.labels(c))))
    assert found == [[0, 1, 2], [3, 7], [4, 5, 6], [8, 9]]


def test_a_community_whose_bridge_leaves_becomes_two() -> None:
    triangles = [(0, 1), (1, 2), (0, 2), (4, 5), (5, 6), (4, 6), (2, 3), (3, 4)]
    edges = np.array([(a, b, 1.0) for a, b in triangles], EDGE)
    g = adjacency.of_edges(edges, 7)
    p = partition_of(np.array([0, 0, 0, 1, 0, 0, 0], np.int32), g.degree)
    left = np.array([3], np.int32), np.array([0], np.int32)
    assert mend(g, p, *left) == 1
    assert sorted(map(sorted, sets_of(p.label))) == [[0, 1, 2], [3], [4, 5, 6]]
    assert mend(g, p, *left) == 0


@given(graphs(), st.randoms())
def test_mending_divides_into_the_connected_parts(
    graph: tuple[np.ndarray, int], random: np.random.Generator
) -> None:
    edges, nodes = graph
    g, oracle = adjacency.of_edges(edges, nodes), networkx_of(edges, nodes)
    label = np.array([random.randrange(3) % nodes for _ in range(nodes)], np.int32)
    naive = [
        part for one in sets_of(label) for part in nx.connected_components(oracle.subgraph(one))
    ]
    p = partition_of(label.copy(), g.degree)
    mend_all(g, p)
    assert sorted(map(sorted, sets_of(p.label))) == sorted(map(sorted, naive))


def test_upkeep_is_as_good_as_a_cold_run() -> None:
    edges, _ = planted(groups=30, size=20, inside=0.4, across=0.005, seed=3)
    nodes = 600
    g, c = adjacency.empty(), communities.empty()
    rng = np.random.default_rng(4)
    order = np.arange(edges.size, dtype=np.int32)
    batches = np.array_split(order, 20) + [
        np.sort(rng.choice(order, 40, replace=False)) for _ in range(60)
    ]
    ratios = []
    for batch in batches:
        added = rng.gamma(2.0, 0.5, batch.size)
        g = adjacency.strengthened(g, edges, batch, added, nodes)
        c = communities.updated(c, CommunitySettings(), g, edges, batch, added)
        cold = modularity(g, leiden(g))
        ratios.append(modularity(g, communities.labels(c)) / cold)
    assert min(ratios) >= 0.98
    assert np.mean(ratios) >= 0.995


def test_a_tick_looks_at_its_neighbourhood_only() -> None:
    edges, truth = planted(groups=60, size=20, inside=0.4, across=0.001, seed=5)
    g = adjacency.of_edges(edges, truth.size)
    c = communities.of_graph(g, leiden(g))
    edge, added = np.array([7, 300], np.int32), np.ones(2)
    g = adjacency.strengthened(g, edges, edge, added, truth.size)
    c = communities.updated(c, NEVER, g, edges, edge, added)
    assert 0 < c.partition.n[1] <= 40
