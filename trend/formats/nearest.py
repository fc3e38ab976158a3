"""The nearest of many centroids, by a product in fewer dimensions and an exact check."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.formats.vectors import F64, LENGTH, Vectors, cosines

BLOCK: Final = 256
"""Vectors that are compared with all centroids at once; bounds the memory."""

FEW: Final = 1024
"""Up to so many centroids the whole product is no dearer."""

DIMENSIONS: Final = 128
"""Of the subspace in which centroids are compared first."""

CANDIDATES: Final = 3
"""Of the first comparison that are checked in all dimensions."""

ROUNDS: Final = 4
"""Of the subspace iteration: the subspace need not be the best one."""

I64 = npt.NDArray[np.int64]


@dataclass(slots=True)
class Nearest:
    """Centroids, prepared for being looked up.

    All products are exact (see `trend.formats.vectors`).
    """

    centroids: Vectors  # (m, d), whole numbers
    lengths: F64  # (m,)
    basis: Vectors | None = None  # of `subspace`: with it they are compared in fewer dimensions
    _projected: Vectors = field(init=False)  # (DIMENSIONS or d, m), whole numbers

    def __post_init__(self) -> None:
        self._projected = np.ascontiguousarray(self._seen(self.centroids).T)

    def __call__(self, vectors: Vectors, lengths: F64) -> tuple[I64, F64]:
        """The nearest centroid of each vector, and the cosine with it; -1 and -1 without any.

        Args:
            vectors: whole numbers, (n, d).
            lengths: (n,); what has length 0 is near nothing.
        """
        n = lengths.size
        nearest = np.full(n, -1, np.int64)
        near = np.full(n, -1.0)
        if self.lengths.size == 0:
            return nearest, near
        unit = np.divide(1.0, self.lengths, out=np.zeros_like(self.lengths), where=self.lengths > 0)
        scale = unit.astype(np.float32)
        for first in range(0, n, BLOCK):
            rows = slice(first, first + BLOCK)
            block, block_lengths = vectors[rows], lengths[rows]
            best = _best(self._seen(block) @ self._projected, scale, CANDIDATES)
            for candidate in best.T:
                found = np.where(candidate >= 0, candidate, 0)
                cosine = cosines(block, block_lengths, self.centroids[found], self.lengths[found])
                better = (candidate >= 0) & (cosine > near[rows]) & (block_lengths > 0)
                nearest[rows] = np.where(better, candidate, nearest[rows])
                near[rows] = np.where(better, cosine, near[rows])
        return nearest, near

    def _seen(self, vectors: Vectors) -> Vectors:
        """Vectors in the subspace, whole numbers again."""
        if self.basis is None:
            return vectors
        return np.rint((vectors @ self.basis) * np.float32(1.0 / LENGTH))


@njit(cache=True, nogil=True)
def _best(
    products: npt.NDArray[np.float32], scale: npt.NDArray[np.float32], candidates: int
) -> npt.NDArray[np.int64]:
    """The columns with the largest products times `scale` in each row, -1 where there are fewer."""
    rows, columns = products.shape
    best = np.full((rows, candidates), -1, np.int64)
    values = np.empty(candidates, np.float32)
    for row in range(rows):
        values[:] = -np.inf
        for column in range(columns):
            value = products[row, column] * scale[column]
            if value > values[candidates - 1]:
                place = candidates - 1
                while place > 0 and value > values[place - 1]:
                    values[place] = values[place - 1]
                    best[row, place] = best[row, place - 1]
                    place -= 1
                values[place] = value
                best[row, place] = column
    return best


def subspace(vectors: Vectors, dimensions: int = DIMENSIONS) -> Vectors:
    """An orthogonal basis of about the subspace in which vectors vary most.

    It is found in float64 by one thread in a fixed order, and rounded.

    Args:
        vectors: whole numbers, (n, d), n < 2**29.

    Returns:
        float32 (d, dimensions), whole numbers, each column about LENGTH long.
    """
    whole = vectors.astype(np.float64)
    most = min(dimensions, vectors.shape[1])
    return np.rint(LENGTH * _iterate(whole.T @ whole, most, ROUNDS)).astype(np.float32)


@njit(cache=True, nogil=True)
def _iterate(matrix: F64, dimensions: int, rounds: int) -> F64:
    """Subspace iteration on a symmetric matrix, orthogonalised by modified Gram-Schmidt.

    Begins with the axes of the largest diagonal. Source: Golub & Van Loan, "Matrix Computations",
    8.2.4.
    """
    d = matrix.shape[0]
    start = np.argsort(-np.diag(matrix), kind="mergesort")[:dimensions]
    basis = np.zeros((dimensions, d))  # rows, so that what is read together lies together
    for row in range(dimensions):
        basis[row, start[row]] = 1.0
    image = np.zeros_like(basis)
    for _ in range(rounds):
        for row in range(dimensions):
            for column in range(d):
                total = 0.0
                for k in range(d):
                    total += matrix[column, k] * basis[row, k]
                image[row, column] = total
        for row in range(dimensions):
            for other in range(row):
                along = 0.0
                for k in range(d):
                    along += image[row, k] * basis[other, k]
                for k in range(d):
                    image[row, k] -= along * basis[other, k]
            length = 0.0
            for k in range(d):
                length += image[row, k] * image[row, k]
            length = np.sqrt(length)
            for k in range(d):
                basis[row, k] = image[row, k] / length if length > 0.0 else 0.0
    return basis.T.copy()
