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
import time
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks.graph_ids import ids_report
from benchmarks.graph_planted import (
    Planted,
    cold_igraph,
    exported,
    fed,
    information,
    timed,
    truth_of,
)
from trend.graph import communities, graph
from trend.graph.arrays import I32, U64
from trend.graph.communities import CommunitySettings
from trend.graph.edges import EDGES, NODES, EdgeSettings
from trend.graph.graph import GraphSettings
from trend.graph.leiden import leiden
from trend.graph.moves import modularity
from trend.graph.pairing import tick_pairs
from trend.graph.pairs import PairSettings, count, empty, significance, uses

TOUCHED: Final = 1000
UPKEEP_TICKS: Final = 100
NETWORKX_EDGES: Final = 250_000
"""networkx is asked for larger graphs only with `--all`: it takes minutes."""


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
