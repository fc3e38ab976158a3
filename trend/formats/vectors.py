"""Directions as vectors of whole numbers, whose products are exact in any order.

A sum of float32 depends on the order in which it is added up, and that on the number of threads,
on the shape of the batch and on the processor. Whole numbers below 2**24 have no such dependence:
with vectors no longer than 4,095 no product of two, nor any part of its sum, can pass it
(Cauchy-Schwarz). So embeddings are scaled to length 4,000 and rounded; a cosine of 512 dimensions
is off by about 1e-4, and the same everywhere.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

LENGTH: Final = 4000.0
"""Of a vector before it is rounded; rounding adds at most half the root of its dimensions."""

MAX_DIMENSIONS: Final = 4096
"""With more, rounding could take a vector past 4,095."""

Vectors = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]


def directions(embeddings: npt.NDArray[np.floating], centre: F64) -> tuple[Vectors, F64]:
    """The directions in which embeddings lie as seen from a centre.

    Embeddings of images lie in a narrow cone: seen from its middle they differ more.

    Args:
        embeddings: (n, d).
        centre: (d,).

    Returns:
        Whole numbers, float32 (n, d), and their lengths, float64 (n,). What lies at the centre, or
        is not finite, has length 0.
    """
    seen = np.asarray(embeddings, np.float64) - centre
    lengths = np.sqrt(np.einsum("nd,nd->n", seen, seen))
    good = np.isfinite(lengths) & (lengths > 1e-6)
    scale = np.divide(LENGTH, lengths, out=np.zeros_like(lengths), where=good)
    seen[~good] = 0.0
    whole = np.rint(seen * scale[:, None])
    return whole.astype(np.float32), np.sqrt(np.einsum("nd,nd->n", whole, whole))


def cosines(a: Vectors, a_lengths: F64, b: Vectors, b_lengths: F64) -> F64:
    """The cosines of n pairs of vectors; 0 where one has no length.

    Args:
        a, b: (n, d), whole numbers.
        a_lengths, b_lengths: (n,).
    """
    products = np.einsum("nd,nd->n", a, b).astype(np.float64)
    lengths = a_lengths * b_lengths
    return np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
