"""The graph beside igraph, leidenalg, networkx and cdlib: `python -m benchmarks.graph`.

Prints JSON, all from one run of one process; seconds are of processor time, of all threads.

- pairs: updates a second (counting, and counting and judging); what is found of planted bursts.
- graph: what a tick costs that touches 1,000 edges of a large graph, beside whole runs on it; and
  quality: modularity, and mutual information with the communities that were planted, of whole runs
  and of communities kept up through many ticks, beside igraph from cold on the same graph.
- ids: how many of the planted communities keep their id from tick to tick while 1 % of the edges
  change: ours; whole runs of igraph from cold, matched by our rules or not at all; cdlib's TILES.

Needs the extra `evaluation`. With `--nodes 20000 --edges 200000` it takes half a minute.
"""

import argparse
import json
import random
import time
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trend.graph import communities, graph, lifecycle
from trend.graph.arrays import F64, I32, I64, U64
from trend.graph.communities import CommunitySettings
from trend.graph.edges import EDGES, NODES, EdgeSettings
from trend.graph.graph import Graph, GraphSettings
from trend.graph.leiden import leiden
from trend.graph.moves import modularity
from trend.graph.pairing import tick_pairs
from trend.graph.pairs import PairSettings, count, empty, significance, uses

TOUCHED: Final = 1000
UPKEEP_TICKS: Final = 100
NETWORKX_EDGES: Final = 250_000
"""networkx is asked for larger graphs only with `--all`: it takes minutes."""


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


def pairs_report() -> dict[str, object]:
    """Pairs of Zipf-distributed signals, with bursts planted at the end."""
    rng = np.random.default_rng(1)
    settings = PairSettings(window_ticks=1)
    share = np.cumsum(np.arange(1, 100_001) ** -0.9)
    volume = 50_000

    def tick() -> tuple[U64, U64]:
        drawn = np.searchsorted(share, rng.random((2, 150_000)) * share[-1]).astype(np.uint64)
        return drawn[0], drawn[1]

    def key(a: U64, b: U64) -> U64:
        return np.minimum(a, b) * np.uint64(1 << 20) + np.maximum(a, b)

    buckets, members = empty(settings), empty(settings)
    counting = judging = float("inf")
    updates = kept = seen = 0
    recalled = []
    for at in range(30):
        first, second = tick()
        planted = rng.integers(20_000, 70_000, (2, 20)).astype(np.uint64).repeat(12, axis=1)
        first, second = np.concatenate([[first, second], planted], axis=1)
        keys = key(first, second)
        one = np.ones(keys.size, np.int64)
        both = np.concatenate([first, second])
        count(members, settings, both, np.ones(both.size, np.int64), volume, at)
        began = time.process_time()
        count(buckets, settings, keys, one, volume, at)
        counted = time.process_time()
        distinct, where = np.unique(keys, return_index=True)
        resumed = time.process_time()
        ends = [uses(members, settings, end[where]) for end in (first, second)]
        found = significance(buckets, settings, distinct, *ends)
        judged = time.process_time() - resumed
        if at >= 8:
            counting = min(counting, (counted - began) / keys.size)
            judging = min(judging, (counted - began + judged) / keys.size)
            hit = distinct[found.log10_p <= -5]
            bursts = np.unique(key(*planted))
            recalled.append(np.isin(bursts, hit).mean())
            kept += hit.size - int(np.isin(hit, bursts).sum())
            seen += distinct.size
            updates += keys.size
    reels = 20_000
    signals = np.searchsorted(share, rng.random(6 * reels) * share[-1]).astype(np.uint64)
    signals += np.arange(6 * reels, dtype=np.uint64) % np.uint64(6) << np.uint64(20)
    by = rng.integers(1, 1 << 40, reels).astype(np.uint64)
    took, _ = timed(lambda: tick_pairs(signals, np.arange(reels + 1) * 6, by, most=16), rounds=4)
    return {
        "updates": updates,
        "bytes": buckets.slots.nbytes,
        "uses_a_second_formed_from_reels": round(15 * reels / took),
        "updates_per_s_counted": round(1 / counting),
        "updates_per_s_counted_and_judged": round(1 / judging),
        "planted_bursts_found": round(float(np.mean(recalled)), 4),
        "other_pairs_passed_of_a_million": round(1e6 * kept / seen, 1),
    }


def tick_and_quality(nodes: int, edges: int, every: bool) -> dict[str, object]:
    """A large graph: its ticks, whole runs, and what upkeep leaves of the quality."""
    planted = Planted(nodes, max(nodes // 70, 4), inside=0.7, seed=2)
    rng = np.random.default_rng(3)
    settings = GraphSettings(
        edges=EdgeSettings(max_edges=4 * edges, half_life_ticks=144),
        communities=CommunitySettings(whole_run_share=1e9),
        clean_every_ticks=1 << 40,
    )
    ends = planted.edges(edges)
    weights = np.maximum(np.rint(3 * rng.gamma(2.0, 0.5, edges)), 1).astype(np.int64)
    g = fed(graph.empty(), settings, planted, ends, weights, 1)
    leiden(g.adjacency)
    g = g._replace(communities=communities.of_graph(g.adjacency, leiden(g.adjacency)))
    rows = g.edges.edges
    ticks = []
    for at in range(2, UPKEEP_TICKS + 2):
        old = rng.choice(edges, TOUCHED * 4 // 5, replace=False)
        new = planted.edges(TOUCHED // 5)
        codes = np.concatenate([ends[0][old] * nodes + ends[1][old], new[0] * nodes + new[1]])
        codes = np.unique(codes)
        n = rng.poisson(3, codes.size) + 1
        began = time.process_time()
        g = fed(g, settings, planted, (codes // nodes, codes % nodes), n, at)
        ticks.append(time.process_time() - began)
    rows = g.edges.edges[: g.edges.n[EDGES]]
    whole, cold = timed(lambda: leiden(g.adjacency), rounds=3)
    warm, _ = timed(lambda: leiden(g.adjacency, communities.labels(g.communities)))
    other, other_weights = exported(g)
    runs: dict[str, tuple[float, I32]] = {"ours": (whole, cold)}
    runs["igraph"] = timed(lambda: cold_igraph(other, other_weights))
    if every or edges <= NETWORKX_EDGES:
        runs["leidenalg"] = timed(lambda: cold_leidenalg(other, other_weights))
        runs["networkx Louvain"] = timed(lambda: cold_networkx(rows, int(g.edges.n[NODES])))
    truth = truth_of(g, planted)
    kept = communities.labels(g.communities)
    tick = float(np.median(ticks[2:]))

    def quality(label: I32) -> dict[str, float]:
        return {
            "modularity": round(modularity(g.adjacency, label), 5),
            "nmi_with_truth": round(information(label, truth), 4),
            "communities": int(np.unique(label).size),
        }

    best = quality(runs["igraph"][1])
    ours, upkeep = quality(cold), quality(kept)
    return {
        "nodes": int(g.edges.n[NODES]),
        "edges": int(g.edges.n[EDGES]),
        "touched_edges": TOUCHED,
        "tick_ms": {
            "median": round(1e3 * tick, 2),
            "worst": round(1e3 * max(ticks[2:]), 2),
        },
        "whole_run_s": {name: round(seconds, 3) for name, (seconds, _) in runs.items()},
        "whole_run_from_the_communities_there_are_s": round(warm, 3),
        "whole_runs_a_tick_costs": {
            name: round(tick / seconds, 5) for name, (seconds, _) in runs.items()
        },
        "quality": {
            **{name: quality(label) for name, (_, label) in runs.items()},
            f"ours, kept up for {UPKEEP_TICKS} ticks": upkeep,
        },
        "ratio_to_igraph": {
            "cold": {name: round(ours[name] / best[name], 4) for name in list(best)[:2]},
            "kept up": {name: round(upkeep[name] / best[name], 4) for name in list(best)[:2]},
        },
    }


def cold_leidenalg(of: Any, weights: list[float]) -> I32:
    """leidenalg, two iterations."""
    import leidenalg

    found = leidenalg.find_partition(
        of, leidenalg.ModularityVertexPartition, weights=weights, n_iterations=2, seed=1
    )
    return np.array(found.membership, np.int32)


def cold_networkx(rows: npt.NDArray[np.void], nodes: int) -> I32:
    """networkx's Louvain (its Leiden needs another package behind it)."""
    import networkx as nx

    of = nx.Graph()
    of.add_nodes_from(range(nodes))
    of.add_weighted_edges_from(rows[["a", "b", "weight"]].tolist())
    label = np.zeros(nodes, np.int32)
    for number, some in enumerate(nx.community.louvain_communities(of, seed=1)):
        label[list(some)] = number
    return label


def ids_report(nodes: int, ticks: int) -> dict[str, object]:
    """Ids of planted communities that do not change while 1 % of the edges do, each tick."""
    planted = Planted(nodes, nodes // 40, inside=0.8, seed=4)
    rng = np.random.default_rng(5)
    settings = GraphSettings(
        edges=EdgeSettings(half_life_ticks=100, min_weight=0.5), clean_every_ticks=1
    )
    g = graph.empty()
    again = lifecycle.empty()
    ids: dict[str, list[I64 | U64]] = {"ours": [], "igraph, matched by ours": [], "igraph": []}
    events = {"ours": 0, "igraph, matched by ours": 0}
    seconds = dict.fromkeys(ids, 0.0)
    snapshots = []
    for at in range(1, ticks + 1):
        size = 12 * nodes if at == 1 else int(g.edges.n[EDGES]) // 100
        ends = planted.edges(size)
        n = rng.integers(1, 5, size) if at == 1 else np.ones(size, np.int64)
        first, second = planted.signals[ends[0]], planted.signals[ends[1]]
        seconds["ours"] -= time.process_time()
        g, told = graph.advanced(g, settings, first, second, n, n, n > 0, at)
        seconds["ours"] += time.process_time()
        other, weights = exported(g)
        took, label = timed(lambda other=other, w=weights, s=at: cold_igraph(other, w, s))
        seconds["igraph"] += took
        known = int(g.edges.n[NODES])
        here = np.argsort(g.edges.signals[:known])
        # Nodes may be renumbered at a cleaning, so both are followed in the order of signals.
        again, also = lifecycle.followed(
            again,
            settings.lives,
            label[here],
            g.adjacency.degree[here],
            g.edges.signals[here],
            at,
        )
        if at > 1:
            events["ours"] += told.size
            events["igraph, matched by ours"] += also.size
        truth = truth_of(g, planted)
        ids["ours"].append(of_truth(truth, g.lives.of_node, g.lives.id))
        ids["igraph, matched by ours"].append(of_truth(truth[here], again.of_node, again.id))
        ids["igraph"].append(of_truth(truth, label, np.arange(known) + 1))
        signals = g.edges.signals[:known].astype(np.int64)
        rows = g.edges.edges[: g.edges.n[EDGES]]
        snapshots.append((signals[rows["a"]], signals[rows["b"]]))
    seconds["igraph, matched by ours"] = seconds["igraph"]
    report: dict[str, object] = {
        name: {
            "ids_kept": round(kept(some), 4),
            "ids_first_to_last": round(float(np.mean(some[0] == some[-1])), 4),
            "communities_told_apart": int(np.unique(some[-1]).size),
            "s": round(seconds[name], 3),
        }
        for name, some in ids.items()
    }
    report["events_told"] = events
    report["nodes"], report["edges"], report["ticks"] = nodes, int(g.edges.n[EDGES]), ticks
    report["planted_communities"] = int(np.unique(planted.truth).size)
    return {**report, "TILES (cdlib)": tiles_report(planted, snapshots)}


def of_truth(truth: I64, place: I32, ids: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The id that most nodes of each planted community bear; 0 where none does."""
    best = np.zeros(int(truth.max()) + 1, ids.dtype)
    for one in np.unique(truth):
        own = place[(truth == one) & (place >= 0)]
        best[one] = ids[np.bincount(own).argmax()] if own.size else 0
    return best


def kept(ids: list[npt.NDArray[Any]]) -> float:
    """Share of the communities whose id is that of the tick before."""
    return float(np.mean([np.mean((a == b) & (a != 0)) for a, b in pairwise(ids)]))


def tiles_report(planted: Planted, snapshots: list[tuple[I64, I64]]) -> dict[str, object]:
    """The same graphs to TILES: overlapping communities, each with a number that is to stay."""
    import dynetx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from cdlib import algorithms

        stream = dynetx.DynGraph(edge_removal=True)
        for at, (a, b) in enumerate(snapshots):
            stream.add_interactions_from(list(zip(a.tolist(), b.tolist(), strict=True)), t=at)
        seconds, found = timed(lambda: algorithms.tiles(stream, 1))
    of_signal = np.empty(planted.nodes + 1, np.int64)
    of_signal[planted.signals] = planted.truth
    ids, sizes = [], []
    for at in found.get_observation_ids():
        named = found.get_clustering_at(at).named_communities
        best = np.zeros(int(planted.truth.max()) + 1, np.int64)
        most = np.zeros(best.size)
        for name, some in named.items():
            held = np.bincount(of_signal[np.array(list(some), np.int64)], minlength=best.size)
            larger = held > most
            best[larger], most[larger] = int(name.split("_")[-1]) + 1, held[larger]
        ids.append(best)
        sizes.append(max((len(some) for some in named.values()), default=0))
    return {
        "ids_kept": round(kept(ids), 4),
        "ids_first_to_last": round(float(np.mean(ids[0] == ids[-1])), 4),
        "communities_told_apart": int(np.unique(ids[-1]).size),
        "largest_community_share_of_nodes": round(sizes[-1] / planted.nodes, 3),
        "s": round(seconds, 3),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--edges", type=int, default=1_000_000)
    parser.add_argument("--id-nodes", type=int, default=2000)
    parser.add_argument("--id-ticks", type=int, default=40)
    parser.add_argument("--all", action="store_true", help="the slow ones on any graph")
    given = parser.parse_args()
    report = {
        "pairs": pairs_report(),
        "graph": tick_and_quality(given.nodes, given.edges, given.all),
        "ids": ids_report(given.id_nodes, given.id_ticks),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
