"""Random draws: one generator a purpose, ranks by Zipf's law, indices by weight."""

import zlib

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Give the generator of one purpose: what one part draws never moves another's draws.

    >>> generator(1, "spam").integers(100) == generator(1, "spam").integers(100)
    np.True_
    """
    return np.random.default_rng(np.random.SeedSequence((seed, zlib.crc32(purpose.encode()))))


def zipf_weights(count: int, exponent: float, shift: float = 2.0) -> FloatArray:
    """Weight of ranks 0 to count - 1 by the law of Zipf and Mandelbrot, (rank + shift)^-exponent.

    `shift` flattens the head, so that the first rank is not everywhere.
    """
    weights = (np.arange(count, dtype=np.float64) + shift) ** -exponent
    shares: FloatArray = weights / weights.sum()
    return shares


def by_weight(rng: np.random.Generator, weights: FloatArray, size: int) -> IntArray:
    """Draw `size` indices into `weights` (not negative, any sum above 0), with replacement."""
    cumulative = np.cumsum(weights)
    drawn = np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")
    indices: IntArray = np.minimum(drawn, len(weights) - 1).astype(np.int64)
    return indices


def distinct_by_weight(rng: np.random.Generator, weights: FloatArray, size: int) -> IntArray:
    """Draw `size` indices in random order, distinct as far as three tries of twice as many go.

    What is missing after that (the weights are too few or too uneven) is filled with repeats.
    """
    chosen = np.zeros(0, np.int64)
    for _ in range(3):
        drawn = np.concatenate([chosen, by_weight(rng, weights, 2 * size + 8)])
        _, first = np.unique(drawn, return_index=True)
        chosen = drawn[np.sort(first)][:size]
        if len(chosen) == size:
            return chosen
    return np.concatenate([chosen, rng.choice(chosen, size - len(chosen))])


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw one number between `low` and `high`, each doubling as likely as the next."""
    return float(np.exp(rng.uniform(np.log(low), np.log(max(low, high)))))
