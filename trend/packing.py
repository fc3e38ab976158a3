"""Several arrays as one piece of bytes, to be sent: pickles of NumPy cost more than short arrays.

A structured array says its fields with every pickle, and each array has a header of its own; here
the receiver knows the dtypes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Shapes = tuple[tuple[int, ...], ...]


def packed(arrays: Sequence[npt.NDArray[Any]]) -> tuple[Shapes, bytearray]:
    """Return the shapes of some arrays, and their bytes on end.

    >>> shapes, data = packed([np.arange(3), np.zeros((0, 2))])
    >>> [array.tolist() for array in unpacked([np.int64, np.float64], shapes, data)]
    [[0, 1, 2], []]
    """
    return tuple(array.shape for array in arrays), bytearray().join(
        [array.tobytes() for array in arrays if array.size]
    )


def unpacked(
    dtypes: Sequence[npt.DTypeLike], shapes: Shapes, data: bytes | bytearray | memoryview
) -> list[npt.NDArray[Any]]:
    """Return the arrays again, as parts of one buffer that can be written to: `data`, or a copy.

    Each starts where the one before it ends: the widest dtypes come first, so that all are aligned.
    """
    buffer = bytearray(data) if memoryview(data).readonly else data
    arrays = []
    at = 0
    for dtype, shape in zip(dtypes, shapes, strict=True):
        array: npt.NDArray[Any] = np.ndarray(shape, dtype, buffer, at)
        arrays.append(array)
        at += array.nbytes
    return arrays
