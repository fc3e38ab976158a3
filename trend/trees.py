"""Boosted oblivious trees: a small model for log-odds whose parts are three arrays.

An oblivious tree asks the same question of every row at one depth, so its D answers are the D bits
of the leaf's number, and many trees are evaluated by one comparison and one look-up.

    log-odds(x) = base + sum over trees t of value[t, bits(x[feature[t]] > threshold[t])]

Fitted by Newton steps on the log-loss over a random part of rows and features for each tree.

Sources: Friedman, "Stochastic gradient boosting" (2002); Prokhorenkova et al., "CatBoost" (2018),
for oblivious trees.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from trend.compiled import kernel

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

BINS: Final = 24
"""Thresholds tried for a feature, and one more."""
PART: Final = 0.6
"""Share of rows, and of features, that a tree is fitted on."""
RIDGE: Final = 5.0
"""Weight of rows that each leaf is taken to have at log-odds 0."""


class Trees(NamedTuple):
    """T trees of depth D."""

    base: float
    """Log-odds before any tree."""
    feature: I64  # [T, D] column that is compared
    threshold: F64  # [T, D] above which the answer is yes
    value: F64  # [T, 2**D] log-odds that a leaf adds; the first answer is the highest bit


def log_odds(trees: Trees, x: F64) -> float:
    """Return the log-odds of one row, float64[p].

    Example:
        >>> one = Trees(0.5, np.array([[1]]), np.array([[2.0]]), np.array([[-1.0, 1.0]]))
        >>> log_odds(one, np.array([9.0, 1.0])), log_odds(one, np.array([9.0, 3.0]))
        (-0.5, 1.5)
    """
    leaves = np.empty(trees.feature.shape[0])
    _leaves(trees.feature, trees.threshold, trees.value, x, leaves)
    return trees.base + float(leaves.sum())


@kernel
def _leaves(feature: I64, threshold: F64, value: F64, x: F64, leaves: F64) -> None:
    """Fill in what each tree says."""
    for tree in range(feature.shape[0]):
        bits = 0
        for level in range(feature.shape[1]):
            bits = 2 * bits + (x[feature[tree, level]] > threshold[tree, level])
        leaves[tree] = value[tree, bits]


def fit(
    x: F64,
    y: F64,
    weight: F64,
    trees: int,
    depth: int = 3,
    rate: float = 0.1,
    seed: int = 0,
    start: F64 | None = None,
) -> Trees:
    """Return trees fitted to n rows.

    Args:
        x: finite, float64[n, p].
        y: 0.0 or 1.0, float64[n]; both occur.
        weight: of the rows, above 0, float64[n].
        trees: how many, each of `depth` questions, each correcting `rate` of what is left.
        start: log-odds that the trees are added to, float64[n]; None: those of all rows alike.
    """
    rng = np.random.default_rng(seed)
    n, p = x.shape
    at = np.linspace(0, 1, BINS + 1)[1:-1]
    edges = [np.unique(np.quantile(x[:, j], at).round(3)) for j in range(p)]
    bins = [np.searchsorted(edges[j], x[:, j]) for j in range(p)]
    base = 0.0
    if start is None:
        base = float(np.log((weight * y).sum() / (weight * (1 - y)).sum()))
    now = np.full(n, base) if start is None else start
    made: list[tuple[list[int], list[float], F64]] = []
    for _ in range(trees):
        share = 1 / (1 + np.exp(-now))
        slope, curve = weight * (y - share), weight * share * (1 - share)
        rows = np.flatnonzero(rng.random(n) < PART)
        columns = np.flatnonzero(rng.random(p) < PART).tolist() or [*range(p)]
        leaf = np.zeros(n, np.int64)
        features: list[int] = []
        thresholds: list[float] = []
        for level in range(depth):
            best = max(
                _gain(leaf[rows], bins[j][rows], edges[j].size, 1 << level, slope, curve, rows, j)
                for j in columns
                if edges[j].size
            )
            _, j, edge = best
            features.append(j)
            thresholds.append(float(edges[j][edge]))
            leaf = 2 * leaf + (bins[j] > edge)
        sums = [np.bincount(leaf[rows], part[rows], 1 << depth) for part in (slope, curve)]
        value = rate * sums[0] / (sums[1] + RIDGE)
        now = now + value[leaf]
        made.append((features, thresholds, value))
    feature, threshold, values = zip(*made, strict=True)
    return Trees(base, np.array(feature), np.array(threshold), np.array(values))


def _gain(
    leaf: I64, bins: I64, edges: int, leaves: int, slope: F64, curve: F64, rows: I64, column: int
) -> tuple[float, int, int]:
    """Return the most that a column's thresholds can gain, the column, and the best threshold."""
    key = leaf * (edges + 1) + bins
    shape = (leaves, edges + 1)
    g = np.bincount(key, slope[rows], leaves * (edges + 1)).reshape(shape).cumsum(axis=1)
    h = np.bincount(key, curve[rows], leaves * (edges + 1)).reshape(shape).cumsum(axis=1)
    left = g[:, :-1] ** 2 / (h[:, :-1] + RIDGE)
    right = (g[:, -1:] - g[:, :-1]) ** 2 / (h[:, -1:] - h[:, :-1] + RIDGE)
    gains = (left + right).sum(axis=0)
    edge = int(gains.argmax())
    return float(gains[edge]), column, edge


def parsed(base: float, lines: str) -> Trees:
    """Return trees written one a line: `column>threshold` for each depth, a colon, the leaves.

    Example:
        >>> parsed(0.5, "1>2.0 : -1 1").value.tolist()
        [[-1.0, 1.0]]
    """
    asks, values = zip(*(line.split(":") for line in lines.strip().splitlines()), strict=True)
    pairs = [[ask.split(">") for ask in one.split()] for one in asks]
    return Trees(
        base,
        np.array([[int(column) for column, _ in one] for one in pairs]),
        np.array([[float(threshold) for _, threshold in one] for one in pairs]),
        np.array([[float(value) for value in one.split()] for one in values]),
    )
