"""Visual formats on a mixture that drifts: `python -m benchmarks.formats [--seeds N] [--rivals]`.

Embeddings of 512 dimensions: 120 formats of very different size that are born, drift and die, and
two fifths noise, in a cone as those of CLIP. Prints JSON, per way the mean over the seeds: how well
the members are told apart (adjusted Rand index), the share of formats that keep their id from one
window to the next, of births that are found in the same or in the next window, and embeddings per
second of processor time. Then assignments per second at 10,000 formats, beside the whole product.

`--rivals` needs the extra `evaluation`: HDBSCAN, clustering each window anew with ids by Hungarian
matching; scikit-learn's MiniBatchKMeans; river's DBSTREAM (in 32 dimensions, for its speed).
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trend.formats.formats import Formats
from trend.formats.nearest import Nearest, subspace
from trend.formats.vectors import directions

DIMENSIONS: Final = 512
WINDOWS: Final = 20
REELS: Final = 5000
"""In a window."""
TICKS: Final = 10
"""In a window."""
FORMATS: Final = 120
NOISE: Final = 0.4
ALIKE: Final = 0.9
"""Cosine of a reel with its format's centre, within the cone."""
SEEN: Final = 12
"""Reels in a window from which a format is looked for."""

I64 = npt.NDArray[np.int64]
F32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """The reels of one window."""

    embeddings: F32  # (n, DIMENSIONS), unit length
    truth: I64  # (n,) format, -1: noise


class Cone:
    """Directions around a common one, whose spread falls with the dimension, as CLIP's does."""

    def __init__(self, draw: np.random.Generator) -> None:
        self._draw = draw
        self.axis = draw.standard_normal(DIMENSIONS)
        self.axis /= np.linalg.norm(self.axis)
        self.spread = np.arange(1, DIMENSIONS + 1) ** -0.5
        self.spread /= np.linalg.norm(self.spread)

    def some(self, n: int) -> npt.NDArray[np.float64]:
        """Directions of unit length, (n, DIMENSIONS)."""
        return unit(0.6 * self.axis + 0.8 * self.around(n))

    def around(self, n: int) -> npt.NDArray[np.float64]:
        """How far they are off the axis, (n, DIMENSIONS)."""
        return self._draw.standard_normal((n, DIMENSIONS)) * self.spread


def unit(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The same directions of length 1, (n, DIMENSIONS)."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@dataclass
class Mixture:
    """A stream of windows; three formats in ten are born in it, and as many die."""

    seed: int
    drift: float

    def __post_init__(self) -> None:
        self._draw = np.random.default_rng(self.seed)
        draw = self._draw
        self.born = np.where(draw.random(FORMATS) < 0.3, draw.integers(2, WINDOWS - 5, FORMATS), 0)
        dies = draw.random(FORMATS) < 0.3
        self.died = np.where(dies, draw.integers(8, WINDOWS, FORMATS), WINDOWS)

    def __iter__(self) -> Iterator[Window]:
        draw = self._draw
        cone = Cone(draw)
        centres = cone.some(FORMATS)
        off = np.sqrt(1 / ALIKE**2 - 1)
        for window in range(WINDOWS):
            centres = unit(centres + self.drift * cone.around(FORMATS))
            alive = np.flatnonzero((self.born <= window) & (self.died > window))
            weight = (1.0 + alive) ** -0.5
            members = int(REELS * (1 - NOISE))
            truth = draw.choice(alive, members, p=weight / weight.sum())
            reels = unit(centres[truth] + off * cone.around(members))
            embeddings = np.concatenate([reels, cone.some(REELS - members)])
            order = draw.permutation(REELS)
            truth = np.concatenate([truth, np.full(REELS - members, -1)])[order]
            yield Window(embeddings[order].astype(np.float32), truth)


Way = Callable[[int, F32], I64]
"""The ids that the reels of a window get, -1: none."""


def ours() -> Way:
    """Assignment to drawn centroids; what is near none is clustered."""
    formats = Formats(DIMENSIONS)
    names: dict[int, int] = {}

    def way(window: int, embeddings: F32) -> I64:
        given = np.full(len(embeddings), -1)
        size = len(embeddings) // TICKS
        for tick in range(TICKS):
            rows = np.arange(tick * size, (tick + 1) * size)
            keys = (window * len(embeddings) + rows + 1).astype(np.uint64)
            found = formats.advance(
                window * TICKS + tick, keys, embeddings[rows].astype(np.float16)
            )
            at = found.keys.astype(np.int64) - 1 - window * len(embeddings)
            here = at >= 0
            ids = [names.setdefault(int(one), len(names)) for one in found.formats[here]]
            given[at[here]] = ids
        return given

    return way


def matched(cluster: Callable[[F32], I64], gate: float = 0.75) -> Way:
    """Clusters of each window anew, with the ids of the centroids they are matched with."""
    from scipy.optimize import linear_sum_assignment

    known: dict[int, npt.NDArray[np.float64]] = {}
    middle: list[npt.NDArray[np.float64]] = []

    def way(_: int, embeddings: F32) -> I64:
        middle[:] = middle or [embeddings.astype(np.float64).mean(0)]
        seen = unit(embeddings.astype(np.float64) - middle[0])
        labels = cluster(seen.astype(np.float32))
        given = np.full(labels.size, -1)
        numbers = np.unique(labels[labels >= 0])
        if numbers.size == 0:
            return given
        centres = unit(np.stack([seen[labels == one].mean(0) for one in numbers]))
        names = np.full(numbers.size, -1)
        if known:
            ids = np.array(list(known))
            near = centres @ np.stack(list(known.values())).T
            rows, columns = linear_sum_assignment(-near)
            good = near[rows, columns] > gate
            names[rows[good]] = ids[columns[good]]
        for row in np.flatnonzero(names < 0):
            names[row] = len(known)
            known[int(names[row])] = centres[row]
        for row, name in enumerate(names.tolist()):
            known[name] = unit((0.3 * known[name] + 0.7 * centres[row])[None])[0]
        for number, name in zip(numbers, names, strict=True):
            given[labels == number] = name
        return given

    return way


def hdbscan() -> Way:
    """HDBSCAN of each window (fast-hdbscan, which is the one that can)."""
    from fast_hdbscan import HDBSCAN

    return matched(
        lambda seen: np.asarray(HDBSCAN(min_cluster_size=10, min_samples=5).fit_predict(seen))
    )


def minibatch_kmeans() -> Way:
    """scikit-learn's MiniBatchKMeans, which knows the number of formats and no noise."""
    from sklearn.cluster import MiniBatchKMeans

    model = MiniBatchKMeans(FORMATS, random_state=0, n_init=3)

    def way(_: int, embeddings: F32) -> I64:
        model.partial_fit(embeddings)
        return np.asarray(model.predict(embeddings), np.int64)

    return way


def dbstream() -> Way:
    """river's DBSTREAM on 32 principal dimensions."""
    from river import cluster

    model = cluster.DBSTREAM(clustering_threshold=0.6, fading_factor=1e-5, cleanup_interval=500)
    basis: list[Any] = []

    def way(_: int, embeddings: F32) -> I64:
        if not basis:
            middle = embeddings.mean(0)
            basis.extend(
                [middle, np.linalg.svd(embeddings - middle, full_matrices=False)[2][:32].T]
            )
        seen = unit(((embeddings - basis[0]) @ basis[1]).astype(np.float64))
        rows = [dict(enumerate(row)) for row in seen.tolist()]
        for row in rows:
            model.learn_one(row)
        return np.array([model.predict_one(row) for row in rows])

    return way


RIVALS: Final = {"hdbscan": hdbscan, "minibatch_kmeans": minibatch_kmeans, "dbstream": dbstream}


def measure(way: Way, mixture: Mixture) -> dict[str, float]:
    """Run a way over a stream and compare with the truth."""
    spent = 0.0
    rand: list[float] = []
    names: dict[int, list[int]] = {}
    found: dict[int, int] = {}
    there: set[int] = set()  # born in the stream, and large enough at once
    for number, window in enumerate(mixture):
        began = time.process_time()
        given = way(number, window.embeddings)
        spent += time.process_time() - began
        known = window.truth >= 0
        if number >= 2:
            rand.append(adjusted_rand(window.truth[known], given[known]))
        for one in np.unique(window.truth[known]).tolist():
            mine = given[window.truth == one]
            if mine.size < SEEN:
                continue
            if mixture.born[one] >= max(1, number - 1):
                there.add(one)
            kinds, counts = np.unique(mine[mine >= 0], return_counts=True)
            if counts.size == 0 or counts.max() <= 0.3 * mine.size:
                continue
            found.setdefault(one, number - int(mixture.born[one]))
            names.setdefault(one, []).append(int(kinds[counts.argmax()]))
    kept = [a == b for ids in names.values() for a, b in pairwise(ids)]
    return {
        "rand": float(np.mean(rand)),
        "ids_kept": float(np.mean(kept)),
        "births_within_one_window": float(np.mean([found.get(one, 99) <= 1 for one in there])),
        "embeddings_per_second": WINDOWS * REELS / spent,
    }


def adjusted_rand(a: I64, b: I64) -> float:
    """How well two partitions agree: 1 wholly, 0 as by chance (Hubert & Arabie, 1985)."""
    rows, columns = np.unique(a, return_inverse=True)[1], np.unique(b, return_inverse=True)[1]
    table = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(table, (rows, columns), 1)

    def pairs(counts: npt.NDArray[np.float64]) -> float:
        return float((counts * (counts - 1) / 2).sum())

    together, first, second = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    chance = first * second / (a.size * (a.size - 1) / 2)
    return (together - chance) / ((first + second) / 2 - chance)


def assignments(formats: int = 10_000, reels: int = 8192, rounds: int = 5) -> dict[str, float]:
    """How fast reels are given to 10,000 formats, and how often as by the whole product."""
    draw = np.random.default_rng(1)
    cone = Cone(draw)
    centres = cone.some(formats)
    off = np.sqrt(1 / ALIKE**2 - 1)
    truth = draw.integers(0, formats, reels)
    embeddings = unit(centres[truth] + off * cone.around(reels))
    middle = centres.mean(0)
    centroids, lengths = directions(centres, middle)
    spent: dict[str, float] = {}
    answers: dict[str, I64] = {}
    for name, basis in (("whole", None), ("ours", subspace(centroids))):
        nearest = Nearest(centroids, lengths, basis)
        nearest(*directions(embeddings[:256], middle))
        times = []
        for _ in range(rounds):
            began = time.process_time()
            answers[name] = nearest(*directions(embeddings.astype(np.float32), middle))[0]
            times.append(time.process_time() - began)
        spent[name] = min(times)
    return {
        "assignments_per_second": reels / spent["ours"],
        "whole_product_per_second": reels / spent["whole"],
        "agreement": float((answers["ours"] == answers["whole"]).mean()),
        "right": float((answers["ours"] == truth).mean()),
        "right_by_the_whole_product": float((answers["whole"] == truth).mean()),
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rivals", action="store_true")
    arguments = parser.parse_args()
    ways: dict[str, Callable[[], Way]] = {"ours": ours} | (RIVALS if arguments.rivals else {})
    told: dict[str, Any] = {}
    for drift in (0.05, 0.2):
        for name, make in ways.items():
            runs = [measure(make(), Mixture(seed, drift)) for seed in range(arguments.seeds)]
            told[f"{name}, drift {drift}"] = {
                key: round(float(np.mean([run[key] for run in runs])), 4) for key in runs[0]
            }
            print(
                json.dumps({f"{name}, drift {drift}": told[f"{name}, drift {drift}"]}), flush=True
            )
    print(json.dumps({"at 10,000 formats": assignments()}))


if __name__ == "__main__":
    main()
