"""How much of the reels of two signals they share, from samples.

A sample holds the reels with the smallest hashes (a bottom-k sketch): below the smaller of two
samples' largest hashes both are complete, so what they share there is an unbiased share of all. A
sample that is not full is the whole set.

Source: Cohen & Kaplan, "Summarizing data using bottom-k sketches" (2007).
"""

import numpy as np
import numpy.typing as npt

Sample = npt.NDArray[np.uint64]


def shared(a: Sample, b: Sample, capacity: int) -> tuple[int, float]:
    """Return how many reels two samples share, and their share of the smaller set.

    Args:
        a: reel hashes, ascending, uint64[<= capacity].
        b: likewise.
        capacity: size at which a sample is full.

    Example:
        >>> shared(np.array([1, 2, 3], np.uint64), np.array([2, 3, 4, 5], np.uint64), capacity=128)
        (2, 0.6666666666666666)
    """
    if a.size == 0 or b.size == 0:
        return 0, 0.0
    limits = [sample[-1] for sample in (a, b) if sample.size >= capacity]
    if limits:
        a, b = (sample[: np.searchsorted(sample, min(limits), "right")] for sample in (a, b))
    smaller = min(a.size, b.size)
    if smaller == 0:
        return 0, 0.0
    both = int(np.intersect1d(a, b, assume_unique=True).size)
    return both, both / smaller
