"""How long ids last: the part of `benchmarks.graph` that follows communities through time."""

import time
import warnings
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.graph_planted import Planted, cold_igraph, exported, timed, truth_of
from trend.graph import graph, lifecycle
from trend.graph.arrays import I32, I64, U64
from trend.graph.edges import EDGES, NODES, EdgeSettings
from trend.graph.graph import GraphSettings


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
