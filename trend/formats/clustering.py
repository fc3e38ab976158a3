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


def clusters(
    vectors: Vectors, lengths: F64, density: I64, link: float, neighbours: int, least: int
) -> I64:
    """Which cluster each of n vectors is in.

    Args:
        vectors: whole numbers, (n, d), each of length `lengths`; one of length 0 is near none.
        density: how many others each is linked to (`linked`).
        link: cosine from which two are neighbours, above 0.
        neighbours: from so many on a vector is dense, and may hold a cluster together.
        least: vectors in a cluster.

    Returns:
        Numbers from 0, in the order of the first vector in each; -1: in none.
    """
    labels = np.full(lengths.size, -1, np.int64)
    unit = _unit(lengths)
    dense = np.flatnonzero(density >= neighbours)
    if dense.size == 0:
        return labels
    order = dense[np.argsort(-density[dense], kind="stable")]
    labels[order] = _peaks(vectors[order], unit[order], link)
    rest = np.flatnonzero((density < neighbours) & (density > 0))
    for first in range(0, rest.size, BLOCK):
        some = rest[first : first + BLOCK]
        near = _cosines(vectors[some], unit[some], vectors[order], unit[order])
        best = near.argmax(1)
        near_enough = near[np.arange(some.size), best] >= link
        labels[some[near_enough]] = labels[order[best[near_enough]]]
    return _numbered(labels, least)


def linked(a: Vectors, a_lengths: F64, b: Vectors, b_lengths: F64, link: float) -> tuple[I64, I64]:
    """How many of n vectors each of m others is linked to, and the other way round.

    Takes O(n m d) time.

    Args:
        a, b: whole numbers, (m, d) and (n, d), with their lengths.
        link: as in `clusters`.

    Returns:
        int64 (m,) and (n,).
    """
    of_a, of_b = np.zeros(a_lengths.size, np.int64), np.zeros(b_lengths.size, np.int64)
    a_unit, b_unit = _unit(a_lengths), _unit(b_lengths)
    for first in range(0, a_lengths.size, BLOCK):
        rows = slice(first, first + BLOCK)
        near = _cosines(a[rows], a_unit[rows], b, b_unit) >= link
        of_a[rows] = np.count_nonzero(near, 1)
        of_b += np.count_nonzero(near, 0)
    return of_a, of_b


def _unit(lengths: F64) -> npt.NDArray[np.float32]:
    unit = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return unit.astype(np.float32)


def _cosines(
    a: Vectors, a_unit: npt.NDArray[np.float32], b: Vectors, b_unit: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """All cosines of rows of a with rows of b.

    The product is exact and both ways round the same, so each cosine always is.
    """
    found = a_unit[:, None] * b_unit[None, :]
    found *= a @ b.T
    return found


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
