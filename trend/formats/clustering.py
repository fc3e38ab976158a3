"""Clusters among vectors: each grows down from a peak of density.

Source: Rodriguez & Laio, "Clustering by fast search and find of density peaks" (Science, 2014): a
point belongs where its nearest neighbour of higher density does; one that has none near is a peak.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from trend.formats.vectors import F64, Vectors

BLOCK: Final = 1024
"""Rows that are compared with all others at once; bounds the memory."""

I64 = npt.NDArray[np.int64]


def clusters(vectors: Vectors, lengths: F64, link: float, neighbours: int, least: int) -> I64:
    """Which cluster each of n vectors is in.

    Takes O(n² d) time.

    Args:
        vectors: whole numbers, (n, d), each of length `lengths` above 0.
        link: cosine from which two are neighbours.
        neighbours: from so many on a vector is dense, and may hold a cluster together.
        least: vectors in a cluster.

    Returns:
        Numbers from 0, in the order of the first vector in each; -1: in none.
    """
    n = lengths.size
    labels = np.full(n, -1, np.int64)
    unit = _unit(vectors, lengths)
    density = np.zeros(n, np.int64)
    for first in range(0, n, BLOCK):
        rows = slice(first, first + BLOCK)
        density[rows] = np.count_nonzero(
            _cosines(vectors[rows], unit[rows], vectors, unit) >= link, 1
        )
    density -= 1  # itself
    dense = np.flatnonzero(density >= neighbours)
    if dense.size == 0:
        return labels
    order = dense[np.argsort(-density[dense], kind="stable")]
    labels[order] = _peaks(vectors[order], unit[order], link)
    rest = np.flatnonzero(density < neighbours)
    for first in range(0, rest.size, BLOCK):
        some = rest[first : first + BLOCK]
        near = _cosines(vectors[some], unit[some], vectors[order], unit[order])
        best = near.argmax(1)
        linked = near[np.arange(some.size), best] >= link
        labels[some[linked]] = labels[order[best[linked]]]
    return _numbered(labels, least)


def _unit(vectors: Vectors, lengths: F64) -> npt.NDArray[np.float32]:
    return (1.0 / lengths).astype(np.float32)


def _cosines(
    a: Vectors, a_unit: npt.NDArray[np.float32], b: Vectors, b_unit: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """All cosines of rows of a with rows of b; the product is exact, so each is always the same."""
    products = a @ b.T
    products *= a_unit[:, None]
    products *= b_unit[None, :]
    return products


def _peaks(vectors: Vectors, unit: npt.NDArray[np.float32], link: float) -> I64:
    """The peak that each of n vectors hangs from, which are in the order of falling density."""
    n = unit.size
    above = np.arange(n)
    for first in range(0, n, BLOCK):
        end = min(n, first + BLOCK)
        near = _cosines(vectors[first:end], unit[first:end], vectors[:end], unit[:end])
        near[np.arange(end)[None, :] >= np.arange(first, end)[:, None]] = -2.0
        best = near.argmax(1)
        linked = near[np.arange(end - first), best] >= link
        above[first:end] = np.where(linked, best, above[first:end])
    while True:
        higher = above[above]
        if np.array_equal(higher, above):
            return above
        above = higher


def _numbered(labels: I64, least: int) -> I64:
    """The same clusters without the small ones, numbered by the first vector in each."""
    found, first, inverse, sizes = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    kept = (found >= 0) & (sizes >= least)
    numbers = np.full(found.size, -1, np.int64)
    numbers[np.flatnonzero(kept)[np.argsort(first[kept])]] = np.arange(np.count_nonzero(kept))
    return numbers[inverse]
